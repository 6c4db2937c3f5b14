"""The broker as RabbitMQ keeps it: two connections for one process, and what publishes and consumes on them."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from .consuming import RabbitConsumer
from .link import Link
from .protocol import Consuming, Handle, Message, NotReady, Subscription
from .publishing import Publisher
from .watchdog import Watchdog

_READY_WITHIN: Final = 2.0


def end_process(_: str) -> None:
    """A process that does not consume looks well and does nothing; its supervisor starts one that does."""
    os.kill(os.getpid(), signal.SIGTERM)


class RabbitBroker:
    def __init__(
        self,
        url: str,
        *,
        name: str = "orderflow",
        on_lost: Callable[[str], None] = end_process,
        publish_within: timedelta = timedelta(seconds=5),
        look_every: timedelta = timedelta(seconds=10),
        silence: timedelta = timedelta(seconds=60),
    ) -> None:
        self._publishing = Link(url, f"{name} publishes")
        self._consuming = Link(url, f"{name} consumes")
        self._publisher = Publisher(self._publishing, publish_within)
        self._on_lost = on_lost
        self._look_every = look_every
        self._silence = silence
        self._consumers: list[RabbitConsumer] = []
        self._watching: list[asyncio.Task[None]] = []

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        return await self._publisher.publish(messages)

    async def subscribe(self, subscription: Subscription, handle: Handle) -> Consuming:
        consumer = RabbitConsumer(self._consuming, subscription, handle)
        watchdog = Watchdog(
            self._consuming, consumer, self._on_lost, look_every=self._look_every, silence=self._silence
        )
        self._consumers.append(consumer)
        self._watching.append(asyncio.create_task(watchdog.run(), name=f"{subscription.queue} watchdog"))
        await consumer.tried()
        return consumer

    async def ready(self) -> None:
        try:
            async with asyncio.timeout(_READY_WITHIN):
                await self._publishing.connect()
        except Exception as error:
            raise NotReady(f"RabbitMQ cannot be reached: {type(error).__name__}: {error}") from error
        for consumer in self._consumers:
            if not consumer.is_stopped:
                consumer.ready()

    async def close(self) -> None:
        for watching in self._watching:
            watching.cancel()
        await asyncio.gather(
            *(consumer.stop() for consumer in self._consumers), *self._watching, return_exceptions=True
        )
        await asyncio.gather(self._publishing.close(), self._consuming.close())
