"""Those that orderflow is measured against: the floor, and the usual way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from .contestant import Contestant, of_module
from .floor import schema
from .machine import Machine
from .usual.tables import METADATA


@asynccontextmanager
async def floor(machine: Machine) -> AsyncIterator[Contestant]:
    async with of_module("floor", "bench.floor", _prepare_floor, machine) as contestant:
        yield contestant


async def _prepare_floor(service: str, url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(schema.OF[service])
    finally:
        await connection.close()


@asynccontextmanager
async def usual(machine: Machine) -> AsyncIterator[Contestant]:
    async with of_module("usual", "bench.usual", _prepare_usual, machine) as contestant:
        yield contestant


async def _prepare_usual(service: str, url: str) -> None:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(METADATA[service].create_all)
    await engine.dispose()
