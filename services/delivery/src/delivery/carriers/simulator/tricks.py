"""What the simulated carrier does that carriers do, and what those do who pretend to be one."""

from enum import StrEnum


class Trick(StrEnum):
    DUPLICATES = "duplicates"
    """Each report several times at once, later again, and once more under another id."""
    REVERSED = "reversed"
    """The last report first."""
    FORGED = "forged"
    """Reports of the contrary, signed with a secret that nobody has."""
    OLD = "old"
    """Reports of the contrary, with a good signature that is an hour old."""
    EARLY = "early"
    """All of it before the dispatch is written down: the carrier knows the number from the label on its van."""
    UNKNOWN = "unknown"
    """A report of a parcel that was never ours."""
    SECOND_PARCEL = "second-parcel"
    """The order leaves in two parcels, and each has a fate of its own."""
    LOST = "lost"
    """The parcel is lost; then it is found, or comes back, or stays lost."""
    RETURNED = "returned"
    """The parcel comes back."""
    SLOW = "slow"
    """Time passes between one report and the next."""


NEED_STAFF = frozenset({Trick.EARLY, Trick.SECOND_PARCEL})
"""Those that begin before the parcel has left: somebody has to dispatch it in between."""
