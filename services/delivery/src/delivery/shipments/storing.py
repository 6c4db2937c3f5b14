"""Puts shipments into the database and takes them out, locked, to change them: lists in and out, in one statement."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, bindparam, insert, text, update
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

# In the order of the fields: a row is made a shipment without a look at any name.
_ALL: Final = f"SELECT {', '.join(f'shipments.{field.name}' for field in fields(Shipment))} FROM shipments"


def taking(condition: str, end: str = "ORDER BY order_id, number FOR UPDATE", **parameters: Any) -> TextClause:
    """In the order in which all lock who wait for each other, so that nobody waits for one who waits for them."""
    return text(f"{_ALL} WHERE {condition} {end}").bindparams(
        *(bindparam(name, type_=kind) for name, kind in parameters.items())
    )


def _page(condition: str, **parameters: Any) -> TextClause:
    """What another replica is at already is passed over."""
    return taking(condition, "ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED", **parameters, limit=INTEGER)


_BY_IDS = taking("id = ANY(:ids)", ids=ARRAY(ID))
_WAITING = _page(
    f"status = '{READY}' AND dispatching_until IS NULL AND id > :after AND id < :before", after=ID, before=ID
)
_ABANDONED = _page(f"status = '{READY}' AND dispatching_until < :now", now=INSTANT)
_ON_THEIR_WAY = _page(
    f"status = '{SHIPPED}' AND shipped_at <= :shipped_before AND id > :after AND id < :before",
    shipped_before=INSTANT,
    after=ID,
    before=ID,
)


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
    return await taken(session, _WAITING, after=after, before=before, limit=limit)


async def take_abandoned(session: AsyncSession, *, now: datetime, limit: int) -> list[Shipment]:
    """Those whose dispatch was begun and not finished in time."""
    return await taken(session, _ABANDONED, now=now, limit=limit)


async def take_on_their_way(
    session: AsyncSession, *, shipped_before: datetime, after: UUID, before: UUID, limit: int
) -> list[Shipment]:
    return await taken(session, _ON_THEIR_WAY, shipped_before=shipped_before, after=after, before=before, limit=limit)


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


async def taken(session: AsyncSession, taking: TextClause, **parameters: Any) -> list[Shipment]:
    """Locked until the transaction ends."""
    return [
        Shipment(id, order_id, reservation_id, ShipmentStatus(status), OrderStatus(order_status), *rest)
        for id, order_id, reservation_id, status, order_status, *rest in await session.execute(taking, parameters)
    ]


def as_shipment(row: Mapping[Any, Any]) -> Shipment:
    known = {"status": ShipmentStatus(row["status"]), "order_status": OrderStatus(row["order_status"])}
    return Shipment(**{**row, **known})


def no_such_shipment() -> NotFound:
    return NotFound("There is no such shipment.")
