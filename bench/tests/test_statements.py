"""Statements are counted where they are, by database, and none of those who count."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from bench import statements
from bench.machine import Machine, asked
from tests.harness.postgres import PostgresServer, own_server


@pytest.fixture
def own_machine(machine: Machine) -> Iterator[Machine]:
    """With a server whose log can be read, wherever that of the other tests is."""
    with own_server() as url:
        yield replace(machine, postgres=PostgresServer(url))


async def test_what_a_database_is_asked_is_counted_there(own_machine: Machine) -> None:
    async with own_machine.database("asked") as url, own_machine.database("silent") as other:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("CREATE TABLE ones (one int)")
            async with statements.counted(own_machine) as so_far:
                async with connection.transaction():
                    await connection.execute("INSERT INTO ones VALUES (1);\n-- ] LOG:  statement: none\n")
                    await connection.executemany("INSERT INTO ones VALUES ($1)", [(2,), (3,)])
                async with asked(other) as watching:
                    await watching.fetch("SELECT 1")
                found = await so_far()
            await connection.execute("DROP TABLE ones")
        finally:
            await connection.close()

    # BEGIN, one insert in words and two with values, COMMIT.
    assert found == {make_url(url).database: 5}


async def test_what_counting_has_set_is_as_it_was(own_machine: Machine) -> None:
    before = await _settings(own_machine)

    async with statements.counted(own_machine):
        assert await _settings(own_machine) != before

    assert await _settings(own_machine) == before


async def test_a_log_that_is_elsewhere_is_said_to_be(own_machine: Machine) -> None:
    Path(await own_machine.value("SHOW data_directory"), "log").unlink()  # noqa: ASYNC240 (nobody waits meanwhile)

    with pytest.raises(statements.NotShown):
        await statements.counted(own_machine).__aenter__()


async def _settings(machine: Machine) -> dict[str, str]:
    async with asked(machine.postgres.url("postgres")) as connection:
        return dict(await connection.fetch("SELECT name, setting FROM pg_settings WHERE name ~ '^(log|lc)_'"))
