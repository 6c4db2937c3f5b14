"""What a service of the usual way stands on: engine and sessions, a client, a broker, and the outbox's poller."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aio_pika
import httpx
from aio_pika.abc import AbstractRobustConnection
from fastapi import FastAPI
from pydantic_core import to_json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from chassis.ids import uuid7

from .tables import now

_TRACE = "00-c23a741abebe05723c1751c9f69b5955-c23a741abebe0572-00"
_POLL_EVERY = 0.1
_SEND_AT_ONCE = 100
_PREFETCH = 16


@dataclass(frozen=True)
class Given:
    service: str
    database_url: str
    rabbitmq_url: str
    product_url: str


@dataclass
class Process:
    """What the service's functions need, once it has started."""

    sessions: async_sessionmaker[AsyncSession]
    product: httpx.AsyncClient
    broker: AbstractRobustConnection


Handle = Callable[[AsyncSession, dict[str, Any]], Awaitable[None]]
Start = Callable[[Process, AsyncExitStack], Awaitable[None]]


def service(given: Given, start: Start) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            url = given.database_url.replace("postgresql://", "postgresql+asyncpg://")
            engine = create_async_engine(url, pool_size=10, max_overflow=5)
            stack.push_async_callback(engine.dispose)
            client = httpx.AsyncClient(base_url=given.product_url, timeout=10)
            app.state.process = Process(
                async_sessionmaker(engine, expire_on_commit=False),
                await stack.enter_async_context(client),
                await stack.enter_async_context(await aio_pika.connect_robust(given.rabbitmq_url)),
            )
            await start(app.state.process, stack)
            yield

    return FastAPI(lifespan=lifespan)


def event(service: str, kind: str, data: Mapping[str, Any], *, is_heard: bool = True) -> dict[str, Any]:
    """The columns of an outbox row."""
    id = uuid7()
    envelope = {
        "event_id": id,
        "event_type": kind,
        "timestamp": datetime.now(UTC),
        "source": f"{service}-service",
        "data": data,
    }
    return {
        "event_id": id,
        "event_type": kind,
        "exchange": f"{service}.events",
        "mandatory": is_heard,
        "body": to_json(envelope).decode(),
        "traceparent": _TRACE,
    }


async def poll_outbox(process: Process, outbox: Any, exchange_name: str) -> None:
    channel = await process.broker.channel(publisher_confirms=True)
    exchange = await channel.declare_exchange(exchange_name, aio_pika.ExchangeType.TOPIC, durable=True)
    waiting = select(outbox).where(outbox.sent_at.is_(None)).order_by(outbox.id).limit(_SEND_AT_ONCE)
    while True:
        async with process.sessions.begin() as session:
            rows = (await session.scalars(waiting.with_for_update(skip_locked=True))).all()
            for row in rows:
                await exchange.publish(_message(row), row.event_type, mandatory=row.mandatory)
                row.sent_at = now()
        if not rows:
            await asyncio.sleep(_POLL_EVERY)


async def consume(process: Process, service: str, inbox: Any, bindings: Mapping[str, str], handle: Handle) -> None:
    """One transaction per message, one after the other: so an order's events keep their order."""
    channel = await process.broker.channel()
    await channel.set_qos(prefetch_count=_PREFETCH)
    queue = await channel.declare_queue(f"{service}.inbox", durable=True, arguments={"x-queue-type": "quorum"})
    for kind, exchange_name in bindings.items():
        exchange = await channel.declare_exchange(exchange_name, aio_pika.ExchangeType.TOPIC, durable=True)
        await queue.bind(exchange, kind)

    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process(requeue=True):
                envelope = json.loads(message.body)
                async with process.sessions.begin() as session:
                    if await session.get(inbox, envelope["event_id"]) is None:
                        session.add(inbox(event_id=envelope["event_id"], event_type=envelope["event_type"]))
                        await handle(session, envelope)


@asynccontextmanager
async def running(*work: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _message(row: Any) -> aio_pika.Message:
    return aio_pika.Message(
        row.body.encode(),
        message_id=str(row.event_id),
        type=row.event_type,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        timestamp=datetime.now(UTC),
        headers={"traceparent": row.traceparent},
    )
