"""Confirming deliveries: by the staff, by a carrier's report, or of many parcels at once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.errors import NotFound
from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.steps import step
from chassis.tracing import working_for
from contracts.delivery import ConfirmDelivery, OrderStatusUpdated
from contracts.sales.orders import OrderStatus

from .model import DELIVERED, SHIPPED, Shipment
from .storing import save, take, take_tracked

FRONT_DOOR: Final = "Front door"


class UnknownParcel(NotFound):
    """The carrier has, or says that it has, a parcel that is not ours."""


@step("OrderService", "deliveryConfirmation")
async def confirm(session: AsyncSession, shipment_id: UUID, report: ConfirmDelivery, by: str) -> Shipment:
    """Repeating it changes nothing and publishes nothing."""
    return await _confirm(session, await take(session, shipment_id), report, by)


@step("OrderService", "deliveryConfirmation")
async def confirm_tracked(
    session: AsyncSession, carrier: str, tracking_number: str, report: ConfirmDelivery, by: str
) -> Shipment:
    """As `confirm`, for those who know the parcel by its tracking number only."""
    return await _confirm(session, await _find(session, carrier, tracking_number), report, by)


async def deliver_unseen(session: AsyncSession, on_their_way: Sequence[Shipment], by: str) -> None:
    """Delivers many parcels of which nobody has reported anything; each belongs to its own order's trace."""
    now = datetime.now(UTC)
    for shipment in on_their_way:
        with working_for([shipment.traceparent]):
            _deliver(session, shipment, ConfirmDelivery(delivery_location=FRONT_DOOR), now)
            _audit(session, shipment, by)
    await save(session, on_their_way)


async def _confirm(session: AsyncSession, shipment: Shipment, report: ConfirmDelivery, by: str) -> Shipment:
    if shipment.status != DELIVERED:
        _deliver(session, shipment, report, datetime.now(UTC))
        _audit(session, shipment, by)
        await save(session, [shipment])
        await failpoint("delivery.confirm.delivered")
    return shipment


@step("OrderAggregate", "findOrderByTracking")
async def _find(session: AsyncSession, carrier: str, tracking_number: str) -> Shipment:
    shipment = await take_tracked(session, carrier, tracking_number)
    if shipment is None:
        raise UnknownParcel("There is no parcel of this carrier with this tracking number.")
    return shipment


@step("OrderAggregate", "deliver")
def _deliver(session: AsyncSession, shipment: Shipment, report: ConfirmDelivery, now: datetime) -> None:
    shipment.deliver(report.delivered_at or now, report.delivery_location, now=now)
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


def _audit(session: AsyncSession, shipment: Shipment, by: str) -> None:
    assert shipment.delivered_at is not None
    after = {"status": DELIVERED, "delivered_at": shipment.delivered_at.isoformat()}
    record(session, by, "shipment.delivered", shipment.id, before={"status": SHIPPED}, after=after)
