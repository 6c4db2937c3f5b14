"""Dispatching, a journey: claim, have the stock deducted at Product, ship. What stops half-way is finished by a job."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from chassis.db import Database
from chassis.errors import Conflict, Refused, Unavailable
from chassis.failpoints import failpoint
from chassis.steps import step
from chassis.telemetry import logger
from chassis.tracing import working_for
from contracts.delivery import Dispatch
from contracts.product.inventory import ReservationState

from .model import Shipment
from .shipping import Outcome, ship_or_stop
from .stock import Stock
from .storing import save, take, take_abandoned, take_all, take_waiting
from .tracking import new_tracking_number

_BATCH = 200

log = logger("dispatching")


class DuplicateTrackingNumber(Conflict):
    code = "DUPLICATE_TRACKING_NUMBER"

    def __init__(self) -> None:
        super().__init__(
            "Another parcel of this carrier has this tracking number.",
            [{"field": "tracking_number", "message": "This is in use."}],
        )


class Dispatching:
    def __init__(self, database: Database, stock: Stock, *, house_carrier: str, lease: timedelta) -> None:
        self._database = database
        self._stock = stock
        self._house_carrier = house_carrier
        self._lease = lease

    @step("OrderService", "shipOrder")
    async def dispatch(self, shipment_id: UUID, wanted: Dispatch, by: str) -> Shipment:
        claimed = await self._claim(shipment_id, wanted, by)
        [outcome] = await self.pursue([claimed])
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def claim_waiting(self, *, after: UUID, before: UUID, limit: int, by: str) -> list[Shipment]:
        """For whoever dispatches many: those that nobody is at, with the house's carrier."""
        async with self._database.begin() as session:
            waiting = await take_waiting(session, after=after, before=before, limit=limit)
            for shipment in waiting:
                self._write_down(shipment, Dispatch(), by)
            if waiting:
                await save(session, waiting)
        return waiting

    async def pursue(self, claimed: Sequence[Shipment]) -> list[Outcome]:
        """While Product does not answer nothing is done, and the shipments are ready for another try at once."""
        await failpoint("delivery.dispatch.claimed")
        try:
            states = await self._deduct(claimed)
        except Unavailable:
            await self._give_back(claimed)
            raise
        return await self._end(claimed, states)

    async def finish_abandoned(self) -> int:
        """Ships what somebody began to dispatch and did not finish, as it was written down then."""
        finished = 0
        while abandoned := await self._take_up():
            with working_for([shipment.traceparent for shipment in abandoned]):
                # Not given back if this fails: the lease paces the next try, and what was written down stays.
                await self._end(abandoned, await self._deduct(abandoned))
            log.warning("dispatches_finished", count=len(abandoned))
            finished += len(abandoned)
        return finished

    async def _claim(self, shipment_id: UUID, wanted: Dispatch, by: str) -> Shipment:
        try:
            async with self._database.begin() as session:
                shipment = await take(session, shipment_id)
                self._write_down(shipment, wanted, by)
                await save(session, [shipment])
                await failpoint("delivery.dispatch.claiming")
        except IntegrityError as error:
            if "uq_shipments_carrier_tracking_number" in str(error.orig):
                raise DuplicateTrackingNumber from None
            raise
        return shipment

    def _write_down(self, shipment: Shipment, wanted: Dispatch, by: str) -> None:
        now = datetime.now(UTC)
        carrier = wanted.carrier or self._house_carrier
        tracking_number = wanted.tracking_number or new_tracking_number()
        shipment.claim(carrier, tracking_number, by=by, now=now, until=now + self._lease)

    async def _deduct(self, claimed: Sequence[Shipment]) -> dict[UUID, ReservationState | None]:
        return await self._stock.deduct([shipment.reservation_id for shipment in claimed])

    async def _end(self, claimed: Sequence[Shipment], states: dict[UUID, ReservationState | None]) -> list[Outcome]:
        await failpoint("delivery.dispatch.deducted")
        async with self._database.begin() as session:
            outcomes = await ship_or_stop(session, claimed, states)
            await failpoint("delivery.dispatch.shipping")
        await failpoint("delivery.dispatch.shipped")
        return outcomes

    async def _give_back(self, claimed: Sequence[Shipment]) -> None:
        async with self._database.begin() as session:
            current = await take_all(session, [shipment.id for shipment in claimed])
            ours = [current[claim.id] for claim in claimed if current[claim.id].is_claimed_by(claim)]
            for shipment in ours:
                shipment.give_back()
            if ours:
                await save(session, ours)

    async def _take_up(self) -> list[Shipment]:
        now = datetime.now(UTC)
        async with self._database.begin() as session:
            abandoned = await take_abandoned(session, now=now, limit=_BATCH)
            for shipment in abandoned:
                shipment.take_up(until=now + self._lease)
            if abandoned:
                await save(session, abandoned)
        return abandoned
