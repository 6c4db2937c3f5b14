"""A cursor leads to where the last page ended; one that is not ours leads nowhere."""

import base64
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Invalid
from chassis.paging import Keyset, Page

Key = tuple[datetime, UUID]
KEYSET: Keyset[Key] = Keyset(Key)
KEY: Key = (datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), UUID(int=7))


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_is_read_as_it_was_written(when: datetime, which: UUID) -> None:
    cursor = KEYSET.write((when, which))

    assert KEYSET.read(cursor) == (when, which)
    assert cursor.replace("-", "").replace("_", "").isalnum()


def test_no_cursor_is_the_beginning() -> None:
    assert KEYSET.read(None) is None


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "é",
        "a",
        "%00",
        "====",
        KEYSET.write(KEY) + "=",
        KEYSET.write(KEY) + "\n",
        KEYSET.write(KEY)[:-4],
        KEYSET.write(KEY).lower(),
        _packed("null"),
        _packed("[]"),
        _packed("{}"),
        _packed("[" * 300),
        _packed('["now", 7]'),
        _packed('["2026-01-02T03:04:05Z"]'),
        _packed('["2026-01-02T03:04:05Z", "00000000-0000-0000-0000-000000000007", 1]'),
        _packed('[ "2026-01-02T03:04:05Z", "00000000-0000-0000-0000-000000000007" ]'),
        _packed("\x00"),
    ],
)
def test_what_we_would_not_have_written_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        KEYSET.read(cursor)

    assert refused.value.details[0]["field"] == "cursor"


@given(st.text())
def test_any_text_is_read_or_refused(cursor: str) -> None:
    with suppress(Invalid):
        assert KEYSET.write(KEYSET.read(cursor) or KEY) == cursor


@pytest.mark.parametrize(("count", "shown", "more"), [(0, 0, False), (2, 2, False), (3, 3, False), (4, 3, True)])
def test_a_page_says_where_the_next_one_begins_only_if_there_is_one(count: int, shown: int, more: bool) -> None:
    keyset: Keyset[tuple[int]] = Keyset(tuple[int])

    page = Page[int].model_validate(keyset.page(list(range(count)), 3, key=lambda row: (row,)))

    assert page.items == list(range(shown))
    assert (page.next_cursor is not None) is more
    assert keyset.read(page.next_cursor) == ((2,) if more else None)
