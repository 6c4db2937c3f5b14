"""Sends batches to RabbitMQ and tells for each message whether it is safe there; sending it again is the outbox's."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from aio_pika.abc import AbstractChannel, DeliveryMode
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq import Channel, spec

from ..telemetry import logger
from .link import Link
from .patience import uninvited_cancellation_is_an_error
from .protocol import Message, NotConfirmed, Unroutable
from .topology import ensure_events_exchange

Result = Exception | None

log = logger("broker")


class Publisher:
    """Batches that run at once have a channel each, so that what befalls one leaves the others alone."""

    def __init__(self, link: Link, within: timedelta) -> None:
        self._link = link
        self._within = within.total_seconds()
        self._idle: list[_Outlet] = []

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
        outlet = self._take_idle() or _Outlet(await self._link.channel())
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

    def _take_idle(self) -> "_Outlet | None":
        while self._idle:
            outlet = self._idle.pop()
            if outlet.is_open:
                return outlet
        return None


class _Outlet:
    """A channel and the exchanges it has seen; a broker that lost them closes it, and with it goes the knowledge."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._exchanges: set[str] = set()

    @property
    def is_open(self) -> bool:
        return not self._channel.is_closed

    async def declare(self, link: Link, messages: Sequence[Message]) -> None:
        for name in {message.exchange for message in messages} - self._exchanges:
            await ensure_events_exchange(link, name)
            self._exchanges.add(name)

    async def send(self, messages: Sequence[Message], results: list[Result]) -> None:
        async def one(position: int) -> None:
            results[position] = await self._confirmed(messages[position])

        for positions in _each_id_once(messages):
            await asyncio.gather(*map(one, positions), return_exceptions=True)

    async def close(self) -> None:
        await self._channel.close()

    async def _confirmed(self, message: Message) -> Result:
        try:
            channel = cast(Channel, await self._channel.get_underlay_channel())
            # The driver's own call, as aio-pika's waits for the socket after each message: a write for every event.
            await channel.basic_publish(
                message.body,
                exchange=message.exchange,
                routing_key=message.routing_key,
                properties=_properties(message),
                mandatory=message.mandatory,
                wait=False,
            )
        except PublishError:
            return Unroutable(f"no queue takes {message.routing_key}")
        except DeliveryError:
            return NotConfirmed("the broker refused it")
        except Exception as error:
            return NotConfirmed(f"{type(error).__name__}: {error}")
        return None


def _each_id_once(messages: Sequence[Message]) -> Iterator[list[int]]:
    """aiormq finds a returned message by its id, so no two of one id may be under way on one channel."""
    left = list(range(len(messages)))
    while left:
        first = {messages[position].id: position for position in reversed(left)}
        yield sorted(first.values())
        left = sorted(set(left) - set(first.values()))


def _properties(message: Message) -> spec.Basic.Properties:
    return spec.Basic.Properties(
        message_id=message.id,
        message_type=message.routing_key,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        timestamp=datetime.now(UTC),
        headers={"traceparent": message.traceparent} if message.traceparent else None,
    )
