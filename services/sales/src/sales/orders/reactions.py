"""What Sales does when something happened elsewhere, in the order of an order's life."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.consumer import Postponed, Received
from chassis.outbox import publish
from chassis.steps import step
from chassis.tracing import traceparents, working_for
from contracts.delivery.shipments import OrderStatusUpdated
from contracts.sales.orders import OrderDelivered, OrderShipped, OrderStatus

from .model import Order, Origin, TooEarly, Tracking
from .writing import save_orders, take_orders


async def follow_shipments(
    session: AsyncSession, reports: Sequence[Received[OrderStatusUpdated]]
) -> Sequence[Postponed]:
    """A repeated status is a no-op, an older one is recorded as refused, one that skips a step is postponed."""
    orders = await take_orders(session, [report.event.order_id for report in reports])
    postponed = []
    for report, trace in zip(reports, traceparents(), strict=True):
        order = orders.get(report.event.order_id)
        if order is None:
            postponed.append(Postponed(report.event_id, "There is no such order here."))
            continue
        with working_for([trace]):
            try:
                _follow(session, order, report)
            except TooEarly as early:
                postponed.append(Postponed(report.event_id, str(early)))
    await save_orders(session, orders.values())
    return postponed


def _follow(session: AsyncSession, order: Order, report: Received[OrderStatusUpdated]) -> None:
    origin = Origin(report.event.source, datetime.now(UTC), report.event_id)
    wanted = report.event.current_status
    if not order.hears_of(wanted, origin):
        return
    match wanted:
        case OrderStatus.SHIPPED:
            _ship(session, order, report, origin)
        case OrderStatus.DELIVERED:
            _deliver(session, order, report, origin)
        case _:
            order.refuse(wanted, origin, f"That an order is {wanted} is not for a shipment to say.")


@step("OrderAggregate", "ship")
def _ship(session: AsyncSession, order: Order, report: Received[OrderStatusUpdated], origin: Origin) -> None:
    event = report.event
    at = event.shipped_at or report.timestamp
    order.ship(origin, Tracking(event.tracking_number, event.carrier, event.tracking_url), at)
    publish(
        session,
        OrderShipped(
            order_id=order.id,
            customer_id=order.customer_id,
            tracking_number=event.tracking_number,
            carrier=event.carrier,
            tracking_url=event.tracking_url,
            shipped_at=at,
        ),
    )


@step("OrderAggregate", "deliver")
def _deliver(session: AsyncSession, order: Order, report: Received[OrderStatusUpdated], origin: Origin) -> None:
    event = report.event
    at = event.delivered_at or report.timestamp
    order.deliver(origin, at=at, location=event.delivery_location)
    publish(
        session,
        OrderDelivered(
            order_id=order.id,
            customer_id=order.customer_id,
            delivered_at=at,
            delivery_location=event.delivery_location,
        ),
    )
