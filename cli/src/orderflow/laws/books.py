"""The databases of all services, to read in: no statement here can change anything, wait for a lock or run for long."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.engine import make_engine
from orderflow import fleet

_LIMITS: Final = {
    "application_name": "orderflow check",
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "15s",
    "client_connection_check_interval": "1s",
    # Compiling takes longer than the pages that are read.
    "jit": "off",
}


class Books:
    def __init__(self, engines: Mapping[fleet.Name, AsyncEngine]) -> None:
        self._engines = engines

    @classmethod
    @asynccontextmanager
    async def opened(cls, urls: Mapping[fleet.Name, str]) -> AsyncIterator[Self]:
        engines = {
            name: make_engine(fleet.with_driver(url), _LIMITS, command_timeout=65, pool_size=1)
            for name, url in urls.items()
        }
        try:
            yield cls(engines)
        finally:
            for engine in engines.values():
                await engine.dispose()

    async def rows(self, service: fleet.Name, statement: TextClause, **values: Any) -> list[dict[str, Any]]:
        """As they stood at one moment: each statement is a transaction of its own."""
        async with self._engines[service].connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            return [dict(row) for row in (await alone.execute(statement, values)).mappings()]
