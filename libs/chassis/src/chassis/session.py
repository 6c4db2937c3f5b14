"""One transaction as the features see it: an AsyncSession whose constant statements go straight to the driver.

A statement by SQLAlchemy's way costs three times as much, and a transaction begun by it, too. Whatever is not constant
text goes that way, on the same connection and in the same transaction.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection, IteratorResult, Result, TextClause
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn

from .engine import what_it_means
from .telemetry import logger

_DIALECT: Final[Any] = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
_NO_COLUMNS: Final = SimpleResultMetaData(["nothing"])

log = logger("session")


class _Joining(SyncSession):
    """Works on the connection of whoever holds it."""

    holder: "Session | None"

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        if self.holder is None:
            raise RuntimeError("The transaction is over.")
        return self.holder.joined()


class Session(AsyncSession):
    """Takes a connection, and begins, when something is asked of the database first. `Database.begin` ends it."""

    sync_session_class = _Joining
    sync_session: _Joining

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(expire_on_commit=False)
        self.sync_session.holder = self
        self._engine = engine
        self._lent: PoolProxiedConnection | None = None
        self._joined: Connection | None = None
        self._is_over = False

    async def execute(self, statement: Any, params: Any = None, **options: Any) -> Any:
        constant = _constant(statement) if isinstance(statement, TextClause) and not options else None
        # Somebody who listens hears statements as SQLAlchemy runs them.
        if constant is None or self._engine.sync_engine.dispatch.before_cursor_execute:
            return await super().execute(statement, params, **options)
        if self.sync_session.in_transaction() and self._has_changes():
            await self.flush()
        lent = self._lent or await self._begin()
        return constant.result(await fetch(lent, constant.text, constant.arguments(params or {})))

    async def scalars(self, statement: Any, params: Any = None, **options: Any) -> Any:
        return (await self.execute(statement, params, **options)).scalars()

    async def scalar(self, statement: Any, params: Any = None, **options: Any) -> Any:
        return (await self.execute(statement, params, **options)).scalar()

    async def commit(self) -> None:
        if self.sync_session.in_transaction():
            await super().commit()
        if self._lent is not None:
            await fetch(self._lent, "COMMIT")
        self._is_over = True

    async def close(self) -> None:
        """What has not been committed is undone."""
        lent, self._lent, self._joined = self._lent, None, None
        self.sync_session.holder = None
        try:
            if self.sync_session.in_transaction():
                await super().close()
        finally:
            if lent is not None:
                await give_back(lent, is_over=self._is_over)

    def joined(self) -> Connection:
        """The same connection for SQLAlchemy, which is left to believe that each of its statements stands alone."""
        if self._joined is None:
            lent = self._lent or await_only(self._begin())
            self._joined = Connection(self._engine.sync_engine, lent)
        return self._joined

    def _has_changes(self) -> bool:
        """In objects, which a statement is to find as they are."""
        objects = self.sync_session
        return bool(objects.new or objects.dirty or objects.deleted)

    async def _begin(self) -> PoolProxiedConnection:
        self._lent = await borrow(self._engine)
        await fetch(self._lent, "BEGIN")
        return self._lent


async def run_alone(engine: AsyncEngine, statement: TextClause, parameters: Mapping[str, Any]) -> Result[Any]:
    """One constant statement that is a transaction by itself: one round trip instead of three."""
    constant = _constant(statement)
    if constant is None or engine.sync_engine.dispatch.before_cursor_execute:
        async with engine.connect() as connection:
            answer = await connection.execute(statement, parameters)
            return answer.freeze()() if answer.returns_rows else IteratorResult(_NO_COLUMNS, iter(()))
    lent = await borrow(engine)
    is_over = False
    try:
        result = constant.result(await fetch(lent, constant.text, constant.arguments(parameters)))
        is_over = True
    finally:
        await give_back(lent, is_over=is_over)
    return result


async def borrow(engine: AsyncEngine) -> PoolProxiedConnection:
    try:
        return await engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as error:
        raise what_it_means(error, is_disconnect=False, statement="connect") from error


async def give_back(lent: PoolProxiedConnection, *, is_over: bool) -> None:
    """With its transaction at an end, however that came about."""
    if is_over:
        await greenlet_spawn(lent.close)
    else:
        # Nobody who is told to stop now may leave this half done: the next transaction would go on with ours.
        await asyncio.shield(_end(lent))


async def _end(lent: PoolProxiedConnection) -> None:
    driver = _driver(lent)
    try:
        # Also waits for the end of a statement that was given up.
        await driver.execute("ROLLBACK")
    except Exception as error:
        log.warning("connection_given_up", error=type(error).__name__)
        await greenlet_spawn(lent.invalidate)
    finally:
        await greenlet_spawn(lent.close)


async def fetch(lent: PoolProxiedConnection, statement: str, arguments: Sequence[Any] = ()) -> list[Any]:
    driver = _driver(lent)
    try:
        rows: list[Any] = await driver.fetch(statement, *arguments)
    except Exception as error:
        raise what_it_means(error, is_disconnect=driver.is_closed(), statement=statement) from error
    return rows


def _driver(lent: PoolProxiedConnection) -> "asyncpg.Connection[Any]":
    driver: asyncpg.Connection[Any] = lent.driver_connection
    return driver


class _Constant:
    """As the driver takes it: its text, and which parameter goes where."""

    def __init__(self, text: str, parameters: Sequence[tuple[str, Callable[[Any], Any] | None]]) -> None:
        self.text = text
        self._parameters = parameters
        self._keys: list[str] = []
        self._metadata = _NO_COLUMNS

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        return [prepare(given[name]) if prepare else given[name] for name, prepare in self._parameters]

    def result(self, rows: Sequence[Any]) -> Result[Any]:
        if rows and (keys := list(rows[0].keys())) != self._keys:
            self._keys, self._metadata = keys, SimpleResultMetaData(keys)
        return IteratorResult(self._metadata, iter(rows))


@lru_cache(maxsize=1024)
def _constant(statement: TextClause) -> _Constant | None:
    """None for those whose text depends on their parameters."""
    compiled = statement.compile(dialect=_DIALECT)
    bound = compiled.binds
    if any(each.expanding or each.literal_execute or not each.required for each in bound.values()):
        return None
    names = compiled.positiontup or ()
    prepared = {name: each.type.dialect_impl(_DIALECT).bind_processor(_DIALECT) for name, each in bound.items()}
    return _Constant(compiled.string, [(name, prepared[name]) for name in names])
