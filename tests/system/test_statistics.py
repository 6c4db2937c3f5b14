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
