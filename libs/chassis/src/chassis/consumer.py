"""Runs the service's reactions on batches of messages, each event once; what they mean is their features' affair."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from sqlalchemy import Index, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from contracts.envelope import Envelope, Event

from . import parking
from .broker import Message
from .db import Database
from .errors import NotFound, Unavailable
from .failpoints import failpoint
from .outbox import savepoint
from .parking import ParkedEvent, ToPark
from .tables import ChassisTable
from .telemetry import Telemetry, logger
from .tracing import new_traceparent, valid, working_for

E = TypeVar("E", bound=Event)

log = logger("consumer")


class InboxRow(ChassisTable):
    __tablename__ = "inbox"

    event_id: Mapped[str] = mapped_column(Text, primary_key=True)
    event_type: Mapped[str] = mapped_column(Text)
    handled_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=func.now())

    __table_args__ = (Index("ix_inbox_handled_at", "handled_at", postgresql_using="brin"),)


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """An event with what its envelope said of it."""

    event: E
    event_id: str
    timestamp: datetime
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Postponed:
    """A reaction's word that an event cannot be handled yet, while the others of its batch can."""

    event_id: str
    reason: str


Reaction = Callable[[AsyncSession, Sequence[Received[Any]]], Awaitable[Sequence[Postponed] | None]]
Reactions = Mapping[type[Event], Reaction]


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message, opened: either something that a reaction takes, or the reason why not."""

    event_id: str
    event_type: str
    message: Message
    received: Received[Any] | None = None
    unreadable: str | None = None

    def to_park(self, error: str, *, hopeless: bool = False) -> ToPark:
        return ToPark(self.event_id, self.event_type, self.message.body, self.message.traceparent, error, hopeless)


_CLAIM = text(
    """
    INSERT INTO inbox (event_id, event_type) SELECT * FROM unnest(:event_ids, :event_types) ORDER BY 1
    ON CONFLICT DO NOTHING RETURNING event_id
    """
).bindparams(bindparam("event_ids", type_=ARRAY(TEXT)), bindparam("event_types", type_=ARRAY(TEXT)))


class Consumer:
    def __init__(self, database: Database, reactions: Reactions, telemetry: Telemetry) -> None:
        self._database = database
        self._reactions = {event.event_type: (event, reaction) for event, reaction in reactions.items()}
        self._telemetry = telemetry

    async def handle(self, messages: Sequence[Message]) -> None:
        """Returns when each event is committed or parked; raises when the database is away, and then nothing has happened."""
        letters: dict[str, _Letter] = {}
        for message in messages:
            letter = self._open(message)
            letters.setdefault(letter.event_id, letter)
        await self._settle(list(letters.values()))
        await failpoint("chassis.consumer.committed")

    async def _settle(self, letters: Sequence[_Letter]) -> None:
        try:
            await self._together(letters)
        except Unavailable:
            raise
        except Exception as error:
            log.warning("batch_taken_apart", size=len(letters), error=_describe(error))
            for letter in letters:
                await self._alone(letter)

    async def retry_due(self) -> None:
        """The job that tries parked events again."""
        while True:
            async with self._database.begin() as session:
                now = datetime.now(UTC)
                parked = await parking.take_due(session, now)
                if parked is None:
                    return
                error = await self._attempt(session, parked)
                if error is None:
                    await parking.resolve(session, parked.event_id, "handled", now)
                else:
                    await parking.postpone(session, parked, error, now)

    async def retry(self, event_id: str, *, dry_run: bool = False) -> str | None:
        """Tries one parked event now and returns its error, if any; a dry run leaves no trace."""
        async with self._database.begin() as session:
            parked = await session.scalar(
                select(ParkedEvent)
                .where(ParkedEvent.event_id == event_id, ParkedEvent.resolved_at.is_(None))
                .with_for_update()
            )
            if parked is None:
                raise NotFound(f"No event {event_id} is parked here.")
            now = datetime.now(UTC)
            error = await self._attempt(session, parked)
            if dry_run:
                await session.rollback()
            elif error is None:
                await parking.resolve(session, event_id, "handled", now)
            else:
                await parking.postpone(session, parked, error, now)
            return error

    async def _attempt(self, session: AsyncSession, parked: ParkedEvent) -> str | None:
        message = Message(parked.event_id, parked.event_type, parked.body, exchange="", traceparent=parked.traceparent)
        letter = self._open(message)
        if letter.unreadable:
            return letter.unreadable
        try:
            async with savepoint(session):
                if postponed := await self._react(session, [letter]):
                    raise _StillPostponed(postponed[0].error)
        except _StillPostponed as still:
            return str(still)
        except Unavailable:
            raise
        except Exception as error:
            return _describe(error)
        return None

    async def _together(self, letters: Sequence[_Letter]) -> None:
        async with self._database.begin() as session:
            fresh = await self._claim(session, letters)
            readable = [letter for letter in fresh if letter.received]
            to_park = [letter.to_park(letter.unreadable, hopeless=True) for letter in fresh if letter.unreadable]
            to_park += await self._react(session, readable)
            await self._park(session, to_park)
        self._telemetry.consumed.inc(len(fresh))

    async def _alone(self, letter: _Letter) -> None:
        try:
            await self._together([letter])
        except Unavailable:
            raise
        except Exception as error:
            log.exception("event_parked", event_id=letter.event_id, event_type=letter.event_type)
            async with self._database.begin() as session:
                if await self._claim(session, [letter]):
                    await self._park(session, [letter.to_park(_describe(error))])

    async def _claim(self, session: AsyncSession, letters: Sequence[_Letter]) -> list[_Letter]:
        """The letters that were not handled before; a replica that holds the same one makes us wait for its outcome."""
        claimed = await session.scalars(
            _CLAIM,
            {
                "event_ids": [letter.event_id for letter in letters],
                "event_types": [letter.event_type for letter in letters],
            },
        )
        new = set(claimed)
        return [letter for letter in letters if letter.event_id in new]

    async def _react(self, session: AsyncSession, letters: Sequence[_Letter]) -> list[ToPark]:
        by_id = {letter.event_id: letter for letter in letters}
        to_park = []
        for event_type, (_, reaction) in self._reactions.items():
            received = [letter.received for letter in letters if letter.received and letter.event_type == event_type]
            if received:
                # Inside, `traceparents()` has one entry per event, in their order.
                with working_for([valid(one.traceparent) or new_traceparent() for one in received]):
                    postponed = await reaction(session, received) or []
                to_park += [by_id[one.event_id].to_park(one.reason) for one in postponed]
        return to_park

    async def _park(self, session: AsyncSession, events: Sequence[ToPark]) -> None:
        await parking.park(session, events, datetime.now(UTC))
        self._telemetry.parked.inc(len(events))

    def _open(self, message: Message) -> _Letter:
        event_id = _usable(message.id) or hashlib.sha256(message.body).hexdigest()
        event_type = _usable(message.routing_key) or "unknown"
        try:
            envelope = Envelope.model_validate_json(message.body)
            event_id, event_type = envelope.event_id, envelope.event_type
            if event_type not in self._reactions:
                return _Letter(event_id, event_type, message, unreadable=f"nothing here reacts to {event_type}")
            event = self._reactions[event_type][0].model_validate(envelope.data)
        except ValidationError as error:
            reasons = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)[:5]
            )
            return _Letter(event_id, event_type, message, unreadable=f"not the documented form: {reasons}")
        received = Received(event, event_id, envelope.timestamp, message.traceparent)
        return _Letter(event_id, event_type, message, received)


class _StillPostponed(Exception):
    """Leaves the savepoint, so that what the reaction did for a postponed event is undone."""


def _usable(text_from_outside: str) -> str:
    return text_from_outside[:100].replace("\x00", "").encode("utf-8", "ignore").decode()


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000].replace("\x00", "")
