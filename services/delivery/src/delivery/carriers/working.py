"""Works on kept reports: each has its effect, waits for its parcel, or is refused; none holds up the others."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.errors import Away, Later, Refused
from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.pending import savepoint
from chassis.steps import step
from chassis.telemetry import logger
from chassis.tracing import working_for
from contracts.delivery.carriers import UnmatchedTracking
from delivery.shipments.following import UnknownParcel, follow
from delivery.shipments.model import InvalidStatusTransition

from .model import Patience, Report
from .storing import save, take_due, take_parcels
from .verdict import Parcel

_BATCH: Final = 50
_AT_ONCE: Final = 3
# Their parcels are held meanwhile, and a clerk may be waiting for one of them.
_LONGEST_HOLD: Final = 0.5
# When somebody else is at the parcel.
_NEXT_LOOK: Final = timedelta(milliseconds=200)
# Then the clock may be stopped, or other jobs have their turn; the rest is done in the next run.
_MOST_BATCHES: Final = 100

log = logger("carriers")

_Apart: TypeAlias = Callable[[AsyncSession], AbstractAsyncContextManager[None]]
"""What keeps one report's failure away from the others of its batch."""


@asynccontextmanager
async def _together(_: AsyncSession) -> AsyncIterator[None]:
    """Nothing: what is refused is refused before it writes, and failures are rare. Then they are tried one by one."""
    yield


class NotApplied(Refused):
    """A defect of ours, or something that we need is down: the log says which."""

    code = "INTERNAL_ERROR"

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side when this was to have its effect.")


class _Spoilt(Exception):
    """One of the batch failed, and took the others' transaction along."""


class Working:
    """Replicas share the work: each takes what no other has."""

    def __init__(self, database: Database, patience: Patience) -> None:
        self._database = database
        self._patience = patience

    async def work(self) -> int:
        worked = await self._work_on_some()
        if not worked:
            return 0
        # A process that is busy answering gives each of them its turn: one alone would fall behind what comes in.
        outcomes = await asyncio.gather(*(self._work_on() for _ in range(_AT_ONCE)), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            worked += outcome
        return worked

    async def _work_on(self) -> int:
        worked = 0
        for _ in range(_MOST_BATCHES):
            batch = await self._work_on_some()
            worked += batch
            if not batch:
                break
        return worked

    async def _work_on_some(self) -> int:
        try:
            return await self._work_on_batch(_together)
        except _Spoilt:
            return await self._work_on_batch(savepoint)

    async def _work_on_batch(self, apart: _Apart) -> int:
        async with self._database.begin() as session:
            due = await take_due(session, datetime.now(UTC), _BATCH)
            if not due:
                return 0
            parcels = await take_parcels(session, due)
            until = time.monotonic() + _LONGEST_HOLD
            tried = []
            for report in due:
                with working_for([report.traceparent]):
                    await self._try(session, report, parcels, apart)
                tried.append(report)
                if time.monotonic() > until:
                    break
            await save(session, tried)
            await failpoint("delivery.report.working")
        return len(tried)

    async def _try(
        self, session: AsyncSession, report: Report, parcels: Mapping[UUID, Parcel | None], apart: _Apart
    ) -> None:
        now, parcel = datetime.now(UTC), parcels.get(report.id)
        if parcel is None and report.id in parcels:
            report.next_try_at = now + _NEXT_LOOK
            return
        try:
            async with apart(session):
                await failpoint("delivery.report.trying")
                shipment = await follow(session, report.carrier, report.tracking_number, report.news, report.by)
        except UnknownParcel as unknown:
            report.miss(unknown, now, self._patience)
            self._tell(session, report, now)
        except InvalidStatusTransition as refused:
            # Without a parcel its label was written while we looked: the dispatch is under way.
            if parcel is None or parcel.waits:
                report.wait(refused, now, self._patience)
            else:
                self._refuse(report, refused, now, parcel)
        except Away:
            raise
        except Exception as error:
            if isinstance(error, Refused) and not isinstance(error, Later):
                self._refuse(report, error, now, parcel)
            elif apart is _together:
                raise _Spoilt from error
            else:
                log.exception("report_failed", report_id=str(report.id), attempts=report.attempts + 1)
                report.wait(NotApplied(), now, self._patience)
        else:
            report.apply(shipment.id, now)

    def _refuse(self, report: Report, refused: Refused, now: datetime, parcel: Parcel | None) -> None:
        report.refuse(refused, now, parcel.id if parcel else None)
        log.warning("report_refused", carrier=report.carrier, code=refused.code, reported=report.reported)

    def _tell(self, session: AsyncSession, report: Report, now: datetime) -> None:
        if not report.must_be_told(now, self._patience):
            return
        report.told_at = now
        _log_unmatched(report)
        _report_unmatched(session, report)


@step("Logger", "logUnmatchedTracking")
def _log_unmatched(report: Report) -> None:
    log.warning("unknown_parcel", carrier=report.carrier, tracking_number=report.tracking_number)


@step("OrderService", "reportUnmatchedTracking")
def _report_unmatched(session: AsyncSession, report: Report) -> None:
    publish(
        session,
        UnmatchedTracking(
            report_id=report.id,
            carrier=report.carrier,
            tracking_number=report.tracking_number,
            reported=report.reported,
            received_at=report.received_at,
        ),
    )
