"""One connection to RabbitMQ: opened when first needed and anew when it was lost; what its channels do is their users'.

Channels are aio-pika's plain ones, not its robust ones: whoever uses a channel builds all of it anew after a loss,
so that nothing is restored by halves, behind our back, or never.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Final

from aio_pika.abc import AbstractChannel
from aio_pika.connection import make_url

from .arrival import Take
from .patience import quietly, uninvited_cancellation_is_an_error
from .protocol import NotReady
from .tap import TappedConnection

ANSWER_WITHIN: Final = 5.0
_HEARTBEAT: Final = 10
_RECONNECT_INTERVAL: Final = 1.0


class Link:
    def __init__(self, url: str, name: str) -> None:
        self._url = make_url(url, heartbeat=_HEARTBEAT)
        self._name = name
        self._connection: TappedConnection | None = None
        self._opening = asyncio.Lock()
        self._not_before = 0.0
        self._farewells: set[asyncio.Task[None]] = set()
        self._closed = False

    async def channel(self, take: Take | None = None) -> AbstractChannel:
        """A new channel with confirms. It ends with its connection and is not restored.

        With `take`, all that arrives on it in masses goes there, and not through aiormq.
        """
        with uninvited_cancellation_is_an_error():
            connection = await self.connect()
            async with asyncio.timeout(ANSWER_WITHIN):
                channel = connection.channel(publisher_confirms=True)
                await channel.initialize()
                if take is not None:
                    connection.divert(await channel.get_underlay_channel(), take)
        return channel

    @asynccontextmanager
    async def passing_channel(self) -> AsyncIterator[AbstractChannel]:
        """For a question whose answer may be that the broker closes the channel."""
        channel = await self.channel()
        try:
            with uninvited_cancellation_is_an_error():
                async with asyncio.timeout(ANSWER_WITHIN):
                    yield channel
        finally:
            self.leave(channel.close())

    async def connect(self) -> TappedConnection:
        async with self._opening:
            if self._connection is None or not self._connection.connected.is_set():
                self.renew()
                self._connection = await self._open()
            return self._connection

    def renew(self) -> None:
        """The next channel gets a new connection: one that is silent may be dead long before its heartbeat says so."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.leave(connection.close())

    def leave(self, closing: Awaitable[object]) -> None:
        """Closes something without waiting for it: if the broker is gone it would take its time."""
        farewell = asyncio.create_task(quietly(closing))
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    async def close(self) -> None:
        self._closed = True
        self.renew()
        await asyncio.gather(*self._farewells)

    async def _open(self) -> TappedConnection:
        loop = asyncio.get_running_loop()
        self._refuse_when_closed()
        await asyncio.sleep(self._not_before - loop.time())
        self._not_before = loop.time() + _RECONNECT_INTERVAL
        connection = TappedConnection(self._url, self._name)
        try:
            await connection.connect(timeout=ANSWER_WITHIN)
            self._refuse_when_closed()
        except BaseException:
            self.leave(connection.close())
            raise
        return connection

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise NotReady("the broker is closed")
