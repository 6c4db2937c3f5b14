"""Fills tables with millions of rows in minutes: without their indexes, which are made afterwards, several at once."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import asyncpg

_SETTINGS: Final = {
    "synchronous_commit": "off",
    "maintenance_work_mem": "'512MB'",
    "max_parallel_maintenance_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
# Those that a foreign key of another table leads to cannot go.
_INDEXES: Final = """
    SELECT indexrelid::regclass::text AS name, conname, pg_get_indexdef(indexrelid) AS definition,
        pg_get_constraintdef(pg_constraint.oid) AS promise
    FROM pg_index LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u')
    WHERE indrelid = $1::regclass
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype = 'f')
    ORDER BY indisprimary DESC
"""


@dataclass(frozen=True)
class Rows:
    """What follows on INSERT INTO and the table's name."""

    service: str
    table: str
    statement: str
    kept: timedelta | None = None

    def saying(self, values: Mapping[str, int]) -> "Rows":
        statement = self.statement
        for name, value in values.items():
            statement = statement.replace(name, str(value))
        return replace(self, statement=statement)


async def fill_all(databases: Mapping[str, str], tables: Sequence[Rows]) -> None:
    """As many at once as there are cores, in this order: those that take longest should come first."""
    cores = asyncio.Semaphore(os.cpu_count() or 1)

    async def fill(rows: Rows) -> None:
        async with cores:
            connection = await asyncpg.connect(databases[rows.service])
            try:
                await _fill(connection, rows)
            finally:
                await connection.close()

    async with asyncio.TaskGroup() as group:
        for rows in tables:
            group.create_task(fill(rows))


async def _fill(connection: asyncpg.Connection, rows: Rows) -> None:
    for name, value in _SETTINGS.items():
        await connection.execute(f"SET {name} = {value}")
    indexes = await connection.fetch(_INDEXES, rows.table)
    for index in indexes:
        is_promise = index["conname"] is not None
        where = f"ALTER TABLE {rows.table} DROP CONSTRAINT {index['conname']}"
        await connection.execute(where if is_promise else f"DROP INDEX {index['name']}")
    await connection.execute(f"INSERT INTO {rows.table} {rows.statement}", timeout=None)
    for index in indexes:
        promise = f"ALTER TABLE {rows.table} ADD CONSTRAINT {index['conname']} {index['promise']}"
        await connection.execute(index["definition"] if index["conname"] is None else promise)
    await connection.execute(f"VACUUM ANALYZE {rows.table}")
