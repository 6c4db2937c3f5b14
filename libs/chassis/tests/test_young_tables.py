"""Plans that were made while a table was small do not outlive its growth."""

import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.db import Database
from chassis.young_tables import analyse_grown
from libs.chassis.tests.factories import column, eventually, execute

FILL = "INSERT INTO inbox SELECT gen_random_uuid(), 'test' FROM generate_series(1, {})"


@pytest.fixture
async def empty(database: Database) -> Database:
    """Only we look after its statistics."""
    await execute(database, "ALTER TABLE inbox SET (autovacuum_enabled = false)")
    await execute(database, FILL.format(10))
    await execute(database, "ANALYZE inbox")
    return database


@pytest.fixture
async def service(empty: Database) -> AsyncIterator[AsyncConnection]:
    """A connection that keeps a plan."""
    async with empty.connect() as connection:
        await connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        await connection.exec_driver_sql("PREPARE handled AS SELECT 1 FROM inbox WHERE event_id = ANY($1::text[])")
        yield connection
        await connection.exec_driver_sql("DEALLOCATE handled")


async def plan(connection: AsyncConnection) -> str:
    told = (await connection.exec_driver_sql("EXPLAIN (FORMAT JSON) EXECUTE handled (ARRAY['a'])")).scalar_one()
    node = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return str(node["Node Type"])


async def test_a_plan_that_was_made_for_ten_rows_is_made_anew_for_thousands(
    empty: Database, service: AsyncConnection
) -> None:
    assert await plan(service) == "Seq Scan"
    await execute(empty, FILL.format(20_000))
    assert await plan(service) == "Seq Scan"

    assert await analyse_grown(empty) == ["inbox"]

    assert await plan(service) != "Seq Scan"


async def test_a_table_is_looked_after_each_time_it_has_doubled(empty: Database) -> None:
    looked_after = []
    for rows in (10, 1000, 200, 1500, 1000, 500, 4000):
        await execute(empty, FILL.format(rows))
        looked_after.append(await analyse_grown(empty))

    assert looked_after == [[], ["inbox"], [], ["inbox"], [], [], ["inbox"]]
    assert await column(empty, "SELECT reltuples::int FROM pg_class WHERE relname = 'inbox'") == [8220]


async def test_it_is_rough_and_the_daemon_still_comes_to_look_closely(empty: Database) -> None:
    await execute(empty, FILL.format(20_000))
    await analyse_grown(empty)

    known = "SELECT array_length(histogram_bounds::text::text[], 1) FROM pg_stats WHERE attname = 'event_id'"
    assert await column(empty, known) == [11]
    counted = "SELECT n_mod_since_analyze::int FROM pg_stat_user_tables WHERE relname = 'inbox'"
    await eventually(lambda: column(empty, f"{counted} AND n_mod_since_analyze >= 20000"), within=10)


async def test_what_is_being_looked_after_already_is_passed_over(empty: Database, replica: Database) -> None:
    await execute(empty, FILL.format(1000))
    async with replica.begin() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("LOCK TABLE inbox IN SHARE UPDATE EXCLUSIVE MODE")

        await analyse_grown(empty)

    assert await column(empty, "SELECT reltuples::int FROM pg_class WHERE relname = 'inbox'") == [10]
