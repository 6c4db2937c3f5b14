"""Makes up tracking numbers for the house's own carrier."""

import secrets
from typing import Final

# Without the letters that are read as digits: people type these from labels.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 12


def new_tracking_number() -> str:
    """60 random bits: nobody guesses a neighbour's, and the database refuses the doublet that will never come."""
    return "TRK" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
