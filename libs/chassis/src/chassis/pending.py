"""Rows that a transaction gathers and then writes in one statement, as the last thing before it commits."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Row, TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from .statements import with_arrays

_GATHERED: Final = "pending_rows"
_ALL: Final[dict[str, "PendingRows"]] = {}


class PendingRows:
    """Those of one table. Until the transaction's end nothing of them is found there."""

    def __init__(
        self, table: str, *, computed: Mapping[str, str] = MappingProxyType({}), returning: str = "", **columns: Any
    ) -> None:
        self.table = table
        self.columns = {f"{table}_{name}": kind for name, kind in columns.items()}
        self.returning = returning
        arrays = ", ".join(f":{name}" for name in self.columns)
        names, values = ", ".join(columns), ", ".join(["given.*", *computed.values()])
        self.insert = (
            f"INSERT INTO {table} ({', '.join([names, *computed])})"
            f" SELECT {values} FROM unnest({arrays}) AS given ({names})"
        )
        _ALL[table] = self

    def add(self, session: AsyncSession, **row: Any) -> None:
        _gathered(session).setdefault(self.table, []).append(row)

    def as_columns(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        before = len(self.table) + 1
        return {name: [row[name[before:]] for row in rows] for name in self.columns}

    def of(self, session: AsyncSession) -> Sequence[Mapping[str, Any]]:
        return _gathered(session).get(self.table, ())


async def write_pending(session: AsyncSession, **computed_with: Any) -> Sequence[Row[Any]]:
    """Of all tables at once; gives what the one table returns that returns something."""
    gathered = _gathered(session)
    tables = tuple(sorted((table for table, rows in gathered.items() if rows), key=_returning_last))
    if not tables:
        return ()
    columns: dict[str, Any] = {}
    for table in tables:
        columns |= _ALL[table].as_columns(gathered[table])
    gathered.clear()
    written = await session.execute(_together(tables), columns | computed_with)
    return written.all() if _ALL[tables[-1]].returning else ()


def _returning_last(table: str) -> tuple[bool, str]:
    return bool(_ALL[table].returning), table


@lru_cache(maxsize=64)
def _together(tables: tuple[str, ...]) -> TextClause:
    *others, last = (_ALL[table] for table in tables)
    before = "WITH " + ", ".join(f"{each.table}_written AS ({each.insert})" for each in others) + " " if others else ""
    ending = f" RETURNING {last.returning}" if last.returning else ""
    columns = {name: kind for each in (*others, last) for name, kind in each.columns.items()}
    return with_arrays(f"{before}{last.insert}{ending}", **columns)


@asynccontextmanager
async def savepoint(session: AsyncSession) -> AsyncIterator[None]:
    """What fails inside is undone, what it published and put on record included; the transaction goes on."""
    before = {table: len(rows) for table, rows in _gathered(session).items()}
    try:
        async with session.begin_nested():
            # Only now there is a savepoint, for statements that go straight to the driver as well.
            await session.connection()
            yield
    except BaseException:
        for table, rows in _gathered(session).items():
            del rows[before.get(table, 0) :]
        raise


def _gathered(session: AsyncSession) -> dict[str, list[dict[str, Any]]]:
    gathered: dict[str, list[dict[str, Any]]] = session.info.setdefault(_GATHERED, {})
    return gathered
