"""Events that could not be handled: kept with body and error, and tried again with growing delay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Index, LargeBinary, Text, func, select, text, update
from sqlalchemy.dialects.postgresql import TIMESTAMP, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from .tables import ChassisTable

MOST_ATTEMPTS = 20
_FIRST_DELAY = timedelta(milliseconds=500)
_LONGEST_DELAY = timedelta(minutes=10)


class ParkedEvent(ChassisTable):
    """`next_attempt_at` empty: it waits for a human."""

    __tablename__ = "parked_events"

    event_id: Mapped[str] = mapped_column(Text, primary_key=True)
    event_type: Mapped[str] = mapped_column(Text)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    traceparent: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    parked_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=func.now())
    next_attempt_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    resolved_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    resolution: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_parked_events_waiting", "next_attempt_at", postgresql_where=text("resolved_at IS NULL")),
    )


@dataclass(frozen=True)
class ToPark:
    event_id: str
    event_type: str
    body: bytes
    traceparent: str | None
    error: str
    hopeless: bool = False
    """Not even readable: trying again would change nothing."""


def delay_before(attempt: int) -> timedelta:
    return min(_FIRST_DELAY * (1 << min(attempt, 20)), _LONGEST_DELAY)


async def park(session: AsyncSession, events: Sequence[ToPark], now: datetime) -> None:
    if not events:
        return
    rows = [
        {
            "event_id": event.event_id,
            "event_type": event.event_type,
            "body": event.body,
            "traceparent": event.traceparent,
            "error": event.error,
            "attempts": 1,
            "next_attempt_at": None if event.hopeless else now + delay_before(0),
        }
        for event in events
    ]
    await session.execute(insert(ParkedEvent).values(rows).on_conflict_do_nothing())


async def take_due(session: AsyncSession, now: datetime) -> ParkedEvent | None:
    """Locked until the transaction ends, and passed over by other replicas meanwhile."""
    due = (
        select(ParkedEvent)
        .where(ParkedEvent.resolved_at.is_(None), ParkedEvent.next_attempt_at <= now)
        .order_by(ParkedEvent.next_attempt_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.scalars(due)).one_or_none()


async def resolve(session: AsyncSession, event_id: str, resolution: str, now: datetime) -> None:
    await session.execute(
        update(ParkedEvent)
        .where(ParkedEvent.event_id == event_id)
        .values(resolved_at=now, resolution=resolution, next_attempt_at=None)
    )


async def postpone(session: AsyncSession, parked: ParkedEvent, error: str, now: datetime) -> None:
    attempts = parked.attempts + 1
    again = now + delay_before(attempts) if attempts < MOST_ATTEMPTS else None
    await session.execute(
        update(ParkedEvent)
        .where(ParkedEvent.event_id == parked.event_id)
        .values(attempts=attempts, error=error, next_attempt_at=again)
    )


async def waiting(session: AsyncSession, limit: int = 100) -> Sequence[ParkedEvent]:
    """What is parked now, oldest first."""
    rows = select(ParkedEvent).where(ParkedEvent.resolved_at.is_(None)).order_by(ParkedEvent.parked_at).limit(limit)
    return (await session.scalars(rows)).all()
