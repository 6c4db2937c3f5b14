"""What it comes to when a parcel has arrived: one of which somebody says so, or many of which nobody says anything."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.outbox import publish
from chassis.steps import step
from chassis.tracing import working_for
from contracts.delivery.shipments import OrderStatusUpdated
from contracts.sales.orders import OrderStatus

from .model import DELIVERED, Shipment, has_arrived
from .siblings import Parcels, take_orders_at_hand
from .storing import save
from .telling import tell_of_change

FRONT_DOOR: Final = "Front door"


def arrive(
    session: AsyncSession,
    shipment: Shipment,
    parcels: Parcels,
    *,
    at: datetime | None,
    location: str | None,
    proof: Mapping[str, Any] | None,
    by: str,
) -> None:
    """With the last of its parcels the order has arrived."""
    before = shipment.status
    _deliver(session, shipment, parcels, at, location, proof)
    assert shipment.delivered_at is not None
    after = {"status": DELIVERED, "delivered_at": shipment.delivered_at.isoformat()}
    record(session, by, "shipment.delivered", shipment.id, before={"status": before}, after=after)


async def deliver_unseen(session: AsyncSession, on_their_way: Sequence[Shipment], by: str) -> None:
    """Each belongs to its own order's trace. Those at whose siblings somebody is wait until the next time."""
    several = {shipment.order_id for shipment in on_their_way if shipment.parcels > 1}
    orders = await take_orders_at_hand(session, several) if several else {}
    delivered = []
    for shipment, parcels in _with_siblings(on_their_way, orders):
        with working_for([shipment.traceparent]):
            _arrive_unseen(session, shipment, parcels, by)
        delivered.append(shipment)
    if delivered:
        await save(session, delivered)


@step("DeliveryService", "packageDelivered")
def _arrive_unseen(session: AsyncSession, shipment: Shipment, parcels: Parcels, by: str) -> None:
    arrive(session, shipment, parcels, at=None, location=FRONT_DOOR, proof=None, by=by)


def _with_siblings(on_their_way: Sequence[Shipment], orders: Mapping[Any, Parcels]) -> list[tuple[Shipment, Parcels]]:
    together = {parcel.id: (parcel, parcels) for parcels in orders.values() for parcel in parcels}
    return [
        (shipment, [shipment]) if shipment.parcels == 1 else together[shipment.id]
        for shipment in on_their_way
        if shipment.parcels == 1 or shipment.id in together
    ]


@step("OrderAggregate", "deliver")
def _deliver(
    session: AsyncSession,
    shipment: Shipment,
    parcels: Parcels,
    at: datetime | None,
    location: str | None,
    proof: Mapping[str, Any] | None,
) -> None:
    now = datetime.now(UTC)
    shipment.deliver(at or now, location, proof, now=now)
    if has_arrived(parcels):
        publish(
            session,
            OrderStatusUpdated(
                order_id=shipment.order_id,
                previous_status=OrderStatus.SHIPPED,
                current_status=OrderStatus.DELIVERED,
                delivered_at=shipment.delivered_at,
                delivery_location=shipment.delivery_location,
            ),
        )
    tell_of_change(session, shipment)
