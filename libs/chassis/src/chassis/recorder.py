"""Keeps a record of a running service's spans, for a share of the traces: written behind the work, never in its way."""

# ruff: noqa: PLW0603 (a switch of the whole process, as tracing itself is)

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from . import tracing
from .broker.patience import finish, happens
from .db import Database
from .steps import ACTION, HEARD_IN, PARTICIPANT
from .tables import ChassisTable
from .telemetry import logger
from .tracing import Span

_EVERY: Final = timedelta(milliseconds=500)
_FINISH_WITHIN: Final = timedelta(seconds=1)
_BATCH: Final = 500
# A database that is away must not fill the memory with what it was not told.
_MOST_WAITING: Final = 20_000

log = logger("recorder")

_share = 0.0


def configure_recording(share: float) -> None:
    """Before the services start: which share of the traces is kept."""
    global _share
    _share = share


@asynccontextmanager
async def recording(database: Database, service: str) -> AsyncIterator[None]:
    """From start until what was recorded is written; nothing at all where nothing is to be kept."""
    if not _share:
        yield
        return
    recorder = Recorder(database, service, _share)
    tracing.listen(recorder.heard)
    running = asyncio.create_task(recorder.run(), name=f"{service} recorder")
    try:
        yield
    finally:
        tracing.unlisten(recorder.heard)
        recorder.stop()
        await finish(running, _FINISH_WITHIN)


class RecordedSpan(ChassisTable):
    __tablename__ = "recorded_spans"

    trace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    span_id: Mapped[str] = mapped_column(Text, primary_key=True)
    parent_id: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    participant: Mapped[str | None] = mapped_column(Text)
    action: Mapped[str | None] = mapped_column(Text)
    heard_in: Mapped[str | None] = mapped_column(Text)
    emits: Mapped[list[str]] = mapped_column(ARRAY(Text))
    error: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    ended_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))

    __table_args__ = (Index("ix_recorded_spans_started_at", "started_at"),)


# One statement for a batch; the names are the columns'.
_KEEP: Final = text("""
    INSERT INTO recorded_spans SELECT * FROM json_populate_recordset(NULL::recorded_spans, :spans)
    ON CONFLICT DO NOTHING
""")


class Recorder:
    """Of several services in one process each keeps what is its own."""

    def __init__(self, database: Database, service: str, share: float) -> None:
        self._database = database
        self._service = service
        # By the trace, so that every service keeps the same ones.
        self._below = int(share * 0x1_0000_0000)
        self._spans: deque[Span] = deque(maxlen=_MOST_WAITING)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        while not await happens(self._stopping, _EVERY.total_seconds()):
            await self._try_to_write()
        await self._try_to_write()

    def stop(self) -> None:
        self._stopping.set()

    def heard(self, span: Span) -> None:
        if span.service == self._service and int(span.trace_id[-8:], 16) < self._below:
            self._spans.append(span)

    async def _try_to_write(self) -> None:
        try:
            while batch := self._take():
                async with self._database.begin() as session:
                    await session.execute(_KEEP, {"spans": to_json([_row(span) for span in batch]).decode()})
        except Exception as error:
            # A record that is lost is lost: nothing but the observer's picture depends on it.
            log.warning("spans_not_recorded", reason=type(error).__name__)

    def _take(self) -> Sequence[Span]:
        """Those that have ended; the others are looked at again later."""
        waiting = [self._spans.popleft() for _ in range(min(len(self._spans), _BATCH))]
        self._spans.extend(span for span in waiting if span.ended_at is None)
        return [span for span in waiting if span.ended_at is not None]


def _row(span: Span) -> dict[str, Any]:
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "participant": span.attributes.get(PARTICIPANT),
        "action": span.attributes.get(ACTION),
        "heard_in": span.attributes.get(HEARD_IN),
        "emits": list(span.events),
        "error": span.error,
        "started_at": datetime.fromtimestamp(span.started_at, UTC),
        "ended_at": datetime.fromtimestamp(span.ended_at or span.started_at, UTC),
    }
