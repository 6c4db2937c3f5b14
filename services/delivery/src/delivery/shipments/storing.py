"""Puts shipments into the database and takes them out, locked, to change them: lists in and out, in one statement."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, any_, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from chassis.statements import ID, INSTANT, INTEGER, TEXT, with_arrays
from chassis.steps import step
from contracts.delivery.shipments import ShipmentStatus
from contracts.sales.orders import OrderStatus

from .model import READY, SHIPPED, Shipment
from .tables import shipments

FIRST: Final = UUID(int=0)
"""Before all ids."""
TO_DISPATCH: Final = "parcels_to_dispatch"
"""What there is to do when parcels have become ready; not when they are so again, because they could not leave."""
TO_DELIVER: Final = "parcels_to_deliver"
"""What there is to do when parcels have left."""

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
    "version": INTEGER,
    "status": TEXT,
    "order_status": TEXT,
    "carrier": TEXT,
    "tracking_number": TEXT,
    "tracking_url": TEXT,
    "dispatching_until": INSTANT,
    "dispatched_by": TEXT,
    "shipped_at": INSTANT,
    "delivered_at": INSTANT,
    "delivery_location": TEXT,
    "proof": TEXT,
    "stop_reason": TEXT,
}
_READ: Final = {"proof": "new.proof::jsonb"}

# In the order of their keys: two replicas that hear of the same orders wait for each other instead of dying together.
_PREPARE = with_arrays(
    f"""
    INSERT INTO shipments ({", ".join(_PREPARED)})
    SELECT id, order_id, reservation_id, status, order_status, items::jsonb, shipping_address::jsonb, created_at,
        traceparent
    FROM unnest({", ".join(f":{name}" for name in _PREPARED)}) AS new ({", ".join(_PREPARED)}) ORDER BY order_id
    ON CONFLICT (order_id, number) DO NOTHING
    """,
    **_PREPARED,
)
_SAVE = with_arrays(
    f"""
    UPDATE shipments SET {", ".join(f"{name} = {_READ.get(name, f'new.{name}')}" for name in _CHANGING if name != "id")}
    FROM unnest({", ".join(f":{name}" for name in _CHANGING)}) AS new ({", ".join(_CHANGING)})
    WHERE shipments.id = new.id
    """,
    **_CHANGING,
)
_IN_USE = with_arrays(
    """
    SELECT shipments.id, wanted.carrier, wanted.number FROM unnest(:carriers, :numbers) AS wanted (carrier, number)
    JOIN shipments ON lower(shipments.carrier) = lower(wanted.carrier) AND shipments.tracking_number = wanted.number
    """,
    carriers=TEXT,
    numbers=TEXT,
)

IN_ORDER: Final = select(shipments).order_by(shipments.c.order_id, shipments.c.number)
"""In which all lock who wait for each other, so that nobody waits for one who waits for them."""
IDS: Final = any_(bindparam("ids", type_=ARRAY(ID)))
_BY_IDS = IN_ORDER.where(shipments.c.id == IDS).with_for_update()


@step("ShipmentAggregate", "prepareShipment")
async def prepare(session: AsyncSession, new: Sequence[Mapping[str, Any]]) -> None:
    """An order that has a shipment already keeps that one."""
    await session.execute(_PREPARE, {name: [row[name] for row in new] for name in _PREPARED})


async def take(session: AsyncSession, shipment_id: UUID) -> Shipment:
    """This one parcel: for what the order's others have nothing to do with."""
    found = await take_all(session, [shipment_id])
    if not found:
        raise no_such_shipment()
    return found[shipment_id]


async def take_all(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Shipment]:
    return {shipment.id: shipment for shipment in await taken(session, _BY_IDS, ids=list(ids))}


async def take_waiting(session: AsyncSession, *, after: UUID, before: UUID, limit: int) -> list[Shipment]:
    """Those that nobody dispatches, oldest first; `after` and `before` are ids, which ascend with the time."""
    waiting = _page(limit, shipments.c.status == READY, shipments.c.dispatching_until.is_(None))
    return await taken(session, waiting.where(shipments.c.id > after, shipments.c.id < before))


async def take_abandoned(session: AsyncSession, *, now: datetime, limit: int) -> list[Shipment]:
    """Those whose dispatch was begun and not finished in time."""
    return await taken(session, _page(limit, shipments.c.status == READY, shipments.c.dispatching_until < now))


async def take_on_their_way(
    session: AsyncSession, *, shipped_before: datetime, after: UUID, before: UUID, limit: int
) -> list[Shipment]:
    on_their_way = _page(limit, shipments.c.status == SHIPPED, shipments.c.shipped_at <= shipped_before)
    return await taken(session, on_their_way.where(shipments.c.id > after, shipments.c.id < before))


async def numbers_in_use(session: AsyncSession, labels: Sequence[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """Whose they are, by carrier and tracking number as they were asked for."""
    asked = {"carriers": [carrier for carrier, _ in labels], "numbers": [number for _, number in labels]}
    return {(row.carrier, row.number): row.id for row in await session.execute(_IN_USE, asked)}


async def save(session: AsyncSession, changed: Sequence[Shipment]) -> None:
    columns = {name: [getattr(shipment, name) for shipment in changed] for name in _CHANGING}
    columns["proof"] = [json.dumps(proof) if proof else None for proof in columns["proof"]]
    await session.execute(_SAVE, columns)


async def divide(session: AsyncSession, shipment: Shipment, new: Shipment) -> None:
    """What was one parcel is two; all of the order's are locked."""
    of_the_order = update(shipments).where(shipments.c.order_id == shipment.order_id)
    await session.execute(of_the_order.values(parcels=shipment.parcels))
    this_one = update(shipments).where(shipments.c.id == shipment.id)
    await session.execute(this_one.values(items=shipment.items, version=shipment.version))
    await session.execute(insert(shipments).values({column.name: getattr(new, column.name) for column in shipments.c}))


async def taken(session: AsyncSession, query: Select[Any], **parameters: Any) -> list[Shipment]:
    """Locked until the transaction ends."""
    return [as_shipment(row) for row in (await session.execute(query, parameters)).mappings()]


def as_shipment(row: Mapping[Any, Any]) -> Shipment:
    known = {"status": ShipmentStatus(row["status"]), "order_status": OrderStatus(row["order_status"])}
    return Shipment(**{**row, **known})


def no_such_shipment() -> NotFound:
    return NotFound("There is no such shipment.")


def _page(limit: int, *conditions: ColumnElement[bool]) -> Select[Any]:
    """What another replica is at already is passed over."""
    query = select(shipments).where(*conditions).order_by(shipments.c.id).limit(limit)
    return query.with_for_update(skip_locked=True)
