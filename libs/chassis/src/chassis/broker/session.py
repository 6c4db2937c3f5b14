"""One channel with one consumer on it: what it did not acknowledge comes again, to anyone, once it has ended."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage

from .arrival import Arrival, Delivered
from .link import ANSWER_WITHIN, Link
from .patience import quietly, uninvited_cancellation_is_an_error
from .protocol import Subscription
from .topology import ensure_inbox

_SUSPECT_FROM: Final = 3


@asynccontextmanager
async def open_session(link: Link, subscription: Subscription) -> AsyncIterator["Session"]:
    session = Session(subscription)
    channel = await link.channel(session.take)
    try:
        with uninvited_cancellation_is_an_error():
            await ensure_inbox(link, channel, subscription)
            await session.begin(await channel.get_underlay_channel())
        yield session
    finally:
        await quietly(channel.close())


class Session:
    """Begins with one message at a time, and widens once one went well that is no suspect.

    What dies with its consumer counts as delivered, read or not: a wide prefetch beside a message that kills would
    carry its neighbours into the dead queue with it.
    """

    _channel: AbstractChannel

    def __init__(self, subscription: Subscription) -> None:
        self.over = asyncio.Event()
        self.registered = False
        self._idle_since: float | None = None
        self._subscription = subscription
        self._careful = True
        self._consumer = ""
        self._buffer: deque[Delivered] = deque()
        self._stir = asyncio.Event()

    async def begin(self, channel: AbstractChannel) -> None:
        self._channel = channel
        channel.closing.add_done_callback(lambda _: self.end())
        channel.on_consumer_cancel_callbacks.add(self._cancelled)
        await self._consume(prefetch=1)

    def take(self, arrival: Arrival) -> None:
        """Called for each message, so there is no more to it than this."""
        if isinstance(arrival, Delivered):
            self._buffer.append(arrival)
            self._stir.set()

    async def next_batch(self) -> list[Delivered]:
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

    async def settle(self, batch: list[Delivered]) -> None:
        """If the channel is lost meanwhile the batch comes again, and the inbox knows it."""
        with suppress(Exception), uninvited_cancellation_is_an_error():
            if self._careful and not _is_suspect(batch[0]) and not self.over.is_set():
                await self._widen()
            await self._channel.basic_ack(batch[-1].tag, multiple=True, wait=False)

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
            await self._consume(prefetch=2 * self._subscription.batch)
        except BaseException:
            self.registered = False
            raise

    def _cut(self) -> list[Delivered]:
        batch = [self._buffer.popleft()]
        if not _is_suspect(batch[0]):
            while self._buffer and len(batch) < self._subscription.batch and not _is_suspect(self._buffer[0]):
                batch.append(self._buffer.popleft())
        return batch

    async def _consume(self, prefetch: int) -> None:
        await self._channel.basic_qos(prefetch_count=prefetch, timeout=ANSWER_WITHIN)
        answer = await self._channel.basic_consume(self._subscription.queue, self._not_taken, timeout=ANSWER_WITHIN)
        self._consumer = answer.consumer_tag or ""
        self.registered = True

    async def _not_taken(self, _: DeliveredMessage) -> None:
        self.end()
        raise RuntimeError("a message came past the tap, by a way on which nobody reads")

    def _cancelled(self, frame: aiormq.spec.Basic.Cancel) -> None:
        if frame.consumer_tag == self._consumer:
            self.registered = False


def _is_suspect(delivered: Delivered) -> bool:
    """Its consumers may have died of it."""
    return delivered.message.redelivered >= _SUSPECT_FROM
