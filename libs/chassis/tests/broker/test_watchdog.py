"""When a consumer is no longer one and does not notice."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from types import FrameType
from typing import cast

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from chassis.broker import RabbitBroker
from chassis.broker.consuming import RabbitConsumer
from chassis.broker.link import Link
from chassis.broker.rabbit import end_process
from chassis.broker.watchdog import Watchdog
from libs.chassis.tests.broker.factories import (
    Listener,
    Wire,
    asking,
    ids,
    messages,
    subscription,
    until,
    until_confirmed,
    until_ready,
    until_unready,
)

OFTEN = timedelta(seconds=0.2)


@pytest.fixture
def alarms() -> list[str]:
    return []


@pytest.fixture
async def watched(rabbitmq_url: str, alarms: list[str]) -> AsyncIterator[RabbitBroker]:
    broker = RabbitBroker(rabbitmq_url, on_lost=alarms.append, look_every=OFTEN, silence=timedelta(seconds=1))
    yield broker
    await broker.close()


async def test_a_queue_that_is_deleted_raises_the_alarm_and_is_made_again(
    watched: RabbitBroker, alarms: list[str], rabbitmq_url: str
) -> None:
    listener = Listener()
    await watched.subscribe(subscription(), listener)
    await watched.ready()

    async with asking(rabbitmq_url) as channel:
        await channel.queue_delete("delivery.inbox.v1")

    await until_unready(watched)
    await until(lambda: len(alarms) == 1)
    assert alarms == ["delivery.inbox.v1: the queue is gone"]
    await until_ready(watched)
    await until_confirmed(watched, messages(2))
    await until(lambda: len(listener.heard) == 2)


async def test_one_alarm_is_raised_for_each_consumer_that_is_lost(
    watched: RabbitBroker, alarms: list[str], rabbitmq_url: str
) -> None:
    for service in ("delivery", "notification"):
        await watched.subscribe(subscription(service), Listener())

    async with asking(rabbitmq_url) as channel:
        await channel.queue_delete("delivery.inbox.v1")
        await channel.queue_delete("notification.inbox.v1")

    await until(lambda: len(alarms) == 2)
    await until_ready(watched)
    await asyncio.sleep(5 * OFTEN.total_seconds())
    assert sorted(alarms) == ["delivery.inbox.v1: the queue is gone", "notification.inbox.v1: the queue is gone"]


async def test_no_alarm_is_raised_for_a_consumer_that_works_idles_fails_or_is_stopped(
    watched: RabbitBroker, alarms: list[str]
) -> None:
    busy, failing = Listener(), Listener(failures=1_000_000)
    busy.open.clear()
    stopped = await watched.subscribe(subscription("sales"), Listener())
    await watched.subscribe(subscription("idle"), Listener())
    await watched.subscribe(subscription("delivery"), busy)
    await watched.subscribe(subscription("notification"), failing)
    await until_confirmed(watched, messages(300))
    await stopped.stop()

    await asyncio.sleep(10 * OFTEN.total_seconds())

    assert not alarms
    busy.open.set()
    failing.failures = 0
    await until(lambda: len(set(ids(busy.heard))) == len(set(ids(failing.heard))) == 300)


async def test_no_alarm_is_raised_while_a_handle_works_on_and_the_connection_is_lost(
    rabbitmq_url: str, alarms: list[str]
) -> None:
    async with Wire(rabbitmq_url).laid() as wire:
        broker = RabbitBroker(wire.url, on_lost=alarms.append, look_every=OFTEN)
        listener = Listener()
        await broker.subscribe(subscription(), listener)
        listener.open.clear()
        await until_confirmed(broker, messages(1))
        await until(lambda: bool(listener.begun))

        wire.cut()
        await until_unready(broker)
        await asyncio.sleep(10 * OFTEN.total_seconds())

        listener.open.set()
        await until_ready(broker)
        await broker.close()
    assert not alarms


class _Silent:
    """A consumer that hears nothing, though the broker believes in it."""

    queue = "delivery.inbox.v1"
    is_stopped = False
    has_ended = False
    registered = True
    ended = 0

    @property
    def session(self) -> "_Silent":
        return self

    def idle_for(self) -> float:
        return 60

    def end(self) -> None:
        self.ended += 1


async def _never_acknowledge(_: AbstractIncomingMessage) -> None: ...


async def test_messages_that_wait_and_are_not_delivered_raise_the_alarm(rabbitmq_url: str, alarms: list[str]) -> None:
    link, silent = Link(rabbitmq_url, "watchdog"), _Silent()
    watchdog = Watchdog(
        link, cast(RabbitConsumer, silent), alarms.append, look_every=OFTEN, silence=timedelta(seconds=60)
    )
    async with asking(rabbitmq_url) as channel:
        await channel.set_qos(1)
        queue = await channel.declare_queue("delivery.inbox.v1", durable=True)
        await queue.consume(_never_acknowledge)
        watching = asyncio.create_task(watchdog.run())
        await asyncio.sleep(5 * OFTEN.total_seconds())
        assert not alarms

        for _ in range(2):
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), "delivery.inbox.v1")

        await until(lambda: bool(alarms))
    assert alarms[0] == "delivery.inbox.v1: messages wait and none is delivered"
    assert silent.ended == len(alarms)
    watching.cancel()
    await link.close()


class _Hesitant(_Silent):
    """At every second look it seems to hear nothing."""

    looks = 0

    def idle_for(self) -> float:
        self.looks += 1
        return 60.0 * (self.looks % 2)


async def test_one_bad_look_raises_no_alarm(rabbitmq_url: str, alarms: list[str]) -> None:
    link, hesitant = Link(rabbitmq_url, "watchdog"), _Hesitant()
    async with asking(rabbitmq_url) as channel:
        await channel.set_qos(1)
        queue = await channel.declare_queue("delivery.inbox.v1", durable=True)
        await queue.consume(_never_acknowledge)
        for _ in range(2):
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), "delivery.inbox.v1")
        watchdog = Watchdog(
            link, cast(RabbitConsumer, hesitant), alarms.append, look_every=OFTEN, silence=timedelta(seconds=60)
        )

        watching = asyncio.create_task(watchdog.run())
        await until(lambda: hesitant.looks >= 6)

    assert not alarms
    watching.cancel()
    await link.close()


async def test_an_alarm_ends_the_process_in_good_order() -> None:
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    before = signal.signal(signal.SIGTERM, note)
    try:
        end_process("delivery.inbox.v1: the queue is gone")
        await until(lambda: bool(received))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]
