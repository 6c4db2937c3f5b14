"""Those that orderflow is measured against: the floor, and the usual way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from .contestant import Contestant, of_module
from .floor import schema
from .machine import Machine


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
