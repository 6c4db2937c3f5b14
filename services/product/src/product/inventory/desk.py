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
from .model import ReservationMismatch
from .settlement import deduct, release
from .traces import with_traces

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Asked = tuple[Item, str]
"""With the name of the one who asks."""
Command = Callable[[AsyncSession, Sequence[Item], Sequence[str]], Awaitable[Sequence[Answer]]]


class Desk:
    """One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reserving: Coalescer[Asked[Reservation], ReservationView] = Coalescer(self._reserve)
        self._releasing: Coalescer[Asked[UUID], Settled] = Coalescer(self._release)
        self._deducting: Coalescer[Asked[UUID], Settled] = Coalescer(self._deduct)

    async def reserve(self, body: Reserve, by: str) -> Reservations:
        return Reservations(reservations=await _each(self._reserving, body.reservations, by))

    async def release(self, body: Settle, by: str) -> Settlements:
        return Settlements(reservations=await _each(self._releasing, body.reservation_ids, by))

    async def deduct(self, body: Settle, by: str) -> Settlements:
        return Settlements(reservations=await _each(self._deducting, body.reservation_ids, by))

    async def close(self) -> None:
        """What was asked is done and answered first."""
        await asyncio.gather(self._reserving.close(), self._releasing.close(), self._deducting.close())

    async def _reserve(self, wanted: Sequence[Asked[Reservation]]) -> Sequence[ReservationView | ReservationMismatch]:
        answers = await self._carry_out(reserve, wanted)
        await failpoint("product.reserve.committed")
        return answers

    async def _release(self, ids: Sequence[Asked[UUID]]) -> Sequence[Settled]:
        answers = await self._carry_out(release, ids)
        await failpoint("product.release.committed")
        return answers

    async def _deduct(self, ids: Sequence[Asked[UUID]]) -> Sequence[Settled]:
        answers = await self._carry_out(deduct, ids)
        await failpoint("product.deduct.committed")
        return answers

    async def _carry_out(self, command: Command[Item, Answer], batch: Sequence[Asked[Item]]) -> Sequence[Answer]:
        items, by = [item for item, _ in batch], [name for _, name in batch]
        while True:
            with suppress(Overtaken):
                async with self._database.begin() as session:
                    return await command(session, items, by)


async def _each(lane: Coalescer[Asked[Item], Answer], items: Sequence[Item], by: str) -> list[Answer]:
    """All are carried through, whatever becomes of one of them; the first error is then the answer for all."""
    asked = with_traces([(item, by) for item in items])
    answers = await asyncio.gather(*(_one(lane, *each) for each in asked), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


async def _one(lane: Coalescer[Asked[Item], Answer], asked: Asked[Item], trace: str | None) -> Answer:
    with tracing.working_for([trace or tracing.new_traceparent()]):
        return await lane(asked)
