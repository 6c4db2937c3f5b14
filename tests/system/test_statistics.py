"""PostgreSQL makes statistics only of what somebody asks for rows by: those of documents take longest."""

import asyncpg
import pytest

from tests.harness.fixtures import FreshDatabase

# Bodies of events, addresses, answers that are kept: read whole, by the id of their row.
_UNSEARCHED = """
    SELECT c.relname || '.' || a.attname, a.attstattarget IS NOT DISTINCT FROM 0
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        AND (a.atttypid = 'jsonb'::regtype OR a.attname IN ('answer', 'body', 'request_hash', 'traceparent'))
"""
_SEARCHED = """
    SELECT c.relname || '.' || a.attname
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
    WHERE a.attstattarget = 0
"""
_OFTEN = """
    SELECT oid::regclass::text FROM pg_class, unnest(reloptions) AS option
    WHERE relnamespace = 'public'::regnamespace AND option LIKE 'autovacuum_analyze_scale_factor=%'
"""
_ROOM = """
    SELECT relname, option_value::float FROM pg_class, pg_options_to_table(reloptions)
    WHERE relnamespace = 'public'::regnamespace AND option_name = 'autovacuum_vacuum_scale_factor'
"""

services = pytest.mark.parametrize("service", ["sales", "product", "delivery", "notification"])


@services
async def test_no_statistics_are_made_of_documents(fresh_database: FreshDatabase, service: str) -> None:
    connection = await asyncpg.connect((await fresh_database(service)).replace("+asyncpg", ""))
    try:
        documents = dict(await connection.fetch(_UNSEARCHED))
    finally:
        await connection.close()

    assert {"outbox.body", "audit_log.after"} <= documents.keys()
    assert [name for name, without in documents.items() if not without] == []


@services
async def test_statistics_are_made_of_what_an_index_finds(fresh_database: FreshDatabase, service: str) -> None:
    connection = await asyncpg.connect((await fresh_database(service)).replace("+asyncpg", ""))
    try:
        assert await connection.fetch(_SEARCHED) == []
    finally:
        await connection.close()


@services
async def test_statistics_of_large_tables_are_made_as_often_as_the_server_is_told(
    fresh_database: FreshDatabase, service: str
) -> None:
    # Those of a young table are made each time it has doubled, whatever the server's measure: `young_tables`.
    connection = await asyncpg.connect((await fresh_database(service)).replace("+asyncpg", ""))
    try:
        often = {name for (name,) in await connection.fetch(_OFTEN)}
    finally:
        await connection.close()

    # The catalogue is searched in many ways, and an order writes to it only when it takes the last.
    assert often <= {"products"}


@services
async def test_the_dead_rows_of_what_every_order_writes_twice_are_cleared_before_there_are_many(
    fresh_database: FreshDatabase, service: str
) -> None:
    connection = await asyncpg.connect((await fresh_database(service)).replace("+asyncpg", ""))
    try:
        room = dict(await connection.fetch(_ROOM))
    finally:
        await connection.close()

    written_twice = {"outbox", "idempotency_keys"} | ({"attempts"} if service == "sales" else set())
    assert {name for name, share in room.items() if share > 0.02} == written_twice
    assert max(room.values()) <= 0.05
