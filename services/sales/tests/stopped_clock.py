"""A database whose clock stands still until the test moves it: pauses are then as long as they say, on any machine."""

from datetime import timedelta

from sqlalchemy import text

from chassis.db import Database

from .factories import Sales

_STOP = (
    "CREATE SCHEMA stopped",
    "CREATE TABLE stopped.clock (reads timestamptz NOT NULL)",
    "INSERT INTO stopped.clock VALUES (now())",
    "CREATE FUNCTION stopped.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE"
    " AS 'SELECT reads FROM stopped.clock'",
    # Named before the catalogue it goes before the catalogue's own.
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = stopped, pg_catalog, public', current_database());"
    " END $$",
)


async def stop_clock(url: str) -> None:
    database = Database(url, application_name="stopping the clock")
    async with database.begin() as session:
        for statement in _STOP:
            await session.execute(text(statement))
    await database.close()


async def time_passes(sales: Sales, time: timedelta) -> None:
    await sales.rows("UPDATE stopped.clock SET reads = reads + CAST(:time AS interval) RETURNING 1", time=time)
