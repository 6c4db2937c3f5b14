"""Shows what carriers have reported and what became of it: one, a page of them, or all of a parcel; tries one again."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import wakes
from chassis.errors import Conflict, NotFound
from chassis.paging import Keyset
from contracts.delivery.carriers import CarrierReportView, ReportState
from contracts.delivery.shipments import ProofOfDelivery
from delivery.shipments.model import Shipment

from .intake import WORK
from .model import APPLIED, Patience, Report
from .storing import as_report, save, take
from .tables import carrier_reports

MOST_OF_A_PARCEL: Final = 500

# Ids ascend with the time of their coming.
_newest_first = Keyset(UUID)


class AlreadyApplied(Conflict):
    def __init__(self) -> None:
        super().__init__("This report has had its effect.")


@dataclass(frozen=True)
class Filter:
    state: ReportState | None = None
    carrier: str | None = None
    tracking_number: str | None = None


async def reports_of(session: AsyncSession, shipment: Shipment) -> list[CarrierReportView]:
    """In the order in which they came: those that found it, and those that waited, or were refused, at its label."""
    belongs = [carrier_reports.c.shipment_id == shipment.id]
    if shipment.carrier is not None and shipment.tracking_number is not None:
        is_its_carrier = func.lower(carrier_reports.c.carrier) == func.lower(shipment.carrier)
        belongs.append(is_its_carrier & (carrier_reports.c.tracking_number == shipment.tracking_number))
    query = select(carrier_reports).where(or_(*belongs)).order_by(carrier_reports.c.id).limit(MOST_OF_A_PARCEL)
    return [view(as_report(row)) for row in (await session.execute(query)).mappings()]


async def one_report(session: AsyncSession, report_id: UUID) -> CarrierReportView:
    found = await session.execute(select(carrier_reports).where(carrier_reports.c.id == report_id))
    row = found.mappings().one_or_none()
    if row is None:
        raise _no_such_report()
    return view(as_report(row))


async def page_of_reports(session: AsyncSession, wanted: Filter, cursor: str | None, limit: int) -> dict[str, Any]:
    query = select(carrier_reports).order_by(carrier_reports.c.id.desc()).limit(limit + 1)
    if wanted.state is not None:
        query = query.where(carrier_reports.c.state == wanted.state)
    if wanted.carrier is not None:
        query = query.where(func.lower(carrier_reports.c.carrier) == func.lower(wanted.carrier))
    if wanted.tracking_number is not None:
        query = query.where(carrier_reports.c.tracking_number == wanted.tracking_number)
    if (after := _newest_first.read(cursor)) is not None:
        query = query.where(carrier_reports.c.id < after)
    found = [as_report(row) for row in (await session.execute(query)).mappings()]
    page = _newest_first.page(found, limit, lambda report: report.id)
    return {**page, "items": [view(report) for report in page["items"]]}


async def retry_report(session: AsyncSession, report_id: UUID, patience: Patience, by: str) -> CarrierReportView:
    """At once, and then for as long as one that has just come."""
    report = await take(session, report_id)
    if report is None:
        raise _no_such_report()
    if report.state == APPLIED:
        raise AlreadyApplied
    before = {"state": report.state, "code": report.code}
    report.retry(datetime.now(UTC), patience)
    await save(session, [report])
    record(session, by, "carrier_report.retried", report.id, before=before, after={"state": report.state})
    wakes(session, WORK)
    return view(report)


def view(report: Report) -> CarrierReportView:
    return CarrierReportView(
        report_id=report.id,
        carrier=report.carrier,
        tracking_number=report.tracking_number,
        shipment_id=report.shipment_id,
        reported=report.reported,
        occurred_at=report.occurred_at,
        location=report.location,
        proof=None if report.proof is None else ProofOfDelivery.model_validate(report.proof),
        reason=report.reason,
        received_at=report.received_at,
        state=report.state,
        code=report.code,
        message=report.message,
        attempts=report.attempts,
        next_try_at=report.next_try_at,
        settled_at=report.settled_at,
    )


def _no_such_report() -> NotFound:
    return NotFound("There is no such report.")
