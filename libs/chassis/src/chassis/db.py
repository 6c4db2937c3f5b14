"""The service's own database: its transactions and its migrations; what is stored there is the features' affair."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

from alembic import command
from alembic.config import Config
from fastapi import Depends, Request
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from .errors import Unavailable
from .outbox import write_outbox
from .tables import ChassisTable

# 08 connection, 53 resources (too many connections), 57P0x shutdown, crash, starting up.
_OUTAGE_STATES = ("08", "53", "57P")
_MIGRATION_LOCK = 0x0F10


class Database:
    def __init__(self, url: str, *, application_name: str, pool_size: int = 10) -> None:
        self.url = url
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=5,
            pool_timeout=3,
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args={
                "timeout": 5,
                "command_timeout": 10,
                "server_settings": {
                    "application_name": application_name,
                    "statement_timeout": "10s",
                    "lock_timeout": "2s",
                    "idle_in_transaction_session_timeout": "15s",
                    # A query whose client is gone would run on and hold its locks.
                    "client_connection_check_interval": "1s",
                },
            },
        )
        self.outbox_filled = asyncio.Event()
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """One transaction with its events. A database that is away is `Unavailable`, whatever the driver calls it."""
        with outage_is_unavailable():
            async with self._sessions.begin() as session:
                yield session
                filled = await write_outbox(session)
        if filled:
            self.outbox_filled.set()

    async def ready(self) -> None:
        async with self.begin() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


@contextmanager
def outage_is_unavailable() -> Iterator[None]:
    try:
        yield
    except (OSError, PoolTimeout, DBAPIError) as error:
        if is_outage(error):
            raise Unavailable("The database cannot be reached.") from error
        raise


def is_outage(error: BaseException) -> bool:
    """Whether the database is away, as opposed to a statement that it refused."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, (OSError, PoolTimeout))
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return error.connection_invalidated or state.startswith(_OUTAGE_STATES) or isinstance(error.orig, OSError)


async def open_transaction(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.begin() as session:
        yield session


# scope="function" commits before the response leaves; the default would answer 201 for a commit that then fails.
Transaction = Annotated[AsyncSession, Depends(open_transaction, scope="function")]


def migration_config(versions: Path, *metadata: MetaData) -> Config:
    """The chassis' tables and the service's own are two branches of one history."""
    here = Path(__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(here))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{here / 'versions'}\n{versions}")
    config.attributes["metadata"] = [ChassisTable.metadata, *metadata]
    return config


async def migrate(database: Database, versions: Path) -> None:
    """Brings the schema up to date; of several replicas that start at once one does it and the others wait."""
    config = migration_config(versions)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("SET statement_timeout = 0"))
        await connection.execute(text("SET lock_timeout = 0"))
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        try:
            async with database.engine.begin() as work:
                await work.execute(text("SET LOCAL lock_timeout = '5s'"))
                await work.execute(text("SET LOCAL statement_timeout = 0"))
                await work.run_sync(_upgrade, config)
            # Tables that were never analysed make the planner scan them when they have grown.
            await connection.execute(text("ANALYZE"))
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
            await connection.execute(text("RESET statement_timeout"))
            await connection.execute(text("RESET lock_timeout"))


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")
