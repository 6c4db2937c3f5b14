"""Pages of a list by keyset: the cursor says where the last page ended. Which columns it holds is the query's."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, TypeAdapter, ValidationError

from .errors import Invalid

if TYPE_CHECKING:
    from typing_extensions import TypeForm

T = TypeVar("T")
Key = TypeVar("Key")

_LONGEST: Final = 512

Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=_LONGEST, description="`next_cursor` of the page before.")]
DEFAULT_LIMIT: Final = 20


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


def _not_ours() -> Invalid:
    return Invalid("The cursor is not one of ours.", [{"field": "cursor", "message": "This is not a cursor."}])
