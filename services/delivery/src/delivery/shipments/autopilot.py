"""Does after a while what people would do: dispatches what is ready, delivers what is on its way. Replicas share it.

With no while to wait for, the commit that made something ready, or shipped it, has it done at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from chassis.db import Database
from chassis.errors import Unavailable
from chassis.ids import first_uuid7_at
from chassis.jobs import Job
from chassis.steps import step
from chassis.tracing import working_for

from .delivering import deliver_unseen
from .dispatching import Dispatching
from .model import Shipment
from .shipping import Outcome
from .storing import FIRST, TO_DELIVER, TO_DISPATCH, take_on_their_way

AUTOPILOT: Final = "autopilot"
"""How it is named in the audit log."""

_OFTEN: Final = timedelta(milliseconds=200)
# For what another replica has left undone: each is woken by its own commits.
_SELDOM: Final = timedelta(seconds=1)
# Then the clock may be stopped, or the other jobs have their turn; the rest is done in the next run.
_MOST_BATCHES = 40
_LONGEST_PAUSE = 30.0
# After the last batch of a run, before the next commit may start another: of the time that it took, within bounds.
_REST = 0.5
_SHORTEST_REST, _LONGEST_REST = 0.02, 0.5


@dataclass(frozen=True)
class Pace:
    dispatch_after: timedelta
    deliver_after: timedelta
    batch: int


class Autopilot:
    def __init__(self, database: Database, dispatching: Dispatching, pace: Pace) -> None:
        self._database = database
        self._dispatching = dispatching
        self._pace = pace
        self._failures = 0
        self._paused_until = 0.0

    def jobs(self) -> list[Job]:
        return [
            self._job("dispatch_due", self.dispatch_due, TO_DISPATCH, self._pace.dispatch_after),
            self._job("deliver_due", self.deliver_due, TO_DELIVER, self._pace.deliver_after),
        ]

    async def dispatch_due(self) -> int:
        if time.monotonic() < self._paused_until:
            return 0
        try:
            dispatched = await self._drain(self._dispatch_batch)
        except Unavailable:
            # Each try claims a batch and gives it back: while Product is away that should be rare.
            self._failures += 1
            self._paused_until = time.monotonic() + min(_LONGEST_PAUSE, 0.5 * 2**self._failures)
            raise
        self._failures = 0
        return dispatched

    async def deliver_due(self) -> int:
        return await self._drain(self._deliver_batch)

    def _job(self, name: str, run: Callable[[], Awaitable[int]], topic: str, after: timedelta) -> Job:
        """Woken only where nothing has to wait: whoever came too early would find nothing to do."""
        if after:
            return Job(name, every=_OFTEN, run=run, everywhere=True)
        return Job(name, every=_SELDOM, run=run, everywhere=True, woken_by=self._database.woken(topic))

    async def _drain(self, take_batch: Callable[[UUID], Awaitable[list[Shipment]]]) -> int:
        """Goes on behind the last one taken: what could not be done now must not keep the others waiting."""
        taken, after, began = 0, FIRST, time.monotonic()
        for _ in range(_MOST_BATCHES):
            batch = await take_batch(after)
            taken += len(batch)
            if len(batch) < self._pace.batch:
                break
            after = batch[-1].id
            # As long as it took: half of the time is left to requests, here and where all this is heard of.
            await asyncio.sleep(time.monotonic() - began)
            began = time.monotonic()
        if taken:
            # Who was alone has not waited; those who come meanwhile go together, however many commits they are.
            rest = _REST * (time.monotonic() - began)
            await asyncio.sleep(min(max(rest, _SHORTEST_REST), _LONGEST_REST))
        return taken

    async def _dispatch_batch(self, after: UUID) -> list[Shipment]:
        due = first_uuid7_at(datetime.now(UTC) - self._pace.dispatch_after)
        claimed = await self._dispatching.claim_waiting(after=after, before=due, limit=self._pace.batch, by=AUTOPILOT)
        if claimed:
            with working_for([shipment.traceparent for shipment in claimed]):
                await self._process(claimed)
        return claimed

    @step("DeliveryService", "processShipment")
    async def _process(self, claimed: Sequence[Shipment]) -> list[Outcome]:
        return await self._dispatching.pursue(claimed)

    async def _deliver_batch(self, after: UUID) -> list[Shipment]:
        shipped_before = datetime.now(UTC) - self._pace.deliver_after
        async with self._database.begin() as session:
            on_their_way = await take_on_their_way(
                session,
                shipped_before=shipped_before,
                after=after,
                before=first_uuid7_at(shipped_before),
                limit=self._pace.batch,
            )
            if on_their_way:
                await deliver_unseen(session, on_their_way, AUTOPILOT)
        return on_their_way
