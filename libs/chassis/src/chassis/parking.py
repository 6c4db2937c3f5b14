"""Events that could not be handled: kept with body and error, tried again with growing delay, or left to a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Index, LargeBinary, Select, Text, func, select, text, update
from sqlalchemy.dialects.postgresql import TIMESTAMP, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from .audit import record
from .errors import NotFound
from .tables import ChassisTable

MOST_ATTEMPTS: Final = 20
"""After these it waits for a person."""
_FIRST_DELAY: Final = timedelta(milliseconds=500)
_LONGEST_DELAY: Final = timedelta(minutes=10)


class ParkedEvent(ChassisTable):
    """`next_attempt_at` empty: it waits for a person, or it is resolved."""

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
        Index("ix_parked_events_resolved_at", "resolved_at", postgresql_where=text("resolved_at IS NOT NULL")),
    )


class NotParked(NotFound):
    def __init__(self, event_id: str) -> None:
        super().__init__(f"No event {event_id} is parked here.")


@dataclass(frozen=True)
class ToPark:
    event_id: str
    event_type: str
    body: bytes
    traceparent: str | None
    error: str
    hopeless: bool = False
    """Not even readable: trying again would change nothing."""


def delay_after(attempts: int) -> timedelta:
    return min(_FIRST_DELAY * (1 << min(attempts - 1, 20)), _LONGEST_DELAY)


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
            "next_attempt_at": None if event.hopeless else now + delay_after(1),
        }
        for event in events
    ]
    await session.execute(insert(ParkedEvent).values(rows).on_conflict_do_nothing())


async def waiting(session: AsyncSession, limit: int = 100) -> Sequence[ParkedEvent]:
    """What is parked now, oldest first."""
    rows = select(ParkedEvent).where(_UNRESOLVED).order_by(ParkedEvent.parked_at, ParkedEvent.event_id).limit(limit)
    return (await session.scalars(rows)).all()


async def find(session: AsyncSession, event_id: str) -> ParkedEvent | None:
    """Resolved ones, too."""
    return await session.get(ParkedEvent, event_id)


async def drop(session: AsyncSession, event_id: str, actor: str, now: datetime) -> None:
    """A person's word that it is not to be handled at all. The row stays and says so."""
    parked = await hold(session, event_id)
    before = {"event_type": parked.event_type, "attempts": parked.attempts, "error": parked.error}
    record(session, actor, "parked_event.dropped", event_id, before=before, after={"resolution": "dropped"})
    await resolve(session, event_id, "dropped", now)


async def hold(session: AsyncSession, event_id: str, attempt: int | None = None) -> ParkedEvent:
    """Nobody else resolves it or tries it until the transaction ends."""
    query = select(ParkedEvent).where(ParkedEvent.event_id == event_id, _UNRESOLVED)
    if attempt is not None:
        query = query.where(ParkedEvent.attempts == attempt)
    parked = await session.scalar(query.with_for_update())
    if parked is None:
        raise NotParked(event_id)
    return parked


async def begin_attempt(session: AsyncSession, event_id: str, now: datetime) -> ParkedEvent:
    """It counts before it is made: an event that kills the process must not be the first one again after each start."""
    return await _count_attempt(session, await hold(session, event_id), now)


async def begin_next_attempt(session: AsyncSession, now: datetime) -> ParkedEvent | None:
    due = select(ParkedEvent).where(_UNRESOLVED, ParkedEvent.next_attempt_at <= now)
    first: Select[Any] = due.order_by(ParkedEvent.next_attempt_at).limit(1)
    parked = await session.scalar(first.with_for_update(skip_locked=True))
    return await _count_attempt(session, parked, now) if parked else None


async def resolve(session: AsyncSession, event_id: str, resolution: str, now: datetime) -> None:
    await session.execute(
        update(ParkedEvent)
        .where(ParkedEvent.event_id == event_id)
        .values(resolved_at=now, resolution=resolution, next_attempt_at=None)
    )


async def note_error(session: AsyncSession, event_id: str, error: str) -> None:
    await session.execute(update(ParkedEvent).where(ParkedEvent.event_id == event_id, _UNRESOLVED).values(error=error))


async def _count_attempt(session: AsyncSession, parked: ParkedEvent, now: datetime) -> ParkedEvent:
    parked.attempts += 1
    parked.next_attempt_at = now + delay_after(parked.attempts) if parked.attempts < MOST_ATTEMPTS else None
    await session.flush()
    return parked


_UNRESOLVED: ColumnElement[bool] = ParkedEvent.resolved_at.is_(None)
