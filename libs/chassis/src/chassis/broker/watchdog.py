"""Looks whether a consumer still is one in the broker's eyes, and raises the alarm; what follows is the process's."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from aio_pika.exceptions import ChannelNotFoundEntity

from ..telemetry import logger
from .consuming import RabbitConsumer
from .link import Link
from .session import Session

log = logger("broker")


class Watchdog:
    def __init__(
        self,
        link: Link,
        consumer: RabbitConsumer,
        on_lost: Callable[[str], None],
        *,
        look_every: timedelta,
        silence: timedelta,
    ) -> None:
        self._link = link
        self._consumer = consumer
        self._on_lost = on_lost
        self._look_every = look_every.total_seconds()
        self._silence = silence.total_seconds()

    async def run(self) -> None:
        seen_before = False
        while not self._consumer.is_stopped:
            await asyncio.sleep(self._look_every)
            reason = await self._look()
            # One look proves nothing: a quorum queue that just changes its leader reports no consumers at all.
            if reason is not None and seen_before:
                self._raise_alarm(reason)
            seen_before = reason is not None and not seen_before

    def _raise_alarm(self, reason: str) -> None:
        log.critical("consumer_lost", queue=self._consumer.queue, reason=reason)
        if self._consumer.session is not None:
            self._consumer.session.end()
        try:
            self._on_lost(f"{self._consumer.queue}: {reason}")
        except Exception:
            log.exception("on_lost_failed", queue=self._consumer.queue)

    async def _look(self) -> str | None:
        """What is wrong; None also while the consumer is about to connect again, which it does by itself."""
        session = self._consumer.session
        if self._consumer.has_ended and not self._consumer.is_stopped:
            return "its task has ended"
        if session is None:
            return None
        try:
            reason = await self._ask(session)
        except Exception as error:
            log.warning("look_failed", queue=self._consumer.queue, error=f"{type(error).__name__}: {error}")
            return None
        return reason if session is self._consumer.session else None

    async def _ask(self, session: Session) -> str | None:
        try:
            async with self._link.passing_channel() as channel:
                queue = (await channel.declare_queue(self._consumer.queue, passive=True)).declaration_result
        except ChannelNotFoundEntity:
            return "the queue is gone"
        if not queue.consumer_count or not session.registered:
            return "the broker knows no consumer"
        if queue.message_count and session.idle_for() >= self._silence:
            return "messages wait and none is delivered"
        return None
