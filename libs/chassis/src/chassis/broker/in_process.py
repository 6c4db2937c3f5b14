"""The broker inside one process. It keeps nothing: publish waits for every listener, and the outbox keeps the rest."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from .patience import FINISH_WITHIN, finish, hand_over
from .protocol import Consuming, Handle, Message, NotConfirmed, NotReady, Subscription, Unroutable


class InProcessBroker:
    def __init__(self, publish_within: timedelta = timedelta(seconds=5)) -> None:
        self._publish_within = publish_within.total_seconds()
        self._queues: dict[str, _Queue] = {}
        self._closed = False

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        copies = [[queue.put(message) for queue in self._queues_for(message)] for message in messages]
        waiting = [copy.handled for each in copies for copy in each]
        try:
            if waiting:
                await asyncio.wait(waiting, timeout=self._publish_within)
            return [_verdict(message, each) for message, each in zip(messages, copies, strict=True)]
        finally:
            # The sender will send again what it gives up here; a copy that no one has begun would only double it.
            for handled in waiting:
                handled.cancel()

    async def subscribe(self, subscription: Subscription, handle: Handle) -> Consuming:
        if self._closed:
            raise NotReady("the broker is closed")
        queue = self._queues.setdefault(subscription.queue, _Queue())
        queue.bindings |= {(exchange, key) for key, exchange in subscription.bindings.items()}
        consumer = _Consumer(queue, handle, subscription.batch)
        queue.consumers.append(consumer)
        return consumer

    async def ready(self) -> None:
        if self._closed:
            raise NotReady("the broker is closed")
        for name, queue in self._queues.items():
            if any(consumer.is_gone for consumer in queue.consumers):
                raise NotReady(f"{name}: a consumer has ended")

    async def close(self) -> None:
        self._closed = True
        consumers = [consumer for queue in self._queues.values() for consumer in queue.consumers]
        await asyncio.gather(*(consumer.stop() for consumer in consumers))

    def _queues_for(self, message: Message) -> list["_Queue"]:
        return [queue for queue in self._queues.values() if (message.exchange, message.routing_key) in queue.bindings]


@dataclass(eq=False, slots=True)
class _Copy:
    """One message on its way to one queue."""

    message: Message
    handled: asyncio.Future[bool]

    def settle(self, handled: bool) -> None:
        if not self.handled.done():
            self.handled.set_result(handled)


def _verdict(message: Message, copies: Sequence[_Copy]) -> Exception | None:
    if not copies:
        return Unroutable(f"no queue takes {message.routing_key}") if message.mandatory else None
    if all(copy.handled.done() and not copy.handled.cancelled() and copy.handled.result() for copy in copies):
        return None
    return NotConfirmed("not every listener has handled it")


@dataclass(eq=False)
class _Queue:
    """Stays bound when its consumers have gone: what they should hear must not count as heard."""

    bindings: set[tuple[str, str]] = field(default_factory=set)
    consumers: list["_Consumer"] = field(default_factory=list)
    copies: deque[_Copy] = field(default_factory=deque)
    stir: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, message: Message) -> _Copy:
        copy = _Copy(message, asyncio.get_running_loop().create_future())
        if self.consumers:
            self.copies.append(copy)
            self.stir.set()
        else:
            copy.settle(False)
        return copy

    async def take(self, most: int, over: asyncio.Event) -> list[_Copy]:
        """A batch, or nothing when it is over."""
        batch: list[_Copy] = []
        while not batch and not over.is_set():
            while self.copies and len(batch) < most:
                copy = self.copies.popleft()
                if not copy.handled.done():
                    batch.append(copy)
            if not batch:
                self.stir.clear()
                await self.stir.wait()
        return batch

    def leave(self, consumer: "_Consumer") -> None:
        if consumer in self.consumers:
            self.consumers.remove(consumer)
        if not self.consumers:
            while self.copies:
                self.copies.popleft().settle(False)


class _Consumer:
    def __init__(self, queue: _Queue, handle: Handle, batch: int) -> None:
        self._queue = queue
        self._handle = handle
        self._batch = batch
        self._over = asyncio.Event()
        self._running = asyncio.create_task(self._run(), name="in-process consumer")

    @property
    def is_gone(self) -> bool:
        return self._running.done()

    async def stop(self) -> None:
        self._over.set()
        self._queue.stir.set()
        await finish(self._running, FINISH_WITHIN)
        self._queue.leave(self)

    async def _run(self) -> None:
        while batch := await self._queue.take(self._batch, self._over):
            handled = False
            try:
                handled = await hand_over(self._handle, [copy.message for copy in batch], self._over)
            finally:
                for copy in batch:
                    copy.settle(handled)
