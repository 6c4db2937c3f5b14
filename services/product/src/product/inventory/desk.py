"""Where the reservations of all requests meet and are done in batches: a lane each to reserve, release and deduct."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis import tracing
from chassis.coalescer import Coalescer
from chassis.db import Database
from chassis.failpoints import failpoint
from contracts.product import Reservation, Reservations, ReservationView, Reserve, Settle, Settled, Settlements

from .commands import Overtaken, reserve
from .model import ReservationMismatch
from .settlement import deduct, release
from .traces import with_traces

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Command = Callable[[AsyncSession, Sequence[Item]], Awaitable[Sequence[Answer]]]


class Desk:
    """One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reserving: Coalescer[Reservation, ReservationView] = Coalescer(self._reserve)
        self._releasing: Coalescer[UUID, Settled] = Coalescer(self._release)
        self._deducting: Coalescer[UUID, Settled] = Coalescer(self._deduct)

    async def reserve(self, body: Reserve) -> Reservations:
        return Reservations(reservations=await _each(self._reserving, body.reservations))

    async def release(self, body: Settle) -> Settlements:
        return Settlements(reservations=await _each(self._releasing, body.reservation_ids))

    async def deduct(self, body: Settle) -> Settlements:
        return Settlements(reservations=await _each(self._deducting, body.reservation_ids))

    async def close(self) -> None:
        """What was asked is done and answered first."""
        await asyncio.gather(self._reserving.close(), self._releasing.close(), self._deducting.close())

    async def _reserve(self, wanted: Sequence[Reservation]) -> Sequence[ReservationView | ReservationMismatch]:
        answers = await self._carry_out(reserve, wanted)
        await failpoint("product.reserve.committed")
        return answers

    async def _release(self, ids: Sequence[UUID]) -> Sequence[Settled]:
        answers = await self._carry_out(release, ids)
        await failpoint("product.release.committed")
        return answers

    async def _deduct(self, ids: Sequence[UUID]) -> Sequence[Settled]:
        answers = await self._carry_out(deduct, ids)
        await failpoint("product.deduct.committed")
        return answers

    async def _carry_out(self, command: Command[Item, Answer], batch: Sequence[Item]) -> Sequence[Answer]:
        while True:
            with suppress(Overtaken):
                async with self._database.begin() as session:
                    return await command(session, batch)


async def _each(lane: Coalescer[Item, Answer], items: Sequence[Item]) -> list[Answer]:
    """All are carried through, whatever becomes of one of them; the first error is then the answer for all."""
    answers = await asyncio.gather(*(_one(lane, *each) for each in with_traces(items)), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


async def _one(lane: Coalescer[Item, Answer], item: Item, trace: str | None) -> Answer:
    with tracing.working_for([trace or tracing.new_traceparent()]):
        return await lane(item)
