"""How PostgreSQL is reached, and what its errors mean to us; transactions are `db`'s."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy import ExceptionContext, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .errors import Away, Unavailable

ANSWER_WITHIN: Final = 5.0
"""Seconds in which a server has to take a new connection."""

# 08 connection, 53 resources (too many connections, disk full), 57P0x shutdown, crash, starting up.
_OUTAGE: Final = ("08", "53", "57P")
# 40 deadlock and serialisation, 55P03 waited too long for a lock, 57014 ran too long.
_CONTENTION: Final = ("40", "55P03", "57014")
_ADAPTER: Final[Any] = AsyncAdapt_asyncpg_dbapi(asyncpg)  # type: ignore[no-untyped-call]


class DatabaseAway(Away):
    """The database did not answer: whether a change that was under way is made, nobody knows."""

    def __init__(self) -> None:
        super().__init__("The database cannot be reached.")


def make_engine(
    url: str, server_settings: Mapping[str, str], *, command_timeout: float | None = None, **pool: Any
) -> AsyncEngine:
    connect_args = {
        "async_creator_fn": _connect,
        "timeout": ANSWER_WITHIN,
        "command_timeout": command_timeout,
        "server_settings": server_settings,
    }
    engine = create_async_engine(url, hide_parameters=True, connect_args=connect_args, **pool)
    event.listen(engine.sync_engine, "handle_error", _say_what_it_means)
    event.listen(engine.sync_engine, "checkout", _refuse_a_dead_connection)
    return engine


@contextmanager
def exhausted_is_away() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseAway from error


def describe(error: BaseException) -> str:
    """One line that any text column takes, without the row or the parameters that a statement failed with."""
    words = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
    return storable(f"{type(error).__name__}: {words}")[:2000]


def storable(words: str) -> str:
    """PostgreSQL takes neither NUL nor half a surrogate pair."""
    return words.replace("\x00", "").encode("utf-8", "replace").decode()


async def _connect(*args: Any, **kwargs: Any) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(*args, **kwargs)
    except OSError as error:
        raise DatabaseAway from error


def what_it_means(error: Exception, *, is_disconnect: bool, statement: str) -> Exception:
    """Of an error of the driver: what it is to us, or what SQLAlchemy would have made of it."""
    if ours := _meaning(error, is_disconnect=is_disconnect):
        return ours
    kinds = _ADAPTER._asyncpg_error_translate
    kind = next((kinds[each] for each in type(error).__mro__ if each in kinds), None)
    original = error if kind is None else kind(str(error), error)
    return DBAPIError.instance(statement, None, original, _ADAPTER.Error, hide_parameters=True)


def _say_what_it_means(context: ExceptionContext) -> Exception | None:
    """Said where it happens: further out, an OSError could be anyone's."""
    error = context.original_exception
    if not isinstance(error, Exception):
        return None
    if isinstance(error, OSError):
        context.is_disconnect = True
    return _meaning(error, is_disconnect=context.is_disconnect)


def _meaning(error: Exception, *, is_disconnect: bool) -> Exception | None:
    if isinstance(error, DatabaseAway):
        return error
    state = str(getattr(error, "sqlstate", None) or "")
    if is_disconnect or isinstance(error, OSError) or state.startswith(_OUTAGE):
        return DatabaseAway()
    if state.startswith(_CONTENTION):
        return Unavailable("Too many want the same at the moment. Please try again.")
    return None


def _refuse_a_dead_connection(connection: Any, *_: object) -> None:
    """The driver knows without asking when the server has hung up: a ping would cost each transaction a round trip."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
