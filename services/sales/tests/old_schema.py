"""A database of Sales' as an earlier release has left it, for the tests of migrations that carry something over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from alembic import command
from sqlalchemy import Connection

from chassis.db import Database, _migrations
from tests.harness.postgres import PostgresServer

MIGRATIONS = Path(str(files("sales"))) / "migrations"


@asynccontextmanager
async def database_at(revision: str, server: PostgresServer) -> AsyncIterator[Database]:
    async with server.database("old") as url:
        database = Database(url, application_name="test")
        async with database.engine.begin() as connection:
            await connection.run_sync(_upgrade_to, revision)
        yield database
        await database.close()


def _upgrade_to(connection: Connection, revision: str) -> None:
    config = _migrations(MIGRATIONS)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
