"""Puts reports into the database and takes them out, locked, to work on them: a batch in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.statements import ID, INSTANT, INTEGER, TEXT, with_arrays
from contracts.delivery.carriers import ReportState
from contracts.delivery.shipments import ShipmentStatus
from delivery.shipments.following import Kind
from delivery.shipments.siblings import take_orders_at_hand
from delivery.shipments.tables import shipments

from .model import Report
from .tables import carrier_reports
from .verdict import Parcel

ALL: Final = tuple(field.name for field in fields(Report))

_CHANGING: Mapping[str, Any] = {
    "id": ID,
    "state": TEXT,
    "attempts": INTEGER,
    "next_try_at": INSTANT,
    "tried_until": INSTANT,
    "told_at": INSTANT,
    "settled_at": INSTANT,
    "code": TEXT,
    "message": TEXT,
    "shipment_id": ID,
}
_SAVE = with_arrays(
    f"""
    UPDATE carrier_reports SET {", ".join(f"{name} = new.{name}" for name in _CHANGING if name != "id")}
    FROM unnest({", ".join(f":{name}" for name in _CHANGING)}) AS new ({", ".join(_CHANGING)})
    WHERE carrier_reports.id = new.id
    """,
    **_CHANGING,
)

# Of one parcel the oldest: what its carrier says is heard in the order in which it came, however many of us listen.
_TAKE_DUE = text(
    f"""
    SELECT {", ".join(ALL)} FROM carrier_reports AS mine
    WHERE next_try_at <= :now AND NOT EXISTS (
        SELECT FROM carrier_reports AS older
        WHERE older.tracking_number = mine.tracking_number AND lower(older.carrier) = lower(mine.carrier)
            AND older.next_try_at <= :now AND older.id < mine.id)
    ORDER BY next_try_at, id LIMIT :batch FOR UPDATE SKIP LOCKED
    """
).columns(proof=JSONB, id=ID, shipment_id=ID)

_LABELLED = with_arrays(
    """
    SELECT told.report_id, found.id, found.order_id
    FROM unnest(:report_ids, :carriers, :numbers) AS told (report_id, carrier, number)
    JOIN shipments AS found ON lower(found.carrier) = lower(told.carrier) AND found.tracking_number = told.number
    """,
    report_ids=ID,
    carriers=TEXT,
    numbers=TEXT,
)
_PARCEL = select(shipments.c.id, shipments.c.status, shipments.c.shipped_at)


async def keep(session: AsyncSession, report: Report) -> bool:
    """Whether it is new. Of several copies that come at once the others wait here for what becomes of the first."""
    row = {name: getattr(report, name) for name in ALL}
    new = insert(carrier_reports).values(row).on_conflict_do_nothing().returning(carrier_reports.c.id)
    return await session.scalar(new) is not None


async def find_copy(session: AsyncSession, source: str, webhook_id: str) -> Report:
    same = (carrier_reports.c.source == source) & (carrier_reports.c.webhook_id == webhook_id)
    return as_report((await session.execute(select(carrier_reports).where(same))).mappings().one())


async def find_parcel(session: AsyncSession, carrier: str, tracking_number: str) -> Parcel | None:
    """A look, without a lock: it decides only what nothing can change any more."""
    labelled = _PARCEL.where(
        func.lower(shipments.c.carrier) == func.lower(carrier), shipments.c.tracking_number == tracking_number
    )
    row = (await session.execute(labelled)).one_or_none()
    return None if row is None else _as_parcel(row)


async def take_due(session: AsyncSession, now: datetime, batch: int) -> list[Report]:
    rows = await session.execute(_TAKE_DUE, {"now": now, "batch": batch})
    return [as_report(row) for row in rows.mappings()]


async def take(session: AsyncSession, report_id: UUID) -> Report | None:
    one = select(carrier_reports).where(carrier_reports.c.id == report_id).with_for_update()
    row = (await session.execute(one)).mappings().one_or_none()
    return None if row is None else as_report(row)


async def take_parcels(session: AsyncSession, reports: Sequence[Report]) -> dict[UUID, Parcel | None]:
    """By report, those that are known: locked, or None while somebody else is at one of their orders' parcels."""
    labels = {
        "report_ids": [report.id for report in reports],
        "carriers": [report.carrier for report in reports],
        "numbers": [report.tracking_number for report in reports],
    }
    known = (await session.execute(_LABELLED, labels)).all()
    orders = await take_orders_at_hand(session, {row.order_id for row in known}) if known else {}
    ours = {parcel.id: parcel for parcels in orders.values() for parcel in parcels}
    return {row.report_id: _as_parcel(ours[row.id]) if row.id in ours else None for row in known}


async def save(session: AsyncSession, changed: Sequence[Report]) -> None:
    await session.execute(_SAVE, {name: [getattr(report, name) for report in changed] for name in _CHANGING})


def _as_parcel(found: Any) -> Parcel:
    return Parcel(found.id, ShipmentStatus(found.status), found.shipped_at)


def as_report(row: RowMapping) -> Report:
    known = {"kind": cast(Kind, ShipmentStatus(row["kind"])), "state": ReportState(row["state"])}
    return Report(**{**{name: row[name] for name in ALL}, **known})
