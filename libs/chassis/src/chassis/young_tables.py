"""Looks after the statistics of tables that grow: plans that were made while they were small would read all of them."""

from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import text

from .db import Database
from .jobs import Job

# PostgreSQL's own daemon comes once a minute at the earliest. Until then plans that were made for a few rows, and
# kept, read thousands: each ANALYZE makes them anew. To read less than this is no harm.
_LEAST_PAGES: Final = 8
_GROWN: Final = text(
    """
    SELECT oid::regclass::text FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND pg_has_role(relowner, 'USAGE')
        AND pg_relation_size(oid) >= greatest(2 * relpages, :least) * current_setting('block_size')::bigint
    ORDER BY oid
    """
)


async def analyse_grown(database: Database) -> list[str]:
    """Those that are twice as large as they were when their statistics were made; which."""
    async with database.begin() as session:
        grown = list(await session.scalars(_GROWN, {"least": _LEAST_PAGES}))
    for table in grown:
        async with database.begin() as session:
            # Whoever has it locked for this is making its statistics.
            await session.execute(text(f"ANALYZE (SKIP_LOCKED) {table}"))
    return grown


def young_tables_job(database: Database) -> Job:
    return Job("young_tables", every=timedelta(seconds=5), run=partial(analyse_grown, database))
