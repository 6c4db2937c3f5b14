"""One channel with one consumer on it: what it did not acknowledge comes again, to anyone, once it has ended."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage

from .link import ANSWER_WITHIN, Link
from .patience import quietly, uninvited_cancellation_is_an_error
from .protocol import Message, Subscription
from .topology import ensure_inbox

_SUSPECT_FROM: Final = 3


class Delivery(NamedTuple):
    tag: int
    message: Message

    @property
    def is_suspect(self) -> bool:
        """Its consumers may have died of it."""
        return self.message.redelivered >= _SUSPECT_FROM


@asynccontextmanager
async def open_session(link: Link, subscription: Subscription) -> AsyncIterator["Session"]:
    channel = await link.channel()
    try:
        with uninvited_cancellation_is_an_error():
            await ensure_inbox(link, channel, subscription)
            session = Session(await channel.get_underlay_channel(), subscription)
            await session.consume(prefetch=1)
        yield session
    finally:
        await quietly(channel.close())


class Session:
    """Begins with one message at a time, and widens once one went well that is no suspect.

    What dies with its consumer counts as delivered, read or not: a wide prefetch beside a message that kills would
    carry its neighbours into the dead queue with it.
    """

    def __init__(self, channel: AbstractChannel, subscription: Subscription) -> None:
        self.over = asyncio.Event()
        self.registered = False
        self._idle_since: float | None = None
        self._channel = channel
        self._subscription = subscription
        self._careful = True
        self._consumer = ""
        self._buffer: deque[Delivery] = deque()
        self._stir = asyncio.Event()
        channel.closing.add_done_callback(lambda _: self.end())
        channel.on_consumer_cancel_callbacks.add(self._cancelled)

    async def consume(self, prefetch: int) -> None:
        await self._channel.basic_qos(prefetch_count=prefetch, timeout=ANSWER_WITHIN)
        # The driver's own call: aio-pika's would make a second task for each message.
        answer = await self._channel.basic_consume(self._subscription.queue, self._arrived, timeout=ANSWER_WITHIN)
        self._consumer = answer.consumer_tag or ""
        self.registered = True

    async def next_batch(self) -> list[Delivery]:
        """Everything that waits, up to a batch; nothing when the session is over."""
        while not self.over.is_set():
            if self._buffer:
                return self._cut()
            self._idle_since = asyncio.get_running_loop().time()
            self._stir.clear()
            await self._stir.wait()
            self._idle_since = None
        return []

    def idle_for(self) -> float:
        """Seconds since it has waited for messages."""
        return asyncio.get_running_loop().time() - self._idle_since if self._idle_since is not None else 0.0

    async def settle(self, batch: list[Delivery]) -> None:
        """If the channel is lost meanwhile the batch comes again, and the inbox knows it."""
        with suppress(Exception), uninvited_cancellation_is_an_error():
            if self._careful and not batch[0].is_suspect and not self.over.is_set():
                await self._widen()
            await self._channel.basic_ack(batch[-1].tag, multiple=True)

    async def cancel(self) -> None:
        self.registered = False
        await self._channel.basic_cancel(self._consumer, timeout=ANSWER_WITHIN)

    def end(self) -> None:
        self.over.set()
        self._stir.set()

    async def _widen(self) -> None:
        # Before the acknowledgement, so that the narrow consumer gets nothing more; in between we count as ready.
        self._careful = False
        try:
            await self._channel.basic_cancel(self._consumer, timeout=ANSWER_WITHIN)
            await self.consume(prefetch=2 * self._subscription.batch)
        except BaseException:
            self.registered = False
            raise

    def _cut(self) -> list[Delivery]:
        batch = [self._buffer.popleft()]
        if not batch[0].is_suspect:
            while self._buffer and len(batch) < self._subscription.batch and not self._buffer[0].is_suspect:
                batch.append(self._buffer.popleft())
        return batch

    async def _arrived(self, delivered: DeliveredMessage) -> None:
        self._buffer.append(_from_amqp(delivered))
        self._stir.set()

    def _cancelled(self, frame: aiormq.spec.Basic.Cancel) -> None:
        if frame.consumer_tag == self._consumer:
            self.registered = False


def _from_amqp(delivered: DeliveredMessage) -> Delivery:
    properties = delivered.header.properties
    headers = properties.headers or {}
    traceparent, count = headers.get("traceparent"), headers.get("x-delivery-count")
    message = Message(
        id=properties.message_id or "",
        routing_key=delivered.routing_key or "",
        body=delivered.body,
        exchange=delivered.exchange or "",
        traceparent=traceparent if isinstance(traceparent, str) else None,
        redelivered=count if isinstance(count, int) else 0,
    )
    return Delivery(delivered.delivery_tag or 0, message)
