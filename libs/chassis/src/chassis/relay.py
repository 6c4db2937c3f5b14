"""Carries the outbox to the broker, in its order and in batches; a row is marked once the broker has confirmed it.

What the process itself has just written comes by the handover; everything else is looked for in the table.
"""

import asyncio
import random
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from . import tracing
from .breather import LONGEST_BREATHER, breather, portion
from .broker import Broker, Message, NotConfirmed
from .broker.patience import happens
from .db import Database
from .errors import Unavailable
from .failpoints import failpoint
from .handover import Entry
from .marks import MARK_SENT, Marks
from .steps import SENT
from .telemetry import Telemetry, logger

_WAITING = text(
    """
    SELECT id, event_id, event_type, exchange, mandatory, body, traceparent FROM outbox
    WHERE sent_at IS NULL AND next_attempt_at <= now()
    ORDER BY next_attempt_at, id LIMIT :most FOR UPDATE SKIP LOCKED
    """
)
_DELAYED = text(
    """
    UPDATE outbox SET attempts = attempts + 1,
        next_attempt_at = now() + least(interval '200 ms' * power(2, least(attempts, 10)), interval '1 minute')
    WHERE id = ANY(:ids)
    """
)
_LEFT = text("UPDATE outbox SET next_attempt_at = '-infinity' WHERE id = ANY(:ids) AND sent_at IS NULL")
_PATIENCE: Final = 3

log = logger("relay")


class NothingConfirmed(Exception):
    """The broker may be away: the rows of the batch stay as they are, in their order."""


class Relay:
    """Several may share one outbox: each takes rows that no other holds."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        telemetry: Telemetry,
        *,
        batch: int = 200,
        look_every: timedelta,
        rest: timedelta = timedelta(0),
        breather: timedelta = LONGEST_BREATHER,
    ) -> None:
        """`rest` and `breather` are the shortest and the longest after a batch."""
        self._database = database
        self._broker = broker
        self._telemetry = telemetry
        self._batch = batch
        self._look_every = look_every.total_seconds()
        self._rest = rest
        self._longest_breather = breather
        self._marks = Marks(database)
        self._next_look = 0.0
        self._stopping = asyncio.Event()
        self._failures = 0

    async def run(self) -> None:
        handover = self._database.handover
        try:
            while not self._stopping.is_set():
                handover.filled.clear()
                most = portion(self._batch)
                if entries := handover.take(most):
                    await self._unhurried(self._send(entries), most)
                # However much comes by hand: what was left may be older.
                if self._is_to_look():
                    await self._unhurried(self._look(most), most)
                elif not entries:
                    await happens(handover.filled, self._next_look - self._now())
        finally:
            await self._leave(handover.close())
            await self._marks.close()

    def stop(self) -> None:
        """What is being sent is finished; `run` returns after it."""
        self._stopping.set()
        self._database.handover.filled.set()

    async def send_batch(self, most: int | None = None) -> int:
        """Of what has to be looked for; how much that was."""
        async with self._database.begin() as session:
            entries = [_entry(row) for row in await session.execute(_WAITING, {"most": most or self._batch})]
            if entries:
                await self._mark(session, entries, await self._publish(entries))
            else:
                self._failures = 0
        return len(entries)

    def _is_to_look(self) -> bool:
        is_due = self._database.handover.has_left_some or self._now() >= self._next_look
        return is_due and not self._stopping.is_set()

    async def _unhurried(self, sending: Awaitable[int], most: int) -> None:
        began = self._now()
        if sent := await self._try(sending):
            # A small piece rests for its part of the longest only: in a while as much goes out as in large ones.
            longest = self._longest_breather * (most / self._batch)
            rest = breather(since=began, done=sent, least=self._rest, longest=longest, was_full=sent == most)
            await happens(self._stopping, within=rest)

    async def _look(self, most: int) -> int:
        handover = self._database.handover
        handover.has_left_some = False
        taken = await self.send_batch(most)
        if taken < most:
            self._next_look = self._now() + self._look_every
            # Nothing waits that is older than what comes now.
            handover.open()
        return taken

    async def _send(self, entries: Sequence[Entry]) -> int:
        try:
            results = await self._publish(entries)
            if any(results):
                async with self._database.begin() as session:
                    await self._mark(session, entries, results)
            else:
                self._note_sent(len(entries))
                self._marks.add(entry.id for entry in entries)
        except Exception:
            await self._leave([*entries, *self._database.handover.close()])
            raise
        return len(entries)

    async def _leave(self, entries: Sequence[Entry]) -> None:
        """To be looked for, by whoever comes first."""
        self._database.handover.has_left_some = True
        if entries:
            try:
                await self._database.run_alone(_LEFT, {"ids": [entry.id for entry in entries]})
            except Exception as error:
                log.warning("events_left_for_later", count=len(entries), reason=type(error).__name__)

    async def _publish(self, entries: Sequence[Entry]) -> Sequence[Exception | None]:
        results = await self._broker.publish([entry.message for entry in entries])
        await failpoint("chassis.relay.sent")
        _note(entries, results)
        return results

    async def _try(self, sending: Awaitable[int]) -> int | None:
        """None if it has failed, after a pause. New events do not shorten that: they would not get through either."""
        try:
            return await sending
        except (NothingConfirmed, Unavailable) as error:
            log.warning("relay_waits", reason=str(error), failures=self._failures + 1)
        except Exception:
            log.exception("relay_failed", failures=self._failures + 1)
        self._failures += 1
        await happens(self._stopping, min(5.0, 0.1 * 2 ** min(self._failures, 6)) * random.uniform(0.8, 1.2))
        return None

    async def _mark(self, session: AsyncSession, entries: Sequence[Entry], results: Sequence[Exception | None]) -> None:
        outcomes = [(entry.id, result) for entry, result in zip(entries, results, strict=True)]
        sent = [id for id, result in outcomes if result is None]
        if sent:
            self._note_sent(len(sent))
            await session.execute(MARK_SENT, {"ids": sent})
        elif all(isinstance(result, NotConfirmed) for result in results) and not await self._refuses_just_these():
            raise NothingConfirmed(str(results[0]))
        if len(sent) < len(entries):
            reason = next(str(result) for result in results if result)
            log.warning("events_delayed", count=len(entries) - len(sent), reason=reason)
            await session.execute(_DELAYED, {"ids": [id for id, result in outcomes if result]})

    def _note_sent(self, count: int) -> None:
        self._failures = 0
        self._telemetry.sent.inc(count)

    async def _refuses_just_these(self) -> bool:
        """A broker that is well and confirms nothing, time and again: a full queue must not hold up all the others."""
        if self._failures < _PATIENCE:
            return False
        try:
            await self._broker.ready()
        except Exception:
            return False
        return True

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _note(entries: Sequence[Entry], results: Sequence[Exception | None]) -> None:
    if tracing.active:
        for (_, message), result in zip(entries, results, strict=True):
            if result is None and message.traceparent:
                tracing.mark(f"{SENT} {message.routing_key}", message.traceparent)


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        row.id,
        Message(
            id=str(row.event_id),
            routing_key=row.event_type,
            body=row.body.encode(),
            exchange=row.exchange,
            traceparent=row.traceparent,
            mandatory=row.mandatory,
        ),
    )
