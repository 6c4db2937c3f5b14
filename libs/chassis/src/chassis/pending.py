"""Rows that a transaction gathers and then writes in one statement, as the last thing before it commits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from .statements import with_arrays

_GATHERED: Final = "pending_rows"


class PendingRows:
    def __init__(self, table: str, **columns: Any) -> None:
        self._table = table
        self._columns = list(columns)
        names = ", ".join(columns)
        arrays = ", ".join(f":{name}" for name in columns)
        self._insert = with_arrays(f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})", **columns)

    def add(self, session: AsyncSession, **row: Any) -> None:
        _gathered(session).setdefault(self._table, []).append(row)

    def take(self, session: AsyncSession) -> list[dict[str, Any]]:
        return _gathered(session).pop(self._table, [])

    async def write(self, session: AsyncSession) -> bool:
        """Whether there were any; `Database.begin` calls it."""
        rows = self.take(session)
        if rows:
            await session.execute(self._insert, {name: [row[name] for row in rows] for name in self._columns})
        return bool(rows)


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
