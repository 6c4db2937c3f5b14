"""The only way in which events leave a service: written with the change that they tell of, sent later by the relay."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from contracts.envelope import Event, encoded

from .broker import Message
from .handover import Entry
from .ids import uuid7
from .pending import PendingRows, write_pending
from .statements import BOOLEAN, ID, TEXT
from .steps import note_event
from .tables import ChassisTable
from .tracing import traceparent as current_trace


class OutboxRow(ChassisTable):
    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(Text)
    exchange: Mapped[str] = mapped_column(Text)
    mandatory: Mapped[bool]
    body: Mapped[str] = mapped_column(Text)
    traceparent: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("'-infinity'"))
    sent_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    __table_args__ = (
        Index("ix_outbox_waiting", "next_attempt_at", "id", postgresql_where=text("sent_at IS NULL")),
        Index("ix_outbox_sent_at", "sent_at", postgresql_where=text("sent_at IS NOT NULL")),
    )


_pending = PendingRows(
    "outbox",
    computed={"next_attempt_at": "coalesce(clock_timestamp() + CAST(:kept_for AS interval), '-infinity')"},
    returning="id, event_id",
    event_id=ID,
    event_type=TEXT,
    exchange=TEXT,
    mandatory=BOOLEAN,
    body=TEXT,
    traceparent=TEXT,
)


INSERT_EVENTS: Final = _pending.insert
"""For a statement that writes its events itself, and may leave some out: `… WHERE given.event_id …`."""
EVENT_COLUMNS: Final = _pending.columns

Told = Mapping[str, Any]
"""An event as it stands in the outbox."""


def told(event: Event, traceparent: str | None) -> Told:
    event_id = uuid7()
    return {
        "event_id": event_id,
        "event_type": event.event_type,
        "exchange": event.exchange(),
        "mandatory": bool(event.heard_by),
        "body": encoded(event, str(event_id), datetime.now(UTC)).decode(),
        "traceparent": traceparent,
    }


def publish(session: AsyncSession, event: Event, *, traceparent: str | None = None) -> None:
    """The event is sent if, and only if, the session's transaction commits.

    In a set-based command `traceparent` says whose event it is; elsewhere it belongs to the current step.
    """
    _pending.add(session, **told(event, traceparent or current_trace.get()))
    note_event(event.domain_name, traceparent)


async def write_events(session: AsyncSession, *, kept_for: timedelta | None = None) -> list[Entry]:
    """With all other rows that are pending; for so long nobody sends them but the relay of this process."""
    events = _pending.of(session)
    written = await write_pending(session, kept_for=kept_for)
    return entries(events, {row.event_id: row.id for row in written})


def as_parameters(events: Sequence[Told], *, kept_for: timedelta | None) -> dict[str, Any]:
    """Of a statement with `INSERT_EVENTS`."""
    return {**_pending.as_columns(events), "kept_for": kept_for}


def entries(events: Sequence[Told], written: Mapping[UUID, int]) -> list[Entry]:
    """Those that were written, with the rows that they are."""
    return [Entry(written[event["event_id"]], _message(event)) for event in events if event["event_id"] in written]


def _message(row: Told) -> Message:
    return Message(
        id=str(row["event_id"]),
        routing_key=row["event_type"],
        body=row["body"].encode(),
        exchange=row["exchange"],
        traceparent=row["traceparent"],
        mandatory=row["mandatory"],
    )
