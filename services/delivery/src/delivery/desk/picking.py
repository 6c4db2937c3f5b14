"""Takes pick lists and gives them back: a parcel is on one open list at most, whoever else takes one at this moment."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import exists, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import Database
from chassis.failpoints import failpoint
from chassis.ids import uuid7
from chassis.statements import ID, TEXT, with_arrays
from contracts.delivery.desk import PickListView, PickOutcome, TakePickList, WorkFilter
from delivery.shipments.model import Shipment
from delivery.shipments.storing import as_shipment
from delivery.shipments.tables import shipments

from .model import DONE, FORGOTTEN_AFTER, OPEN, RELEASED, NothingToPick
from .reading import PickListNotFound, one_pick_list
from .tables import pick_list_parcels, pick_lists
from .work_list import ON_LIST, waiting

DESK: Final = "desk"
"""Who it is in the audit log that nobody has done it."""

_PUT_ON_LIST = with_arrays(
    """
    INSERT INTO pick_list_parcels (pick_list_id, shipment_id, items, outcome)
    SELECT :pick_list_id, shipment_id, items::jsonb, 'WAITING'
    FROM unnest(:shipment_ids, :items) AS new (shipment_id, items)
    ON CONFLICT (shipment_id) WHERE outcome = 'WAITING' DO NOTHING
    RETURNING shipment_id
    """,
    shipment_ids=ID,
    items=TEXT,
)
_SETTLE = with_arrays(
    """
    UPDATE pick_list_parcels SET outcome = CASE shipments.status
        WHEN 'READY' THEN 'RELEASED' WHEN 'STOPPED' THEN 'STOPPED' ELSE 'DISPATCHED' END
    FROM shipments
    WHERE shipments.id = shipment_id AND outcome = 'WAITING' AND pick_list_id = ANY(:ids)
    RETURNING pick_list_id, shipment_id, outcome
    """,
    ids=ID,
)
_TO_CLOSE = text(
    """
    SELECT id FROM pick_lists
    WHERE status = 'OPEN' AND (taken_at < :forgotten OR NOT EXISTS (
        SELECT FROM pick_list_parcels JOIN shipments ON shipments.id = shipment_id
        WHERE pick_list_id = pick_lists.id AND shipments.status = 'READY'))
    ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 100
    """
)


async def take_pick_list(session: AsyncSession, wanted: TakePickList, by: str) -> PickListView:
    pick_list_id = uuid7()
    new = {"id": pick_list_id, "taken_by": by, "taken_at": datetime.now(UTC), "status": OPEN}
    await session.execute(insert(pick_lists).values(new))
    picked: list[UUID] = []
    while len(picked) < wanted.size:
        free = await _lock_free(session, wanted, wanted.size - len(picked))
        await failpoint("delivery.desk.locked")
        picked += await _put_on_list(session, pick_list_id, free)
        if not free:
            break
    if not picked:
        raise NothingToPick
    record(session, by, "pick_list.taken", pick_list_id, after={"status": OPEN, "shipment_ids": sorted(picked)})
    return await one_pick_list(session, pick_list_id)


async def release_pick_list(session: AsyncSession, pick_list_id: UUID, by: str) -> PickListView:
    """Repeating it changes nothing; neither does it if there is nothing left to give back."""
    locked = select(pick_lists.c.status).where(pick_lists.c.id == pick_list_id).with_for_update()
    status = await session.scalar(locked)
    if status is None:
        raise PickListNotFound
    if status == OPEN:
        await _close(session, [pick_list_id], by)
    return await one_pick_list(session, pick_list_id)


async def close_pick_lists(database: Database) -> int:
    """Those of which nothing waits any more, and those that somebody has forgotten."""
    closed = 0
    while True:
        async with database.begin() as session:
            forgotten = datetime.now(UTC) - FORGOTTEN_AFTER
            ids = list(await session.scalars(_TO_CLOSE, {"forgotten": forgotten}))
            if not ids:
                return closed
            await _close(session, ids, DESK)
        closed += len(ids)


async def _lock_free(session: AsyncSession, wanted: WorkFilter, limit: int) -> list[Shipment]:
    """What somebody dispatches or picks at this moment is passed over."""
    free = waiting(wanted).where(~exists(select(pick_list_parcels.c.shipment_id).where(ON_LIST))).limit(limit)
    rows = await session.execute(free.with_for_update(of=shipments, skip_locked=True))
    return [as_shipment(row) for row in rows.mappings()]


async def _put_on_list(session: AsyncSession, pick_list_id: UUID, free: Sequence[Shipment]) -> list[UUID]:
    """Not those that another list has taken between our look at the lists and our lock: it had committed by then."""
    ids, items = [shipment.id for shipment in free], [json.dumps(shipment.items) for shipment in free]
    new = {"pick_list_id": pick_list_id, "shipment_ids": ids, "items": items}
    return list(await session.scalars(_PUT_ON_LIST, new))


async def _close(session: AsyncSession, ids: Sequence[UUID], by: str) -> None:
    """The lists are locked, so that nobody else closes them."""
    await failpoint("delivery.desk.closing")
    settled = (await session.execute(_SETTLE, {"ids": list(ids)})).all()
    released = {row.pick_list_id for row in settled if row.outcome == PickOutcome.RELEASED}
    for pick_list_id in ids:
        status = RELEASED if pick_list_id in released else DONE
        change = {"status": status, "closed_at": datetime.now(UTC), "closed_by": by}
        await session.execute(update(pick_lists).where(pick_lists.c.id == pick_list_id).values(change))
        outcomes = {str(row.shipment_id): row.outcome for row in settled if row.pick_list_id == pick_list_id}
        after = {"status": status, "outcomes": outcomes}
        record(session, by, f"pick_list.{status.lower()}", pick_list_id, before={"status": OPEN}, after=after)
