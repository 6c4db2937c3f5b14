"""Messages of the floor: written to the outbox, sent from it by the hundred, heard by the hundred."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import aiormq
from aiormq import Channel
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from pydantic_core import from_json, to_json

from chassis.ids import uuid7

from .process import Connections

TRACE = "00-c23a741abebe05723c1751c9f69b5955-c23a741abebe0572-00"
"""One for all: as long as a real one."""
_QUORUM: dict[str, Any] = {"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-max-length-bytes": 1024**3}
_SEND_AT_ONCE, _HEAR_AT_ONCE = 200, 100

WRITE_OUTBOX = """
    INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, traceparent)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bool[], $5::text[], $6::text[])
"""
_WAITING = f"""
    SELECT id, event_id, event_type, exchange, mandatory, body, traceparent FROM outbox
    WHERE sent_at IS NULL ORDER BY id LIMIT {_SEND_AT_ONCE} FOR UPDATE SKIP LOCKED
"""
_SENT = "UPDATE outbox SET sent_at = now() WHERE id = ANY($1::bigint[])"


class Event(NamedTuple):
    id: Any
    type: str
    exchange: str
    mandatory: bool
    body: str
    traceparent: str


class Heard(NamedTuple):
    tag: int
    id: str
    type: str
    timestamp: str
    data: dict[str, Any]


Handle = Callable[[Sequence[Heard]], Awaitable[None]]


def event(service: str, kind: str, data: Mapping[str, Any], *, is_heard: bool = True) -> Event:
    id = uuid7()
    body = {
        "event_id": id,
        "event_type": kind,
        "timestamp": datetime.now(UTC),
        "source": f"{service}-service",
        "data": data,
    }
    return Event(id, kind, f"{service}.events", is_heard, to_json(body).decode(), TRACE)


def columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


@asynccontextmanager
async def broker(url: str) -> AsyncIterator[AbstractConnection]:
    connection = await aiormq.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def relay(connection: AbstractConnection, database: Connections, exchange: str, filled: asyncio.Event) -> None:
    channel = cast(Channel, await connection.channel(publisher_confirms=True))
    await _declare_exchange(channel, exchange)
    while True:
        filled.clear()
        async with database.begin() as transaction:
            rows = await transaction.fetch(_WAITING)
            if rows:
                await asyncio.gather(*(_publish(channel, row) for row in rows))
                await transaction.execute(_SENT, [row["id"] for row in rows])
        if len(rows) < _SEND_AT_ONCE:
            await filled.wait()


async def subscribe(
    connection: AbstractConnection, service: str, bindings: Mapping[str, str], handle: Handle
) -> Coroutine[Any, Any, None]:
    """What is to be run then: what is sent before it runs is kept for it."""
    channel = await connection.channel()
    queue = f"{service}.inbox"
    await channel.queue_declare(queue, durable=True, arguments=_QUORUM | {"x-delivery-limit": 20})
    for kind, exchange in bindings.items():
        await _declare_exchange(channel, exchange)
        await channel.queue_bind(queue, exchange, kind)
    return _consume(channel, queue, handle)


async def _consume(channel: AbstractChannel, queue: str, handle: Handle) -> None:
    arrived: deque[DeliveredMessage] = deque()
    stir = asyncio.Event()

    async def take(message: DeliveredMessage) -> None:
        arrived.append(message)
        stir.set()

    await channel.basic_qos(prefetch_count=2 * _HEAR_AT_ONCE)
    await channel.basic_consume(queue, take)
    while True:
        stir.clear()
        while arrived:
            batch = [_open(arrived.popleft()) for _ in range(min(_HEAR_AT_ONCE, len(arrived)))]
            await handle(batch)
            await channel.basic_ack(batch[-1].tag, multiple=True)
        await stir.wait()


async def _declare_exchange(channel: AbstractChannel, name: str) -> None:
    await channel.exchange_declare(name, exchange_type="topic", durable=True)


async def _publish(channel: Channel, row: Any) -> None:
    properties = aiormq.spec.Basic.Properties(
        message_id=str(row["event_id"]),
        message_type=row["event_type"],
        content_type="application/json",
        delivery_mode=2,
        timestamp=datetime.now(UTC),
        headers={"traceparent": row["traceparent"]},
    )
    await channel.basic_publish(
        row["body"].encode(),
        exchange=row["exchange"],
        routing_key=row["event_type"],
        properties=properties,
        mandatory=row["mandatory"],
        wait=False,
    )


def _open(message: DeliveredMessage) -> Heard:
    body = from_json(message.body)
    return Heard(message.delivery_tag or 0, body["event_id"], body["event_type"], body["timestamp"], body["data"])
