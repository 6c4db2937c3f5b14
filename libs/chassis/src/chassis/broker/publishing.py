"""Sends batches to RabbitMQ and tells for each message whether it is safe there; sending it again is the outbox's."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from ..telemetry import logger
from .confirms import Result
from .link import Link
from .outlet import Outlet, open_outlet
from .patience import uninvited_cancellation_is_an_error
from .protocol import Message, NotConfirmed

log = logger("broker")


class Publisher:
    """Batches that run at once have a channel each, so that what befalls one leaves the others alone."""

    def __init__(self, link: Link, within: timedelta) -> None:
        self._link = link
        self._within = within.total_seconds()
        self._idle: list[Outlet] = []

    async def publish(self, messages: Sequence[Message]) -> list[Result]:
        results: list[Result] = [NotConfirmed("no word from the broker") for _ in messages]
        try:
            async with asyncio.timeout(self._within):
                await self._send(messages, results)
        except TimeoutError:
            log.warning("publish_timed_out", size=len(messages))
            self._link.renew()
            self._idle.clear()
        except Exception as error:
            log.warning("publish_failed", size=len(messages), error=f"{type(error).__name__}: {error}")
        return results

    async def _send(self, messages: Sequence[Message], results: list[Result]) -> None:
        outlet = self._take_idle() or await open_outlet(self._link)
        try:
            with uninvited_cancellation_is_an_error():
                await outlet.declare(self._link, messages)
                await outlet.send(messages, results)
        finally:
            # A channel on which something is still open must not see the same message ids again.
            if any(isinstance(result, NotConfirmed) for result in results):
                self._link.leave(outlet.close())
            else:
                self._idle.append(outlet)

    def _take_idle(self) -> Outlet | None:
        while self._idle:
            outlet = self._idle.pop()
            if outlet.is_open:
                return outlet
        return None
