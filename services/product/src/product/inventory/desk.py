"""Where the reservations of all requests meet and are done in batches: a lane each to reserve, release and deduct."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.failpoints import failpoint
from contracts.product.inventory import (
    Reservation,
    Reservations,
    ReservationView,
    Reserve,
    Settle,
    Settled,
    Settlements,
)

from .commands import Overtaken, reserve
from .lane import Lane
from .model import ReservationMismatch
from .settlement import deduct, release

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Command = Callable[[AsyncSession, Sequence[Item], Sequence[str]], Awaitable[Sequence[Answer]]]


class Desk:
    """One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reserving: Lane[Reservation, ReservationView] = Lane(self._reserve)
        self._releasing: Lane[UUID, Settled] = Lane(self._release)
        self._deducting: Lane[UUID, Settled] = Lane(self._deduct)

    async def reserve(self, body: Reserve, by: str) -> Reservations:
        return Reservations(reservations=await self._reserving(body.reservations, by))

    async def release(self, body: Settle, by: str) -> Settlements:
        return Settlements(reservations=await self._releasing(body.reservation_ids, by))

    async def deduct(self, body: Settle, by: str) -> Settlements:
        return Settlements(reservations=await self._deducting(body.reservation_ids, by))

    async def close(self) -> None:
        await asyncio.gather(self._reserving.close(), self._releasing.close(), self._deducting.close())

    async def _reserve(
        self, wanted: Sequence[Reservation], by: Sequence[str]
    ) -> Sequence[ReservationView | ReservationMismatch]:
        answers = await self._carry_out(reserve, wanted, by)
        await failpoint("product.reserve.committed")
        return answers

    async def _release(self, ids: Sequence[UUID], by: Sequence[str]) -> Sequence[Settled]:
        answers = await self._carry_out(release, ids, by)
        await failpoint("product.release.committed")
        return answers

    async def _deduct(self, ids: Sequence[UUID], by: Sequence[str]) -> Sequence[Settled]:
        answers = await self._carry_out(deduct, ids, by)
        await failpoint("product.deduct.committed")
        return answers

    async def _carry_out(
        self, command: Command[Item, Answer], items: Sequence[Item], by: Sequence[str]
    ) -> Sequence[Answer]:
        while True:
            with suppress(Overtaken):
                async with self._database.begin() as session:
                    return await command(session, items, by)
