"""Puts shipments into the database and takes them out, locked, to change them: lists in and out, in one statement."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from chassis.statements import ID, INSTANT, TEXT, with_arrays
from contracts.delivery import ShipmentStatus
from contracts.sales.orders import OrderStatus

from .model import READY, SHIPPED, Shipment
from .tables import shipments

FIRST: Final = UUID(int=0)
"""Before all ids."""

_PREPARED: Mapping[str, Any] = {
    "id": ID,
    "order_id": ID,
    "reservation_id": ID,
    "status": TEXT,
    "order_status": TEXT,
    "items": TEXT,
    "shipping_address": TEXT,
    "created_at": INSTANT,
    "traceparent": TEXT,
}
_CHANGING: Mapping[str, Any] = {
    "id": ID,
    "status": TEXT,
    "order_status": TEXT,
    "carrier": TEXT,
    "tracking_number": TEXT,
    "dispatching_until": INSTANT,
    "dispatched_by": TEXT,
    "shipped_at": INSTANT,
    "delivered_at": INSTANT,
    "delivery_location": TEXT,
    "stop_reason": TEXT,
}

# In the order of their keys: two replicas that hear of the same orders wait for each other instead of dying together.
_PREPARE = with_arrays(
    f"""
    INSERT INTO shipments ({", ".join(_PREPARED)})
    SELECT id, order_id, reservation_id, status, order_status, items::jsonb, shipping_address::jsonb, created_at,
        traceparent
    FROM unnest({", ".join(f":{name}" for name in _PREPARED)}) AS new ({", ".join(_PREPARED)}) ORDER BY order_id
    ON CONFLICT (order_id) DO NOTHING
    """,
    **_PREPARED,
)
_SAVE = with_arrays(
    f"""
    UPDATE shipments SET {", ".join(f"{name} = new.{name}" for name in _CHANGING if name != "id")}
    FROM unnest({", ".join(f":{name}" for name in _CHANGING)}) AS new ({", ".join(_CHANGING)})
    WHERE shipments.id = new.id
    """,
    **_CHANGING,
)

_IN_ORDER = select(shipments).order_by(shipments.c.id)
_IDS = any_(bindparam("ids", type_=ARRAY(ID)))
_BY_IDS = _IN_ORDER.where(shipments.c.id == _IDS).with_for_update()
_BY_ORDERS = _IN_ORDER.where(shipments.c.order_id == _IDS).with_for_update()


async def prepare(session: AsyncSession, new: Sequence[Mapping[str, Any]]) -> None:
    """An order that has a shipment already keeps that one."""
    await session.execute(_PREPARE, {name: [row[name] for row in new] for name in _PREPARED})


async def take(session: AsyncSession, shipment_id: UUID) -> Shipment:
    found = await take_all(session, [shipment_id])
    if not found:
        raise NotFound("There is no such shipment.")
    return found[shipment_id]


async def take_all(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Shipment]:
    return {shipment.id: shipment for shipment in await _taken(session, _BY_IDS, ids=list(ids))}


async def take_of_orders(session: AsyncSession, order_ids: Collection[UUID]) -> dict[UUID, Shipment]:
    """By their orders: those that have a shipment already."""
    return {shipment.order_id: shipment for shipment in await _taken(session, _BY_ORDERS, ids=list(order_ids))}


async def take_tracked(session: AsyncSession, carrier: str, tracking_number: str) -> Shipment | None:
    """However the carrier's name is written."""
    tracked = _IN_ORDER.where(
        func.lower(shipments.c.carrier) == func.lower(carrier), shipments.c.tracking_number == tracking_number
    )
    found = await _taken(session, tracked.with_for_update())
    return found[0] if found else None


async def take_waiting(session: AsyncSession, *, after: UUID, before: UUID, limit: int) -> list[Shipment]:
    """Those that nobody dispatches, oldest first; `after` and `before` are ids, which ascend with the time."""
    waiting = _page(limit, shipments.c.status == READY, shipments.c.dispatching_until.is_(None))
    return await _taken(session, waiting.where(shipments.c.id > after, shipments.c.id < before))


async def take_abandoned(session: AsyncSession, *, now: datetime, limit: int) -> list[Shipment]:
    """Those whose dispatch was begun and not finished in time."""
    return await _taken(session, _page(limit, shipments.c.status == READY, shipments.c.dispatching_until < now))


async def take_on_their_way(
    session: AsyncSession, *, shipped_before: datetime, after: UUID, before: UUID, limit: int
) -> list[Shipment]:
    on_their_way = _page(limit, shipments.c.status == SHIPPED, shipments.c.shipped_at <= shipped_before)
    return await _taken(session, on_their_way.where(shipments.c.id > after, shipments.c.id < before))


async def save(session: AsyncSession, changed: Sequence[Shipment]) -> None:
    await session.execute(_SAVE, {name: [getattr(shipment, name) for shipment in changed] for name in _CHANGING})


def as_shipment(row: RowMapping) -> Shipment:
    known = {"status": ShipmentStatus(row["status"]), "order_status": OrderStatus(row["order_status"])}
    return Shipment(**{**row, **known})


def _page(limit: int, *conditions: ColumnElement[bool]) -> Select[Any]:
    """What another replica is at already is passed over."""
    return _IN_ORDER.where(*conditions).limit(limit).with_for_update(skip_locked=True)


async def _taken(session: AsyncSession, query: Select[Any], **parameters: Any) -> list[Shipment]:
    """Locked until the transaction ends."""
    return [as_shipment(row) for row in (await session.execute(query, parameters)).mappings()]
