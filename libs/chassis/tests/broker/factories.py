"""What the tests here are made of: messages, a listener that hesitates and fails, an outbox, a wire that can be cut."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractQueue

from chassis.broker import Broker, Message, NotReady, Subscription
from tests.harness.listening import stop_listening

PLACED = "order.created"
SHIPPED = "order.shipped"
UNHEARD = "cart.cleared"
SALES = "sales.events"


def message(
    key: str = PLACED, *, mandatory: bool = False, body: bytes = b"{}", traceparent: str | None = None
) -> Message:
    return Message(str(uuid4()), key, body, SALES, traceparent=traceparent, mandatory=mandatory)


def messages(count: int, key: str = PLACED) -> list[Message]:
    return [message(key, mandatory=True) for _ in range(count)]


def subscription(
    service: str = "delivery", *keys: str, batch: int = 100, rest: timedelta = timedelta(0)
) -> Subscription:
    return Subscription(service, dict.fromkeys(keys or (PLACED,), SALES), batch, rest)


def ids(heard: Sequence[Message]) -> list[str]:
    return [each.id for each in heard]


class Listener:
    """Hears while `open`, and fails as often as it was told to."""

    def __init__(self, *, failures: int = 0) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.failures = failures
        self.begun: list[list[Message]] = []
        self.done: list[list[Message]] = []
        self.cancelled = 0

    async def __call__(self, batch: Sequence[Message]) -> None:
        self.begun.append(list(batch))
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionError("the database is away")
        self.done.append(list(batch))

    @property
    def heard(self) -> list[Message]:
        return [each for batch in self.done for each in batch]


async def until(condition: Callable[[], bool], within: float = 30) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what is waited for is often in another process
            await asyncio.sleep(0.005)


async def until_confirmed(broker: Broker, sent: Sequence[Message], within: float = 60) -> None:
    """What the outbox does: all that is not confirmed is sent again."""
    left = list(sent)
    async with asyncio.timeout(within):
        while left:
            results = await broker.publish(left)
            left = [each for each, result in zip(left, results, strict=True) if result is not None]
            await asyncio.sleep(0.02 if left else 0)


async def until_ready(broker: Broker, within: float = 60) -> None:
    async with asyncio.timeout(within):
        while True:
            try:
                return await broker.ready()
            except NotReady:
                await asyncio.sleep(0.02)


async def until_unready(broker: Broker, within: float = 60) -> NotReady:
    async with asyncio.timeout(within):
        while True:
            try:
                await broker.ready()
            except NotReady as reason:
                return reason
            await asyncio.sleep(0.02)


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[AbstractChannel]:
    """A look at RabbitMQ past the broker under test."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        yield channel


async def until_it_holds(queue: AbstractQueue, count: int) -> None:
    async with asyncio.timeout(10):
        while (await queue.declare()).message_count != count:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)


class Wire:
    """A way to RabbitMQ that can be cut, and that can fall silent."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._flowing = _flowing()
        self._ends: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.url = ""

    @asynccontextmanager
    async def laid(self, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator["Wire"]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", port, ssl=tls)
        here = server.sockets[0].getsockname()[1]
        there = self._there
        scheme = "amqps" if tls else there.scheme
        self.url = f"{scheme}://{there.username}:{there.password}@127.0.0.1:{here}{there.path}"
        try:
            yield self
        finally:
            await stop_listening(server)
            self.cut()
            for pump in self._pumps:
                pump.cancel()
            await asyncio.gather(*self._pumps, return_exceptions=True)
            await server.wait_closed()

    def cut(self) -> None:
        """Ends every connection at once, without a word of farewell."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    def fall_silent(self) -> None:
        """On the connections there are, nothing moves any more; new ones work."""
        self._flowing.clear()
        self._flowing = _flowing()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(self._there.hostname, self._there.port)
        self._ends |= {writer, there_writer}
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            self._pumps.add(asyncio.create_task(_pump(source, sink, self._flowing)))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
    try:
        while piece := await source.read(65536):
            await flowing.wait()
            sink.write(piece)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


def _flowing() -> asyncio.Event:
    flowing = asyncio.Event()
    flowing.set()
    return flowing
