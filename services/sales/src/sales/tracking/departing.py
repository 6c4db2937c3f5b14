"""Tells of each further parcel that leaves: once, however often and in whichever order it is heard of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.outbox import publish
from chassis.statements import ID, INSTANT, INTEGER, with_arrays
from contracts.delivery.shipments import ShipmentUpdated
from contracts.sales.orders import OrderParcelShipped, ParcelItem

from .naming import named, names_of

_ANNOUNCE = with_arrays(
    """
    UPDATE order_parcels SET announced_at = departures.at
    FROM unnest(:orders, :numbers, :ats) AS departures (order_id, number, at)
    WHERE order_parcels.order_id = departures.order_id AND order_parcels.number = departures.number
        AND coalesce(announced_at, '-infinity') < departures.at
    RETURNING order_parcels.order_id, order_parcels.number
    """,
    orders=ID,
    numbers=INTEGER,
    ats=INSTANT,
)


@dataclass(frozen=True, slots=True)
class Departure:
    """`at` tells it from others of the same parcel: what came back can be sent again."""

    news: ShipmentUpdated
    customer_id: str
    at: datetime
    traceparent: str


async def tell_of_departures(session: AsyncSession, departures: Sequence[Departure]) -> None:
    """Of the first to leave the order itself has told. The rows of the parcels are there, and locked by us."""
    last = {(one.news.order_id, one.news.number): one for one in sorted(departures, key=lambda one: one.at)}
    parameters = {
        "orders": [order_id for order_id, _ in last],
        "numbers": [number for _, number in last],
        "ats": [one.at for one in last.values()],
    }
    new = [last[row.order_id, row.number] for row in await session.execute(_ANNOUNCE, parameters)]
    further = [one for one in new if not one.news.is_first_to_leave]
    if further:
        names = await names_of(session, {one.news.order_id for one in further})
        for one in further:
            items = named(one.news.items, names[one.news.order_id])
            publish(session, _shipped(one, items), traceparent=one.traceparent)


def _shipped(one: Departure, items: list[ParcelItem]) -> OrderParcelShipped:
    return OrderParcelShipped(
        order_id=one.news.order_id,
        customer_id=one.customer_id,
        shipment_id=one.news.shipment_id,
        items=items,
        tracking_number=one.news.tracking_number,
        carrier=one.news.carrier,
        tracking_url=one.news.tracking_url,
        shipped_at=one.at,
    )
