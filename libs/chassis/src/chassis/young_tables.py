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
# Of 3000 rows instead of 30,000: that took half a second of a core, in the midst of a rush. It is for a while: what is
# asked column by column does not count for the daemon, which comes and looks closely.
_ROUGH: Final = text("SET LOCAL default_statistics_target = 10")
_GROWN: Final = text(
    """
    SELECT oid::regclass::text, string_agg(quote_ident(attname), ', ' ORDER BY attnum)
    FROM pg_class JOIN pg_attribute ON attrelid = oid AND attnum > 0 AND NOT attisdropped
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND pg_has_role(relowner, 'USAGE')
        AND pg_relation_size(oid) >= greatest(2 * relpages, :least) * current_setting('block_size')::bigint
    GROUP BY oid ORDER BY oid
    """
)


async def analyse_grown(database: Database) -> list[str]:
    """Those that are twice as large as they were when their statistics were made; which."""
    async with database.begin() as session:
        grown = [(str(table), columns) for table, columns in await session.execute(_GROWN, {"least": _LEAST_PAGES})]
    for table, columns in grown:
        async with database.begin() as session:
            await session.execute(_ROUGH)
            # Whoever has it locked for this is making its statistics.
            await session.execute(text(f"ANALYZE (SKIP_LOCKED) {table} ({columns})"))
    return [table for table, _ in grown]


def young_tables_job(database: Database) -> Job:
    return Job("young_tables", every=timedelta(seconds=5), run=partial(analyse_grown, database))
