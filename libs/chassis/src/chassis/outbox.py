"""The only way in which events leave a service: written with the change that they tell of, sent later by the relay."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from contracts.envelope import Event, encoded

from .broker import Message
from .handover import KEPT_FOR, Entry
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


async def write_events(session: AsyncSession, *, keep: bool = False) -> list[Entry]:
    """With all other rows that are pending; where they are kept for the relay of this process nobody else sends them
    for a while."""
    events = _pending.of(session)
    written = await write_pending(session, kept_for=KEPT_FOR if keep else None)
    ids = {row.event_id: row.id for row in written}
    return [Entry(ids[event["event_id"]], _message(event)) for event in events]


def publish(session: AsyncSession, event: Event, *, traceparent: str | None = None) -> None:
    """The event is sent if, and only if, the session's transaction commits.

    In a set-based command `traceparent` says whose event it is; elsewhere it belongs to the current step.
    """
    event_id = uuid7()
    _pending.add(
        session,
        event_id=event_id,
        event_type=event.event_type,
        exchange=event.exchange(),
        mandatory=bool(event.heard_by),
        body=encoded(event, str(event_id), datetime.now(UTC)).decode(),
        traceparent=traceparent or current_trace.get(),
    )
    note_event(event.domain_name, traceparent)


def _message(row: Mapping[str, Any]) -> Message:
    return Message(
        id=str(row["event_id"]),
        routing_key=row["event_type"],
        body=row["body"].encode(),
        exchange=row["exchange"],
        traceparent=row["traceparent"],
        mandatory=row["mandatory"],
    )
