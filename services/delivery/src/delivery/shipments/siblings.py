"""Takes all parcels of an order together, locked: what becomes of one may make the order SHIPPED or DELIVERED."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.statements import ID, TEXT

from .model import Shipment
from .storing import no_such_shipment, taken, taking

Parcels = list[Shipment]
"""All of one order's, locked, by number."""

_OF_ONE: Final = "order_id = (SELECT one.order_id FROM shipments AS one WHERE {})"
_BY_ORDERS: Final = "order_id = ANY(:ids)"

_OF_ORDERS = taking(_BY_ORDERS, ids=ARRAY(ID))
_OF_ORDERS_AT_HAND = taking(_BY_ORDERS, "ORDER BY order_id, number FOR UPDATE SKIP LOCKED", ids=ARRAY(ID))
_BESIDE = taking(_OF_ONE.format("one.id = :id"), id=ID)
_BESIDE_LABELLED = taking(
    _OF_ONE.format("lower(one.carrier) = lower(:carrier) AND one.tracking_number = :number"),
    carrier=TEXT,
    number=TEXT,
)


async def take_orders(session: AsyncSession, order_ids: Collection[UUID]) -> dict[UUID, Parcels]:
    """Those that have a parcel already."""
    return await _all_of(session, _OF_ORDERS, ids=list(order_ids))


async def take_orders_at_hand(session: AsyncSession, order_ids: Collection[UUID]) -> dict[UUID, Parcels]:
    """Those of which nobody else is at any parcel: for whoever holds some already, and so must not wait for others."""
    found = await taken(session, _OF_ORDERS_AT_HAND, ids=list(order_ids))
    return {order_id: parcels for order_id, parcels in _by_order(found).items() if _is_all(parcels)}


async def take_with_siblings(session: AsyncSession, shipment_id: UUID) -> tuple[Shipment, Parcels]:
    for parcels in (await _all_of(session, _BESIDE, id=shipment_id)).values():
        return next(parcel for parcel in parcels if parcel.id == shipment_id), parcels
    raise no_such_shipment()


async def take_tracked(session: AsyncSession, carrier: str, tracking_number: str) -> tuple[Shipment, Parcels] | None:
    """However the carrier's name is written."""
    for parcels in (await _all_of(session, _BESIDE_LABELLED, carrier=carrier, number=tracking_number)).values():
        # Looked at again, now that it is ours: its label may have been taken off while we waited.
        for parcel in parcels:
            if parcel.tracking_number == tracking_number and (parcel.carrier or "").casefold() == carrier.casefold():
                return parcel, parcels
    return None


async def _all_of(session: AsyncSession, locking: TextClause, **which: Any) -> dict[UUID, Parcels]:
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
