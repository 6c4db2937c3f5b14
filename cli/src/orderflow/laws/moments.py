"""When ids were made, as far as they say so: a range of a key that has an index, in place of one that has none."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


def made_at(made: UUID) -> datetime:
    """Of an id that says nothing of it, some moment; whoever asks looks elsewhere when that finds nothing."""
    return _EPOCH + min(timedelta(milliseconds=made.int >> 80), _LATEST - _EPOCH)
