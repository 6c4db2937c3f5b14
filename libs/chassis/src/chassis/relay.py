"""Carries the outbox to the broker, in its order and in batches; a row is marked once the broker has confirmed it."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from .broker import Broker, Message, NotConfirmed
from .db import Database
from .errors import Unavailable
from .failpoints import failpoint
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
        next_attempt_at = now() + least(interval '1 second' * power(2, least(attempts, 10)), interval '1 minute')
    WHERE id = ANY(:ids)
    """
)

log = logger("relay")


class BrokerAway(Exception):
    """Nothing of a batch was confirmed: the rows stay as they are, in their order."""


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
        self._stopping = False

    async def run(self) -> None:
        failures = 0
        while not self._stopping:
            self._database.outbox_filled.clear()
            try:
                taken = await self.send_batch()
                failures = 0
            except (BrokerAway, Unavailable) as error:
                failures += 1
                log.warning("relay_waits", reason=str(error), failures=failures)
                await self._pause(min(5.0, 0.1 * 2**failures) * random.uniform(0.8, 1.2))
                continue
            except Exception:
                failures += 1
                log.exception("relay_failed", failures=failures)
                await self._pause(min(5.0, 0.1 * 2**failures))
                continue
            if taken < self._batch:
                await self._pause(self._look_every)

    def stop(self) -> None:
        """What is being sent is finished; `run` returns after it."""
        self._stopping = True
        self._database.outbox_filled.set()

    async def send_batch(self) -> int:
        async with self._database.begin() as session:
            rows = (await session.execute(_WAITING, {"batch": self._batch})).all()
            if not rows:
                return 0
            results = await self._broker.publish(
                [
                    Message(
                        id=str(row.event_id),
                        routing_key=row.event_type,
                        body=row.body.encode(),
                        exchange=row.exchange,
                        traceparent=row.traceparent,
                        mandatory=row.mandatory,
                    )
                    for row in rows
                ]
            )
            await failpoint("chassis.relay.sent")
            await self._mark(session, [row.id for row in rows], results)
        return len(rows)

    async def _mark(self, session: AsyncSession, ids: Sequence[int], results: Sequence[Exception | None]) -> None:
        sent = [id for id, result in zip(ids, results, strict=True) if result is None]
        if not sent and all(isinstance(result, NotConfirmed) for result in results):
            raise BrokerAway(str(results[0]))
        unroutable = [
            id for id, result in zip(ids, results, strict=True) if result and not isinstance(result, NotConfirmed)
        ]
        if sent:
            await session.execute(_SENT, {"ids": sent})
            self._telemetry.sent.inc(len(sent))
        if unroutable:
            log.warning("events_without_listener", count=len(unroutable), reason=str(next(filter(None, results))))
            await session.execute(_DELAYED, {"ids": unroutable})

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._database.outbox_filled.wait()
        except TimeoutError:
            pass
