"""What the harness promises about databases."""

import asyncio

import asyncpg
import pytest

from tests.harness.fixtures import FreshDatabase
from tests.harness.postgres import PostgresServer


async def fetch(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_fresh_database_is_migrated_and_nobody_elses(fresh_database: FreshDatabase) -> None:
    one, other = await asyncio.gather(fresh_database("chassis"), fresh_database("chassis"))

    await fetch(one, "CREATE TABLE mine ()")

    assert await fetch(one, "SELECT to_regclass('outbox')::text") == "outbox"
    assert await fetch(other, "SELECT to_regclass('mine')") is None


async def test_a_database_is_gone_afterwards_even_when_somebody_is_still_connected(
    postgres_server: PostgresServer,
) -> None:
    async with postgres_server.database("left") as url:
        still_there = await asyncpg.connect(url.replace("+asyncpg", ""))

    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await fetch(url, "SELECT 1")
    still_there.terminate()


async def test_a_template_is_migrated_once(postgres_server: PostgresServer) -> None:
    migrated: list[str] = []

    async def migrate(url: str) -> None:
        migrated.append(url)

    names = {await postgres_server.template("counted", migrate) for _ in range(3)}

    assert len(names) == len(migrated) == 1
