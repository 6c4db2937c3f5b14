"""Dispatching, a journey: claim, have the stock deducted at Product, ship. What stops half-way is finished by a job."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from chassis.db import Database
from chassis.errors import Refused, Unavailable
from chassis.failpoints import failpoint
from chassis.steps import step
from chassis.telemetry import logger
from chassis.tracing import working_for
from contracts.delivery.shipments import Dispatch
from contracts.product.inventory import ReservationState
from delivery.carriers.book import Carriers

from .claiming import Claiming
from .model import Shipment
from .shipping import Outcome, ship_or_stop
from .stock import Stock

log = logger("dispatching")


class Dispatching:
    def __init__(self, database: Database, stock: Stock, *, carriers: Carriers, lease: timedelta) -> None:
        self._database = database
        self._stock = stock
        self._claiming = Claiming(database, carriers, lease)

    @step("OrderService", "shipOrder")
    async def dispatch(self, shipment_id: UUID, wanted: Dispatch, by: str) -> Shipment:
        claimed = await self._claiming.claim(shipment_id, wanted, by)
        [outcome] = await self.pursue([claimed])
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    @step("OrderService", "shipOrder")
    async def dispatch_many(self, wanted: Sequence[tuple[UUID, Dispatch]], by: str) -> list[Outcome]:
        """One outcome for each, in their order; at most 500, as many as Product takes at once."""
        claims = await self._claiming.claim_many(wanted, by)
        claimed = [claim for claim in claims if isinstance(claim, Shipment)]
        pursued = iter(await self.pursue(claimed) if claimed else [])
        return [next(pursued) if isinstance(claim, Shipment) else claim for claim in claims]

    async def claim_waiting(self, *, after: UUID, before: UUID, limit: int, by: str) -> list[Shipment]:
        """For whoever dispatches many: those that nobody is at, with the house's carrier."""
        return await self._claiming.claim_waiting(after=after, before=before, limit=limit, by=by)

    async def pursue(self, claimed: Sequence[Shipment]) -> list[Outcome]:
        """While Product does not answer nothing is done, and the shipments are ready for another try at once."""
        await failpoint("delivery.dispatch.claimed")
        try:
            states = await self._deduct(claimed)
        except Unavailable:
            await self._claiming.give_back(claimed)
            raise
        return await self._end(claimed, states)

    async def finish_abandoned(self) -> int:
        """Ships what somebody began to dispatch and did not finish, as it was written down then."""
        finished = 0
        while abandoned := await self._claiming.take_up_abandoned():
            with working_for([shipment.traceparent for shipment in abandoned]):
                # Not given back if this fails: the lease paces the next try, and what was written down stays.
                await self._end(abandoned, await self._deduct(abandoned))
            log.warning("dispatches_finished", count=len(abandoned))
            finished += len(abandoned)
        return finished

    async def _deduct(self, claimed: Sequence[Shipment]) -> dict[UUID, ReservationState | None]:
        # One each, although parcels of one order have the same: each stands for the trace of its own.
        return await self._stock.deduct([shipment.reservation_id for shipment in claimed])

    async def _end(self, claimed: Sequence[Shipment], states: dict[UUID, ReservationState | None]) -> list[Outcome]:
        await failpoint("delivery.dispatch.deducted")
        async with self._database.begin() as session:
            outcomes = await ship_or_stop(session, claimed, states)
            await failpoint("delivery.dispatch.shipping")
        await failpoint("delivery.dispatch.shipped")
        return outcomes
