"""Takes all parcels of an order together, locked: what becomes of one may make the order SHIPPED or DELIVERED."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from .model import Shipment
from .storing import IDS, IN_ORDER, no_such_shipment, taken
from .tables import shipments

Parcels = list[Shipment]
"""All of one order's, locked, by number."""

_one = shipments.alias("one")


def _of_the_order_of(condition: ColumnElement[bool]) -> Select[Any]:
    return IN_ORDER.where(shipments.c.order_id == select(_one.c.order_id).where(condition).scalar_subquery())


_BY_ORDERS = IN_ORDER.where(shipments.c.order_id == IDS)
_BY_ID = _of_the_order_of(_one.c.id == bindparam("id"))
_BY_LABEL = _of_the_order_of(
    (func.lower(_one.c.carrier) == func.lower(bindparam("carrier"))) & (_one.c.tracking_number == bindparam("number"))
)


async def take_orders(session: AsyncSession, order_ids: Collection[UUID]) -> dict[UUID, Parcels]:
    """Those that have a parcel already."""
    return await _all_of(session, _BY_ORDERS, ids=list(order_ids))


async def take_orders_at_hand(session: AsyncSession, order_ids: Collection[UUID]) -> dict[UUID, Parcels]:
    """Those of which nobody else is at any parcel: for whoever holds some already, and so must not wait for others."""
    found = await taken(session, _BY_ORDERS.with_for_update(skip_locked=True), ids=list(order_ids))
    return {order_id: parcels for order_id, parcels in _by_order(found).items() if _is_all(parcels)}


async def take_with_siblings(session: AsyncSession, shipment_id: UUID) -> tuple[Shipment, Parcels]:
    for parcels in (await _all_of(session, _BY_ID, id=shipment_id)).values():
        return next(parcel for parcel in parcels if parcel.id == shipment_id), parcels
    raise no_such_shipment()


async def take_tracked(session: AsyncSession, carrier: str, tracking_number: str) -> tuple[Shipment, Parcels] | None:
    """However the carrier's name is written."""
    for parcels in (await _all_of(session, _BY_LABEL, carrier=carrier, number=tracking_number)).values():
        # Looked at again, now that it is ours: its label may have been taken off while we waited.
        for parcel in parcels:
            if parcel.tracking_number == tracking_number and (parcel.carrier or "").casefold() == carrier.casefold():
                return parcel, parcels
    return None


async def _all_of(session: AsyncSession, query: Select[Any], **which: Any) -> dict[UUID, Parcels]:
    locking = query.with_for_update()
    orders = _by_order(await taken(session, locking, **which))
    if not all(map(_is_all, orders.values())):
        # One was split while we waited for it. A statement sees none that are younger than itself; the next one does,
        # and there is no third: to split a parcel takes all that we hold now.
        orders = _by_order(await taken(session, locking, **which))
    return orders


def _by_order(found: Iterable[Shipment]) -> dict[UUID, Parcels]:
    orders: defaultdict[UUID, Parcels] = defaultdict(list)
    for shipment in found:
        orders[shipment.order_id].append(shipment)
    return dict(orders)


def _is_all(parcels: Parcels) -> bool:
    return len(parcels) == parcels[0].parcels
