"""What has happened to a parcel: what was changed, and what carriers have said of it, in one list by time."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import AuditRow
from contracts.delivery.carriers import CarrierReportView, ReportState
from contracts.delivery.shipments import ShipmentEntry, ShipmentStatus, ShipmentTimeline
from delivery.carriers.reports import reports_of

from .reading import find_shipment


async def timeline_of(session: AsyncSession, shipment_id: UUID) -> ShipmentTimeline:
    shipment = await find_shipment(session, shipment_id)
    on_record = select(AuditRow).where(AuditRow.entity_id == str(shipment_id)).order_by(AuditRow.id)
    entries = [
        *map(_changed, await session.scalars(on_record)),
        *map(_reported, await reports_of(session, shipment)),
    ]
    # What a report has changed stands after it, also where both have the same time.
    entries.sort(key=lambda entry: (entry.at, entry.kind == "changed"))
    return ShipmentTimeline(shipment_id=shipment_id, entries=entries)


def _changed(row: AuditRow) -> ShipmentEntry:
    before, after = row.before or {}, row.after or {}
    return ShipmentEntry(
        at=row.at,
        kind="changed",
        actor=row.actor,
        action=row.action,
        from_status=before.get("status"),
        to_status=after.get("status"),
        reason=after.get("reason") or after.get("stop_reason"),
        before=row.before,
        after=row.after,
    )


def _reported(report: CarrierReportView) -> ShipmentEntry:
    return ShipmentEntry(
        at=report.received_at,
        kind="refused" if report.state == ReportState.REFUSED else "reported",
        actor=f"carrier:{report.carrier}",
        to_status=ShipmentStatus(report.reported.upper()),
        happened_at=report.occurred_at,
        reason=report.message or report.reason,
        code=report.code,
        report_id=report.report_id,
    )
