"""Carries the outbox to the broker, in its order and in batches; a row is marked once the broker has confirmed it."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from . import tracing
from .broker import Broker, Message, NotConfirmed
from .broker.patience import happens
from .db import Database
from .errors import Unavailable
from .failpoints import failpoint
from .steps import SENT
from .telemetry import Telemetry, logger

_WAITING = text(
    """
    SELECT id, event_id, event_type, exchange, mandatory, body, traceparent FROM outbox
    WHERE sent_at IS NULL AND next_attempt_at <= now()
    ORDER BY next_attempt_at, id LIMIT :batch FOR UPDATE SKIP LOCKED
    """
)
_SENT = text("UPDATE outbox SET sent_at = now() WHERE id = ANY(:ids)")
_DELAYED = text(
    """
    UPDATE outbox SET attempts = attempts + 1,
        next_attempt_at = now() + least(interval '200 ms' * power(2, least(attempts, 10)), interval '1 minute')
    WHERE id = ANY(:ids)
    """
)
_PATIENCE: Final = 3

log = logger("relay")


class NothingConfirmed(Exception):
    """The broker may be away: the rows of the batch stay as they are, in their order."""


class Relay:
    """Several may share one outbox: each takes rows that no other holds."""

    def __init__(
        self, database: Database, broker: Broker, telemetry: Telemetry, *, batch: int = 200, look_every: timedelta
    ) -> None:
        self._database = database
        self._broker = broker
        self._telemetry = telemetry
        self._batch = batch
        self._look_every = look_every.total_seconds()
        self._stopping = asyncio.Event()
        self._failures = 0

    async def run(self) -> None:
        while not self._stopping.is_set():
            self._database.outbox_filled.clear()
            taken = await self._try_batch()
            if taken is None:
                # New events do not shorten this wait: they would not get through either.
                await happens(self._stopping, min(5.0, 0.1 * 2 ** min(self._failures, 6)) * random.uniform(0.8, 1.2))
            elif taken < self._batch:
                await happens(self._database.outbox_filled, self._look_every)

    def stop(self) -> None:
        """What is being sent is finished; `run` returns after it."""
        self._stopping.set()
        self._database.outbox_filled.set()

    async def send_batch(self) -> int:
        async with self._database.begin() as session:
            rows = (await session.execute(_WAITING, {"batch": self._batch})).all()
            if rows:
                results = await self._broker.publish([_message(row) for row in rows])
                await failpoint("chassis.relay.sent")
                _note(rows, results)
                await self._mark(session, [row.id for row in rows], results)
            else:
                self._failures = 0
        return len(rows)

    async def _try_batch(self) -> int | None:
        try:
            return await self.send_batch()
        except (NothingConfirmed, Unavailable) as error:
            log.warning("relay_waits", reason=str(error), failures=self._failures + 1)
        except Exception:
            log.exception("relay_failed", failures=self._failures + 1)
        self._failures += 1
        return None

    async def _mark(self, session: AsyncSession, ids: Sequence[int], results: Sequence[Exception | None]) -> None:
        outcomes = list(zip(ids, results, strict=True))
        sent = [id for id, result in outcomes if result is None]
        if sent:
            self._failures = 0
            await session.execute(_SENT, {"ids": sent})
            self._telemetry.sent.inc(len(sent))
        elif all(isinstance(result, NotConfirmed) for result in results) and not await self._refuses_just_these():
            raise NothingConfirmed(str(results[0]))
        if len(sent) < len(ids):
            reason = next(str(result) for result in results if result)
            log.warning("events_delayed", count=len(ids) - len(sent), reason=reason)
            await session.execute(_DELAYED, {"ids": [id for id, result in outcomes if result]})

    async def _refuses_just_these(self) -> bool:
        """A broker that is well and confirms nothing, time and again: a full queue must not hold up all the others."""
        if self._failures < _PATIENCE:
            return False
        try:
            await self._broker.ready()
        except Exception:
            return False
        return True


def _note(rows: Sequence[Row[Any]], results: Sequence[Exception | None]) -> None:
    if tracing.active:
        for row, result in zip(rows, results, strict=True):
            if result is None and row.traceparent:
                tracing.mark(f"{SENT} {row.event_type}", row.traceparent)


def _message(row: Row[Any]) -> Message:
    return Message(
        id=str(row.event_id),
        routing_key=row.event_type,
        body=row.body.encode(),
        exchange=row.exchange,
        traceparent=row.traceparent,
        mandatory=row.mandatory,
    )
