"""A connection on which what arrives in masses is taken off before aiormq reads it frame by frame, each in a task.

aiormq is given the connection's stream by a transport factory, which it offers for just that; ours has a reader that
sorts. What no channel wants to have taken off goes on to aiormq as it came.
"""

import asyncio
import struct
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any, Final, SupportsIndex

import aio_pika
from aiormq import TransportFactory
from aiormq.abc import AbstractChannel
from yarl import URL

from .arrival import Arrivals, Take

_FRAME: Final = struct.Struct(">BHI")
_AROUND: Final = _FRAME.size + 1
_END: Final = 0xCE

_HEARTBEAT: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"


class TappedConnection(aio_pika.Connection):
    def __init__(self, url: URL, name: str) -> None:
        super().__init__(url, client_properties={"connection_name": name})
        self._tap = self.kwargs["transport_factory"] = Tap()

    def divert(self, channel: AbstractChannel, take: Take) -> None:
        """From now on the channel's deliveries, returns and confirms are taken, and aiormq does not see them."""
        self._tap.divert(channel, take)


class Tap(TransportFactory):
    def __init__(self) -> None:
        self._arrivals: dict[int, Arrivals] = {}

    async def create(self, url: URL, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """What asyncio.open_connection does, with a reader of our own."""
        provider = options.pop("ssl_context_provider")
        context = await provider.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        reader = self.reader()
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host or "", url.port or 0, ssl=context, **options
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def reader(self) -> "TappedReader":
        return TappedReader(self._arrivals)

    def divert(self, channel: AbstractChannel, take: Take) -> None:
        number, arrivals = channel.number, Arrivals(take)
        self._arrivals[number] = arrivals

        def forget(_: object) -> None:
            # The number may be a new channel's by now.
            if self._arrivals.get(number) is arrivals:
                del self._arrivals[number]

        channel.closing.add_done_callback(forget)


class TappedReader(asyncio.StreamReader):
    def __init__(self, arrivals: Mapping[int, Arrivals], shows_life_every: float = 1.0) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._arrivals = arrivals
        self._shows_life_every = shows_life_every
        self._begun = b""
        self._shown_at = monotonic()

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        if self.exception() is not None:
            return
        try:
            others = self._untaken(self._begun + bytes(data))
        except Exception as error:
            self.set_exception(error)
        else:
            if others:
                self._shown_at = monotonic()
                super().feed_data(others)

    def feed_eof(self) -> None:
        if self._begun:
            super().feed_data(self._begun)
        super().feed_eof()

    def _untaken(self, data: bytes) -> bytes:
        """All whole frames but those that were taken; what has only begun waits for its rest."""
        others: list[bytes] = []
        took_any = False
        at, end = 0, len(data)
        while end - at >= _AROUND:
            kind, channel, size = _FRAME.unpack_from(data, at)
            after = at + _AROUND + size
            if after > end:
                break
            arrivals = self._arrivals.get(channel)
            if arrivals and data[after - 1] == _END and arrivals.takes(kind, data[at + _FRAME.size : after - 1]):
                took_any = True
            else:
                others.append(data[at:after])
            at = after
        self._begun = data[at:]
        if took_any and not others and monotonic() - self._shown_at >= self._shows_life_every:
            # RabbitMQ sends no heartbeat while it sends anything else, and aiormq gives up a connection that is silent.
            return _HEARTBEAT
        return b"".join(others)
