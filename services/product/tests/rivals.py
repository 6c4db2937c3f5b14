"""Several who want the same at once, each in a transaction of its own, and how to know that they wait."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from contracts.product.inventory import Reservation, Settled
from product.inventory.commands import Overtaken
from services.product.tests.factories import ask, reservation

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Command = Callable[[AsyncSession, Sequence[Item], Sequence[str]], Awaitable[Answer]]
End = Callable[[AsyncSession, Sequence[UUID], Sequence[str]], Awaitable[list[Settled]]]
Replicas = tuple[httpx.AsyncClient, httpx.AsyncClient]


async def held(client: httpx.AsyncClient, wanted: Reservation) -> dict[str, Any]:
    answer = await ask(client, [wanted])
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()["reservations"][0]
    return view


async def hold(client: httpx.AsyncClient, count: int, product_id: str) -> list[UUID]:
    wanted = [reservation((product_id, 1)) for _ in range(count)]
    assert (await ask(client, wanted)).status_code == 200
    return [each.reservation_id for each in wanted]


async def alone(database: Database, command: Command[Item, Answer], batch: Sequence[Item], by: str = "test") -> Answer:
    """In a transaction of its own, as one more replica would do it."""
    while True:
        with suppress(Overtaken):
            async with database.begin() as session:
                return await command(session, batch, [by] * len(batch))


async def someone_waits_for_a_lock(database: Database, how_many: int = 1) -> None:
    for _ in range(500):
        async with database.engine.connect() as connection:
            if await connection.scalar(_WAITING) == how_many:
                return
        await asyncio.sleep(0.01)
    raise AssertionError("They do not wait for a lock.")


_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


class Crowd:
    """Several at once want the same things, named in different orders, while someone else holds the first of them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.chance = random.Random(3)

    async def pushes(
        self,
        first: Callable[[AsyncSession], Awaitable[object]],
        command: Command[Item, Answer],
        batch: Callable[[int], Sequence[Item]],
    ) -> None:
        async with self.database.begin() as session:
            await first(session)
            crowd = [asyncio.create_task(alone(self.database, command, self.shuffled(batch(n)))) for n in range(8)]
            await someone_waits_for_a_lock(self.database, 8)
        await asyncio.gather(*crowd)

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        return self.chance.sample(list(items), len(items))
