"""The service's own database: its transactions and its migrations; what is stored there is the features' affair."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from fastapi import Depends, Request
from sqlalchemy import Connection, NullPool, Result, Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from .engine import exhausted_is_away, make_engine
from .handover import Handover
from .outbox import Told, as_parameters, entries, write_events
from .session import Session, run_alone

_MIGRATION_LOCK: Final = 0x0F10
FREE_WITHIN: Final = 3.0
"""Seconds that whoever needs a connection waits for one."""
_WAKES: Final = "wakes"
LIMITS: Final = {
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "15s",
    # A query whose client is gone would run on and hold its locks.
    "client_connection_check_interval": "1s",
}


class Database:
    def __init__(self, url: str, *, application_name: str, pool_size: int = 10) -> None:
        self.url = url
        self.engine = make_engine(
            url,
            {"application_name": application_name, **LIMITS},
            # Longer than the server's own limit: when this one is reached, the server is silent.
            command_timeout=15,
            pool_size=pool_size,
            max_overflow=5,
            pool_timeout=FREE_WITHIN,
            pool_recycle=1800,
            # Where a transaction begins and ends is our session's to say.
            isolation_level="AUTOCOMMIT",
        )
        self.handover = Handover()
        self._woken: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """One transaction with its events and what it put on record.

        A database that is away is `DatabaseAway`, whatever the driver calls it.
        """
        session = Session(self.engine)
        with exhausted_is_away():
            try:
                yield session
                kept_for = self.handover.keeps_for
                events = await write_events(session, kept_for=kept_for)
                await session.commit()
            finally:
                await session.close()
        if events:
            self.handover.put(events if kept_for else ())
        for name in session.info.get(_WAKES, ()):
            self._woken[name].set()

    async def run_alone(self, statement: TextClause, parameters: Mapping[str, Any]) -> Result[Any]:
        """A statement of constant text that is a transaction by itself."""
        with exhausted_is_away():
            return await run_alone(self.engine, statement, parameters)

    async def tell_alone(
        self, statement: TextClause, parameters: Mapping[str, Any], events: Sequence[Told]
    ) -> Sequence[Row[Any]]:
        """As `run_alone`, of a statement that writes events as well (`outbox.INSERT_EVENTS`).

        Its rows are what it has written: their `event_id`, and `outbox_id`.
        """
        kept_for = self.handover.keeps_for
        rows = (await self.run_alone(statement, {**parameters, **as_parameters(events, kept_for=kept_for)})).all()
        if rows:
            written = {row.event_id: row.outbox_id for row in rows}
            self.handover.put(entries(events, written) if kept_for else ())
        return rows

    def woken(self, name: str) -> asyncio.Event:
        """Set by every commit of this process in which `wakes(session, name)` was said."""
        return self._woken[name]

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """For what belongs to a connection and to no transaction, such as a lock: each statement stands alone."""
        with exhausted_is_away():
            async with self.engine.connect() as connection:
                yield connection

    async def ready(self) -> None:
        async with self.begin() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def wakes(session: AsyncSession, name: str) -> None:
    """Whoever waits for what this transaction writes need not wait for the clock."""
    session.info.setdefault(_WAKES, set()).add(name)


async def open_transaction(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.begin() as session:
        yield session


# scope="function" commits before the response leaves; the default would answer 201 for a commit that then fails.
Transaction = Annotated[AsyncSession, Depends(open_transaction, scope="function")]


async def migrate(database: Database, versions: Path) -> None:
    """Brings the schema up to date; of several replicas that start at once one does it and the others wait."""
    # Without the limits of a service: a change to a large table, and waiting for another replica, take their time.
    engine = make_engine(database.url, {"application_name": "migrations"}, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            # A change that waits for a lock makes everyone behind it wait.
            await connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            async with _alembic_to_ourselves():
                has_changed = await connection.run_sync(_upgrade, _migrations(versions))
            if has_changed:
                # Tables that were never analysed make the planner scan them when they have grown.
                await _analyse(connection)
    finally:
        await engine.dispose()


# Ours alone: of the catalogue's, which only a superuser may analyse, there would be a warning each.
_OUR_TABLES = text(
    """
    SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
    WHERE relkind IN ('r', 'p', 'm')
        AND relnamespace = current_schema()::regnamespace AND pg_has_role(relowner, 'USAGE')
    """
)


async def _analyse(connection: AsyncConnection) -> None:
    if tables := await connection.scalar(_OUR_TABLES):
        await connection.execute(text(f"ANALYZE {tables}"))


def _migrations(versions: Path) -> Config:
    """The chassis' tables and the service's own are two branches of one history."""
    here = Path(__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(here))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{here / 'versions'}\n{versions}")
    return config


def _upgrade(connection: Connection, config: Config) -> bool:
    config.attributes["connection"] = connection
    before = MigrationContext.configure(connection).get_current_heads()
    command.upgrade(config, "heads")
    return MigrationContext.configure(connection).get_current_heads() != before


_alembic = threading.Lock()


@asynccontextmanager
async def _alembic_to_ourselves() -> AsyncIterator[None]:
    """A migration's `op` is one for the whole process: another that runs meanwhile would change our database."""
    while not _alembic.acquire(blocking=False):  # noqa: ASYNC110 (an event of asyncio belongs to one loop)
        await asyncio.sleep(0.02)
    try:
        yield
    finally:
        _alembic.release()
