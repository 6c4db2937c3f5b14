"""Pages of a list by keyset: the cursor says where the last page ended. Which columns it holds is the query's."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, SQLColumnExpression

from .errors import Invalid
from .ids import first_uuid7_at

if TYPE_CHECKING:
    from typing_extensions import TypeForm

T = TypeVar("T")
Key = TypeVar("Key")

_LONGEST: Final = 512
_MOMENT: Final = timedelta(seconds=5)

Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=_LONGEST, description="`next_cursor` of the page before.")]
DEFAULT_LIMIT: Final = 20

# Times further out have no equivalent in UTC, where the database keeps them.
Moment = Annotated[
    AwareDatetime | None, Query(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9999, 1, 1, tzinfo=UTC))
]


class Page(BaseModel, Generic[T]):
    """Some of a list; `next_cursor` leads to what comes after, and is null at the end."""

    items: list[T]
    next_cursor: str | None = None


class Keyset(Generic[Key]):
    """Cursors over the columns that a list is ordered by, e.g. `Keyset(tuple[datetime, UUID])`."""

    def __init__(self, key: "TypeForm[Key]") -> None:
        self._key = TypeAdapter(key)

    def write(self, key: Key) -> str:
        return base64.urlsafe_b64encode(self._key.dump_json(key)).rstrip(b"=").decode()

    def read(self, cursor: str | None) -> Key | None:
        if cursor is None:
            return None
        try:
            packed = cursor.encode("ascii")
            key = self._key.validate_json(base64.b64decode(packed + b"=" * (-len(packed) % 4), b"-_", validate=True))
        except (UnicodeEncodeError, binascii.Error, ValidationError):
            raise _not_ours() from None
        # What we would not have written ourselves was written by somebody else.
        if self.write(key) != cursor:
            raise _not_ours()
        return key

    def page(self, rows: Sequence[T], limit: int, key: Callable[[T], Key]) -> dict[str, Any]:
        """From one row more than fits on the page (`LIMIT limit + 1`)."""
        items = rows[:limit]
        return {"items": items, "next_cursor": self.write(key(items[-1])) if len(rows) > limit else None}


def made_between(
    id: SQLColumnExpression[UUID],  # noqa: A002
    at: SQLColumnExpression[datetime],
    since: datetime | None,
    before: datetime | None,
) -> list[ColumnElement[bool]]:
    """Conditions for a list in the order of its UUIDv7 ids, which were made a moment after the time `at`.

    Their bounds let the index find the page, the times decide.
    """
    conditions = []
    if since is not None:
        conditions += [id >= first_uuid7_at(since), at >= since]
    if before is not None:
        conditions += [id < first_uuid7_at(before + _MOMENT), at < before]
    return conditions


def _not_ours() -> Invalid:
    return Invalid("The cursor is not one of ours.", [{"field": "cursor", "message": "This is not a cursor."}])
