"""The end of a dispatch, in one transaction: what Product has deducted is shipped, what it will not give is stopped."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import wakes
from chassis.errors import Conflict, Refused
from chassis.outbox import publish
from chassis.steps import step
from chassis.telemetry import logger
from chassis.tracing import traceparents, working_for
from contracts.delivery.shipments import OrderStatusUpdated
from contracts.product.inventory import ReservationState
from contracts.sales.orders import OrderStatus

from .model import READY, SHIPPED, STOPPED, BeingDispatched, InvalidStatusTransition, Shipment, has_left
from .siblings import Parcels, take_orders
from .storing import TO_DELIVER, save
from .telling import tell_of_change

log = logger("shipping")

Outcome = Shipment | Refused


class ReservationReleased(Conflict):
    code = "RESERVATION_RELEASED"

    def __init__(self) -> None:
        super().__init__("The stock of this order was given back; the parcel must not leave.")


class NotReserved(Conflict):
    def __init__(self) -> None:
        super().__init__(
            "Product holds no stock for this order, so none could be deducted. The shipment stays as it is."
        )


async def ship_or_stop(
    session: AsyncSession, claimed: Sequence[Shipment], states: dict[UUID, ReservationState | None]
) -> list[Outcome]:
    """One outcome per claimed shipment, in their order."""
    orders = await take_orders(session, {claim.order_id for claim in claimed})
    now = datetime.now(UTC)
    outcomes: list[Outcome] = []
    changed = []
    for claim, trace in zip(claimed, _traces(claimed), strict=True):
        parcels = orders[claim.order_id]
        shipment = next(parcel for parcel in parcels if parcel.id == claim.id)
        with working_for([trace]):
            if shipment.is_claimed_by(claim):
                outcomes.append(_settle(session, shipment, parcels, states.get(shipment.reservation_id), now))
                changed.append(shipment)
            else:
                outcomes.append(_overtaken(shipment, claim))
    if changed:
        await save(session, changed)
    return outcomes


def _traces(claimed: Sequence[Shipment]) -> Sequence[str]:
    """Whoever asks for many has one trace for all of them; without a caller's, each fate belongs to its own order's."""
    traces = traceparents() or [claim.traceparent for claim in claimed]
    return traces if len(traces) == len(claimed) else [traces[0]] * len(claimed)


def _overtaken(shipment: Shipment, claim: Shipment) -> Outcome:
    if shipment.status == READY:
        return BeingDispatched()
    if (shipment.carrier, shipment.tracking_number) == (claim.carrier, claim.tracking_number):
        return shipment  # finished for us, just as it was written down
    return InvalidStatusTransition(shipment.status, SHIPPED)


def _settle(
    session: AsyncSession, shipment: Shipment, parcels: Parcels, state: ReservationState | None, now: datetime
) -> Outcome:
    by = shipment.dispatched_by or ""
    match state:
        case ReservationState.DEDUCTED:
            _ship(session, shipment, parcels, now)
            done = {"status": SHIPPED, "carrier": shipment.carrier, "tracking_number": shipment.tracking_number}
            record(session, by, "shipment.dispatched", shipment.id, before={"status": READY}, after=done)
            return shipment
        case ReservationState.RELEASED | ReservationState.REFUSED:
            refused = ReservationReleased()
            shipment.stop(refused.message)
            stopped = {"status": STOPPED, "stop_reason": refused.message}
            record(session, by, "shipment.stopped", shipment.id, before={"status": READY}, after=stopped)
            return refused
        case _:
            log.error("reservation_not_deducted", shipment_id=str(shipment.id), state=state)
            shipment.give_back()
            return NotReserved()


@step("OrderAggregate", "ship")
def _ship(session: AsyncSession, shipment: Shipment, parcels: Parcels, now: datetime) -> None:
    is_first = not has_left(parcels)
    shipment.ship(now)
    wakes(session, TO_DELIVER)
    if is_first:
        publish(
            session,
            OrderStatusUpdated(
                order_id=shipment.order_id,
                previous_status=shipment.order_status,
                current_status=OrderStatus.SHIPPED,
                tracking_number=shipment.tracking_number,
                carrier=shipment.carrier,
                tracking_url=shipment.tracking_url,
            ),
        )
    tell_of_change(session, shipment, is_first_to_leave=is_first)
