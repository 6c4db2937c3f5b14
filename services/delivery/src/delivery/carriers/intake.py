"""Hears webhooks: believes what is signed, keeps each once, and answers. What they bring about comes later."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from chassis import tracing
from chassis.db import Database, wakes
from chassis.errors import Conflict, Invalid, Refused, TooLarge
from chassis.failpoints import failpoint
from chassis.ids import uuid7
from chassis.steps import step
from chassis.telemetry import logger
from contracts.delivery.shipments import ShipmentStatus
from delivery.shipments.model import InvalidStatusTransition

from .book import Carriers
from .carrier import Reported, called
from .model import REFUSED, WAITING, Patience, Report
from .storing import find_copy, find_parcel, keep
from .verdict import never_taken_by, refuse_the_future

LARGEST: Final = 20_000
WORK: Final = "carrier_reports"
"""What there is to do when a report has been kept."""

log = logger("carriers")


class Acknowledgement(BaseModel):
    """`repeated`: this webhook came before, and counts once. `ignored`: we do nothing about this type."""

    result: Literal["accepted", "repeated", "ignored"]


class RefusedBefore(Conflict):
    """The same answer as the first time."""

    code = InvalidStatusTransition.code


class Intake:
    def __init__(self, database: Database, carriers: Carriers, patience: Patience) -> None:
        self._database = database
        self._carriers = carriers
        self._patience = patience

    async def hear(self, source: str, headers: Mapping[str, str], body: bytes) -> Acknowledgement:
        if len(body) > LARGEST:
            raise TooLarge(f"The body is larger than {LARGEST // 1000} kB.")
        now = datetime.now(UTC)
        webhook = self._carriers.of(source).hear(headers, body, now)
        if webhook.reported is None:
            log.info("webhook_ignored", carrier=source, type=webhook.type[:100])
            return Acknowledgement(result="ignored")
        refuse_the_future(webhook.reported.news, now)
        take = self._take_delivery if webhook.reported.news.kind == ShipmentStatus.DELIVERED else self._take
        return await take(source, webhook.id, webhook.reported, now)

    @step("OrderService", "deliveryConfirmation")
    async def _take_delivery(self, source: str, webhook_id: str, reported: Reported, now: datetime) -> Acknowledgement:
        return await self._take(source, webhook_id, reported, now)

    async def _take(self, source: str, webhook_id: str, reported: Reported, now: datetime) -> Acknowledgement:
        refusal, is_new = await self._keep(self._written_down(source, webhook_id, reported, now))
        if refusal is not None:
            raise refusal
        return Acknowledgement(result="accepted" if is_new else "repeated")

    async def _keep(self, report: Report) -> tuple[Refused | None, bool]:
        """Committed before it is answered, also what is refused: whoever sends it again is told the same."""
        async with self._database.begin() as session:
            refusal = await _refuse_at_once(session, report)
            is_new = await keep(session, report)
            if not is_new:
                refusal = _as_before(await find_copy(session, report.source, report.webhook_id))
            elif refusal is None:
                wakes(session, WORK)
            await failpoint("delivery.report.keeping")
        await failpoint("delivery.report.kept")
        if refusal is not None:
            log.warning("report_refused", carrier=report.carrier, code=refusal.code, reported=report.reported)
        return refusal, is_new

    def _written_down(self, source: str, webhook_id: str, reported: Reported, now: datetime) -> Report:
        news = reported.news
        return Report(
            id=uuid7(),
            source=called(source),
            webhook_id=webhook_id,
            carrier=reported.carrier,
            tracking_number=reported.tracking_number,
            kind=news.kind,
            occurred_at=news.at,
            location=news.location,
            proof=None if news.proof is None else news.proof.model_dump(mode="json", exclude_none=True) or None,
            reason=news.reason,
            received_at=now,
            traceparent=tracing.traceparent.get() or tracing.new_traceparent(),
            state=WAITING,
            attempts=0,
            next_try_at=now,
            tried_until=now + self._patience.tried_for,
            told_at=None,
            settled_at=None,
            code=None,
            message=None,
            shipment_id=None,
        )


@step("OrderAggregate", "validateTransition")
async def _refuse_at_once(session: AsyncSession, report: Report) -> Refused | None:
    """Why the parcel never takes this, where that can be said without a lock."""
    parcel = await find_parcel(session, report.carrier, report.tracking_number)
    refusal = never_taken_by(parcel, report.news) if parcel is not None else None
    if refusal is not None and parcel is not None:
        report.refuse(refusal, report.received_at, parcel.id)
    return refusal


def _as_before(first: Report) -> Refused | None:
    if first.state != REFUSED or first.message is None:
        return None
    match first.code:
        case InvalidStatusTransition.code:
            return RefusedBefore(first.message)
        case Invalid.code:
            return Invalid(first.message)
        case _:
            # Ours to mend: its sender has done all that it can.
            return None
