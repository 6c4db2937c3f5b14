"""What Sales does when Delivery tells of single parcels: it keeps how they stand, and tells of each that leaves."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.consumer import Postponed, Received
from chassis.statements import ID, with_arrays
from chassis.tracing import traceparents
from contracts.delivery.shipments import ShipmentStatus, ShipmentUpdated
from contracts.sales.orders import OrderStatus

from .departing import Departure, tell_of_departures
from .storing import save

_NOT_SHIPPED_YET: Final = {OrderStatus.PENDING, OrderStatus.PENDING_SHIPMENT, OrderStatus.CONFIRMED}
# Not locked: an order does not cease to be there, and one that has left does not come back to where it was.
_ORDERS = with_arrays("SELECT id, customer_id, status FROM orders WHERE id = ANY(:ids)", ids=ID)


async def follow_parcels(session: AsyncSession, told: Sequence[Received[ShipmentUpdated]]) -> list[Postponed]:
    """What is repeated, or older than what is known of a parcel, changes nothing."""
    orders = await _orders_of(session, told)
    heard, departures, postponed = list[ShipmentUpdated](), list[Departure](), list[Postponed]()
    for one, trace in zip(told, traceparents(), strict=True):
        order = orders.get(one.event.order_id)
        if order is None or _is_too_early(one.event, order):
            postponed.append(Postponed(one.event_id, _why(order)))
            continue
        heard.append(one.event)
        if one.event.status == ShipmentStatus.SHIPPED:
            left_at = one.event.shipped_at or one.timestamp
            departures.append(Departure(one.event, order.customer_id, left_at, trace))
    if heard:
        await save(session, heard)
    if departures:
        await tell_of_departures(session, departures)
    return postponed


async def _orders_of(session: AsyncSession, told: Sequence[Received[ShipmentUpdated]]) -> Mapping[UUID, Row[Any]]:
    rows = await session.execute(_ORDERS, {"ids": list({one.event.order_id for one in told})})
    return {row.id: row for row in rows}


def _is_too_early(news: ShipmentUpdated, order: Row[Any]) -> bool:
    """Customers do not hear of a further parcel before they hear of the first."""
    is_further = news.status == ShipmentStatus.SHIPPED and not news.is_first_to_leave
    return is_further and order.status in _NOT_SHIPPED_YET


def _why(order: Row[Any] | None) -> str:
    if order is None:
        return "There is no such order here."
    return f"The order is {order.status}; that its first parcel has left has not been heard of yet."
