"""A channel that messages go out on, each batch in one piece; which channel, and for how long, is the publisher's."""

from collections.abc import Iterable, Iterator, Sequence
from time import time

import aiormq.abc
from aio_pika.abc import AbstractChannel
from aiormq.abc import ChannelFrame

from .confirms import Confirms, Result
from .link import Link
from .patience import Interrupted
from .protocol import Message, NotConfirmed
from .publication import publication
from .topology import ensure_events_exchange


async def open_outlet(link: Link) -> "Outlet":
    confirms = Confirms()
    channel = await link.channel(confirms.take)
    return Outlet(channel, await channel.get_underlay_channel(), confirms)


class Outlet:
    """Knows the exchanges it has seen; a broker that lost them closes the channel, and with it goes the knowledge."""

    def __init__(self, channel: AbstractChannel, wire: aiormq.abc.AbstractChannel, confirms: Confirms) -> None:
        self._channel = channel
        self._wire = wire
        self._confirms = confirms
        self._exchanges: set[str] = set()
        wire.closing.add_done_callback(confirms.end)

    @property
    def is_open(self) -> bool:
        return not self._wire.is_closed

    async def declare(self, link: Link, messages: Sequence[Message]) -> None:
        for name in {message.exchange for message in messages} - self._exchanges:
            await ensure_events_exchange(link, name)
            self._exchanges.add(name)

    async def send(self, messages: Sequence[Message], results: list[Result]) -> None:
        for positions in _each_id_once(messages):
            frames = self._encoded(messages, positions, results)
            if frames:
                await self._confirmed(frames, messages, results)

    async def close(self) -> None:
        await self._channel.close()

    def _encoded(
        self, messages: Sequence[Message], positions: Iterable[int], results: list[Result]
    ) -> dict[int, bytes]:
        """By position; what cannot be said in AMQP has its result already, and fails alone."""
        frames = {}
        number, frame_max, now = self._wire.number, self._wire.connection.connection_tune.frame_max, int(time())
        for position in positions:
            try:
                frames[position] = publication(messages[position], number, frame_max, now)
            except (TypeError, ValueError) as error:
                results[position] = NotConfirmed(f"{type(error).__name__}: {error}")
        return frames

    async def _confirmed(self, frames: dict[int, bytes], messages: Sequence[Message], results: list[Result]) -> None:
        if not self.is_open:
            raise Interrupted("the channel was lost")
        ended = self._confirms.expect({position: messages[position] for position in frames}, results)
        try:
            piece = ChannelFrame(b"".join(frames.values()), should_close=False)
            await self._wire.connection.write_queue.put(piece)
            if (reason := await ended) is not None:
                raise Interrupted(f"the channel was lost: {type(reason).__name__}: {reason}")
        finally:
            self._confirms.forget()


def _each_id_once(messages: Sequence[Message]) -> Iterator[Sequence[int]]:
    """What comes back is known by its id, so no two of one id may be under way on one channel."""
    left = list(range(len(messages)))
    while left:
        first = {messages[position].id: position for position in reversed(left)}
        yield sorted(first.values())
        left = sorted(set(left) - set(first.values()))
