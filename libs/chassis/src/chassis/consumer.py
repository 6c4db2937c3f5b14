"""Runs the service's reactions on batches of messages, each event once; what they mean is their features' affair."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.envelope import Event

from . import parking
from .broker import Message
from .db import Database
from .engine import DatabaseAway, describe, storable
from .failpoints import failpoint
from .inbox import claim
from .letters import Letter, Received, open_letter
from .parking import NotParked, ParkedEvent, ToPark
from .steps import HEARD, HEARD_IN
from .telemetry import Telemetry, logger
from .tracing import new_traceparent, service_name, span, working_for

__all__ = ["Consumer", "Postponed", "Reaction", "Reactions", "Received"]

# Shorter than a transaction may stay idle: a reaction that hangs would look like a database that is away after that.
_LONGEST: Final = 12.0
_MOST_RETRIES_IN_A_ROW: Final = 500

log = logger("consumer")


@dataclass(frozen=True, slots=True)
class Postponed:
    """A reaction's word that an event cannot be handled yet, while the others of its batch can.

    What was done for it is undone: the others are handled once more, without it.
    """

    event_id: str
    reason: str


Reaction = Callable[[AsyncSession, Sequence[Received[Any]]], Awaitable[Sequence[Postponed] | None]]
Reactions = Mapping[type[Event], Reaction]


class Consumer:
    def __init__(self, database: Database, reactions: Reactions, telemetry: Telemetry) -> None:
        self._database = database
        self._kinds = {event.event_type: event for event in reactions}
        self._reactions = {event.event_type: reaction for event, reaction in reactions.items()}
        self._telemetry = telemetry

    async def handle(self, messages: Sequence[Message]) -> None:
        """Returns when each event is committed or parked; raises when neither could be done: the batch comes again."""
        letters: dict[str, Letter] = {}
        for message in messages:
            letter = open_letter(message, self._kinds)
            letters.setdefault(letter.event_id, letter)
        try:
            await self._together(list(letters.values()))
        except DatabaseAway:
            raise
        except Exception as error:
            log.warning("batch_taken_apart", size=len(letters), error=describe(error))
            for letter in letters.values():
                await self._alone(letter)
        await failpoint("chassis.consumer.committed")

    async def retry_due(self) -> None:
        """The job that tries parked events again."""
        for _ in range(_MOST_RETRIES_IN_A_ROW):
            async with self._database.begin() as session:
                parked = await parking.begin_next_attempt(session, datetime.now(UTC))
            if parked is None:
                return
            await self._try_again(parked)

    async def retry(self, event_id: str, *, dry_run: bool = False) -> str | None:
        """Tries one parked event now and returns its error, if any; a dry run leaves no trace."""
        if dry_run:
            return await self._rehearse(event_id)
        async with self._database.begin() as session:
            parked = await parking.begin_attempt(session, event_id, datetime.now(UTC))
        return await self._try_again(parked)

    async def _together(self, letters: Sequence[Letter]) -> None:
        postponed: dict[str, str] = {}
        while more := await self._settle(letters, postponed):
            postponed |= more

    async def _settle(self, letters: Sequence[Letter], postponed: Mapping[str, str]) -> Mapping[str, str]:
        """All of them in one transaction, or none: what has to be postponed before the others can be settled."""
        fresh, to_park = list[Letter](), list[ToPark]()
        try:
            async with asyncio.timeout(_LONGEST), self._database.begin() as session:
                fresh = await self._claim(session, letters)
                await self._react(session, [letter for letter in fresh if letter.event_id not in postponed])
                reasons = {letter.event_id: letter.problem or postponed.get(letter.event_id) for letter in fresh}
                to_park = [letter.to_park(reason) for letter in fresh if (reason := reasons[letter.event_id])]
                await parking.park(session, to_park, datetime.now(UTC))
        except _NotYet as not_yet:
            return not_yet.reasons
        self._telemetry.consumed.inc(len(fresh))
        self._note(to_park)
        return {}

    async def _alone(self, letter: Letter) -> None:
        try:
            await self._together([letter])
        except DatabaseAway:
            raise
        except Exception as error:
            log.exception("event_failed", event_id=letter.event_id, event_type=letter.event_type)
            async with self._database.begin() as session:
                to_park = [one.to_park(describe(error)) for one in await self._claim(session, [letter])]
                await parking.park(session, to_park, datetime.now(UTC))
            self._note(to_park)

    async def _claim(self, session: AsyncSession, letters: Sequence[Letter]) -> list[Letter]:
        fresh = await claim(session, {letter.event_id: letter.event_type for letter in letters})
        return [letter for letter in letters if letter.event_id in fresh]

    async def _react(self, session: AsyncSession, letters: Sequence[Letter]) -> None:
        reasons: dict[str, str] = {}
        for event_type, reaction in self._reactions.items():
            received = [letter.received for letter in letters if letter.received and letter.event_type == event_type]
            if received:
                # Inside, `traceparents()` has one entry per event, in their order.
                with (
                    working_for([one.traceparent or new_traceparent() for one in received]),
                    span(f"{HEARD} {event_type}", **{HEARD_IN: service_name.get()}),
                ):
                    postponed = await reaction(session, received) or []
                reasons |= {one.event_id: one.reason for one in postponed}
        if not reasons.keys() <= {letter.event_id for letter in letters}:
            raise RuntimeError("A reaction has postponed what it was not given.")
        if reasons:
            raise _NotYet(reasons)

    def _note(self, parked: Sequence[ToPark]) -> None:
        self._telemetry.parked.inc(len(parked))
        for event in parked:
            log.warning("event_parked", event_id=event.event_id, event_type=event.event_type, error=event.error)

    async def _try_again(self, parked: ParkedEvent) -> str | None:
        try:
            async with asyncio.timeout(_LONGEST), self._database.begin() as session:
                await parking.hold(session, parked.event_id, attempt=parked.attempts)
                await self._react_to_parked(session, parked)
                await parking.resolve(session, parked.event_id, "handled", datetime.now(UTC))
        except NotParked:
            return "another attempt is under way"
        except DatabaseAway:
            raise
        except Exception as error:
            reason = _reason(error)
        else:
            return None
        log.warning("event_still_parked", event_id=parked.event_id, attempts=parked.attempts, error=reason)
        async with self._database.begin() as session:
            await parking.note_error(session, parked.event_id, reason)
        return reason

    async def _rehearse(self, event_id: str) -> str | None:
        try:
            async with asyncio.timeout(_LONGEST), self._database.begin() as session:
                await self._react_to_parked(session, await parking.hold(session, event_id))
                await session.flush()
                # What a commit would find.
                await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
                raise _Rehearsed
        except _Rehearsed:
            return None
        except (DatabaseAway, NotParked):
            raise
        except Exception as error:
            return _reason(error)

    async def _react_to_parked(self, session: AsyncSession, parked: ParkedEvent) -> None:
        message = Message(parked.event_id, parked.event_type, parked.body, exchange="", traceparent=parked.traceparent)
        letter = open_letter(message, self._kinds)
        if letter.problem is not None:
            raise _NotYet({parked.event_id: letter.problem})
        await self._react(session, [letter])


class _NotYet(Exception):
    """Leaves the transaction, so that what was done for postponed events is undone."""

    def __init__(self, reasons: dict[str, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = reasons


class _Rehearsed(Exception):
    """Leaves the transaction, so that nothing remains of it."""


def _reason(error: Exception) -> str:
    return storable(str(error)) if isinstance(error, _NotYet) else describe(error)
