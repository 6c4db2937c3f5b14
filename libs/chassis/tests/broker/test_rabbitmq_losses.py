"""What happens to messages when a connection, a consumer or RabbitMQ itself goes away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from chassis.broker import Message, NotConfirmed, NotReady, RabbitBroker, Unroutable
from chassis.broker.link import Link
from chassis.broker.publishing import Publisher
from libs.chassis.tests.broker.factories import (
    SALES,
    SHIPPED,
    UNHEARD,
    Listener,
    Wire,
    asking,
    ids,
    message,
    messages,
    subscription,
    until,
    until_confirmed,
    until_it_holds,
    until_ready,
    until_unready,
)
from tests.harness.rabbitmq import RabbitMQ


@pytest.fixture
async def wire(rabbitmq_url: str) -> AsyncIterator[Wire]:
    async with Wire(rabbitmq_url).laid() as wire:
        yield wire


@pytest.fixture
async def fragile(wire: Wire) -> AsyncIterator[RabbitBroker]:
    """A broker on a wire that can be cut."""
    broker = RabbitBroker(wire.url, publish_within=timedelta(seconds=2))
    yield broker
    await broker.close()


async def test_a_handle_outlives_the_connection_and_its_batch_comes_again(fragile: RabbitBroker, wire: Wire) -> None:
    listener = Listener()
    await fragile.subscribe(subscription(), listener)
    listener.open.clear()
    sent = messages(1)
    await until_confirmed(fragile, sent)
    await until(lambda: len(listener.begun) == 1)

    wire.cut()
    await until_unready(fragile)
    listener.open.set()

    await until(lambda: len(listener.done) == 2)
    assert not listener.cancelled
    assert ids(listener.heard) == [sent[0].id, sent[0].id]
    assert listener.heard[1].redelivered == 1


async def test_one_batch_is_handled_at_a_time_even_when_the_connection_is_lost_under_it(
    fragile: RabbitBroker, wire: Wire
) -> None:
    at_once, most_at_once = 0, 0

    async def handle(batch: Sequence[Message]) -> None:
        nonlocal at_once, most_at_once
        at_once += 1
        most_at_once = max(most_at_once, at_once)
        await asyncio.sleep(0.3)
        at_once -= 1
        heard.extend(batch)

    heard: list[Message] = []
    await fragile.subscribe(subscription(), handle)
    sent = messages(20)

    sending = asyncio.create_task(until_confirmed(fragile, sent))
    for _ in range(3):
        await asyncio.sleep(0.25)
        wire.cut()

    await sending
    await until(lambda: set(ids(heard)) == set(ids(sent)))
    assert most_at_once == 1


async def test_a_failing_batch_ends_with_its_channel_and_comes_again(fragile: RabbitBroker, wire: Wire) -> None:
    listener = Listener(failures=3)
    await fragile.subscribe(subscription(), listener)
    sent = messages(1)
    await until_confirmed(fragile, sent)
    await until(lambda: len(listener.begun) == 2)

    wire.cut()

    await until(lambda: bool(listener.done))
    assert ids(listener.heard) == ids(sent)
    assert listener.heard[0].redelivered == 1


async def test_nothing_is_lost_while_connections_break_again_and_again(fragile: RabbitBroker, wire: Wire) -> None:
    listener = Listener()
    await fragile.subscribe(subscription(), listener)
    sent = messages(3_000)

    async def send(part: int) -> None:
        for start in range(part, 3_000, 200):
            await until_confirmed(fragile, sent[start : start + 100])
            await asyncio.sleep(0.1)

    sending = asyncio.gather(send(0), send(100))
    for _ in range(4):
        await asyncio.sleep(0.7)
        wire.cut()

    await sending
    await until(lambda: set(ids(listener.heard)) == set(ids(sent)))
    await until_ready(fragile)


async def test_publisher_and_consumer_recover_from_a_restart_of_the_broker_and_nothing_is_lost(
    rabbit: RabbitBroker, rabbitmq_server: RabbitMQ
) -> None:
    listener = Listener()
    await rabbit.subscribe(subscription(), listener)
    before, after = messages(300), messages(300)
    listener.open.clear()
    await until_confirmed(rabbit, before)

    async with rabbitmq_server.down():
        results = await rabbit.publish(after)
        assert all(isinstance(result, NotConfirmed) for result in results)
        with pytest.raises(NotReady):
            await rabbit.ready()
        listener.open.set()

    await until_confirmed(rabbit, after)
    await until(lambda: set(ids(listener.heard)) == set(ids([*before, *after])))
    await until_ready(rabbit)


async def test_a_message_that_kills_its_consumers_ends_in_the_dead_queue_and_takes_no_other_with_it(
    rabbitmq_url: str,
) -> None:
    sender = RabbitBroker(rabbitmq_url)
    await (await sender.subscribe(subscription(), Listener())).stop()
    innocent, killer = messages(250), message(body=b"kills", mandatory=True)
    await until_confirmed(sender, [*innocent[:30], killer, *innocent[30:]])
    survived: list[Message] = []

    for _ in range(21):
        assert await _is_killed(rabbitmq_url, survived, done=lambda: False)
    assert not await _is_killed(rabbitmq_url, survived, done=lambda: len(set(ids(survived))) == 250)

    async with asking(rabbitmq_url) as channel:
        dead = await channel.declare_queue("delivery.inbox.v1.dead", passive=True)
        evidence = await _get(dead)
        left = await channel.declare_queue("delivery.inbox.v1", passive=True)
        assert await dead.get(fail=False) is None
    assert (evidence.message_id, evidence.body) == (killer.id, b"kills")
    assert left.declaration_result.message_count == 0
    assert set(ids(survived)) == set(ids(innocent))
    await sender.close()


async def test_a_message_that_may_have_killed_is_handed_over_alone(rabbit: RabbitBroker, rabbitmq_url: str) -> None:
    listener = Listener()
    await rabbit.subscribe(subscription(batch=2), listener)
    await until_confirmed(rabbit, messages(1))
    await until(lambda: len(listener.done) == 1)
    listener.open.clear()
    await until_confirmed(rabbit, messages(4))
    await until(lambda: len(listener.begun) == 2)
    suspects = messages(3)

    async with asking(rabbitmq_url) as channel:
        inbox = await channel.declare_queue("delivery.inbox.v1", passive=True)
        await until_it_holds(inbox, 0)
        await until_confirmed(rabbit, suspects)
        for _ in range(3):
            for each in [await _get(inbox) for _ in suspects]:
                await each.reject(requeue=True)
        await until_it_holds(inbox, 3)
    await until_confirmed(rabbit, messages(4))
    listener.open.set()

    await until(lambda: len(listener.heard) == 12)
    batches = [batch for batch in listener.done if {each.id for each in batch} & set(ids(suspects))]
    assert [len(batch) for batch in batches] == [1, 1, 1]


async def _get(queue: AbstractQueue) -> AbstractIncomingMessage:
    async with asyncio.timeout(10):
        while (found := await queue.get(fail=False)) is None:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)
        return found


async def _is_killed(url: str, survived: list[Message], done: Callable[[], bool]) -> bool:
    """One process: it works until it dies of the killer, or until it is done."""
    dying, buried = asyncio.Event(), asyncio.Event()

    async def handle(batch: Sequence[Message]) -> None:
        if any(each.body == b"kills" for each in batch):
            line.cut()
            dying.set()
            await buried.wait()
            raise RuntimeError("this process is no more")
        survived.extend(batch)

    async with Wire(url).laid() as line:
        broker = RabbitBroker(line.url)
        await broker.subscribe(subscription(), handle)
        await until(lambda: dying.is_set() or done())
    buried.set()
    await broker.close()
    return dying.is_set()


async def test_publishing_without_a_broker_ends_within_its_time_and_confirms_nothing(wire: Wire) -> None:
    async with Wire(wire.url).laid() as gone:
        url = gone.url
    broker = RabbitBroker(url, publish_within=timedelta(seconds=3))

    for _ in range(3):
        async with asyncio.timeout(3.5):
            results = await broker.publish(messages(2))
        assert [type(result) for result in results] == [NotConfirmed] * 2

    await broker.close()


async def test_publishing_to_a_broker_that_fell_silent_ends_within_its_time_and_works_again_afterwards(
    fragile: RabbitBroker, wire: Wire, rabbitmq_url: str
) -> None:
    await fragile.subscribe(subscription(), Listener())
    assert await asyncio.gather(*(fragile.publish(messages(1)) for _ in range(3))) == [[None]] * 3

    wire.fall_silent()
    async with asyncio.timeout(2.5):
        results = await fragile.publish(messages(2))
    assert [type(result) for result in results] == [NotConfirmed] * 2

    assert await fragile.publish(messages(2)) == [None] * 2


async def test_publishing_is_not_cancelled_with_a_connection_that_is_given_up(wire: Wire) -> None:
    link = Link(wire.url, "given up")
    publisher = Publisher(link, within=timedelta(seconds=20))
    connection = await link.connect()
    wire.fall_silent()
    publishing = asyncio.create_task(publisher.publish(messages(2)))
    await asyncio.sleep(0.1)

    assert connection.transport is not None
    await connection.transport.connection.close(asyncio.CancelledError())  # what aiormq does when heartbeats fail

    async with asyncio.timeout(10):
        results = await publishing
    assert [type(result) for result in results] == [NotConfirmed] * 2
    await link.close()


async def test_a_message_that_a_full_queue_refuses_is_not_confirmed_and_the_others_are(
    rabbit: RabbitBroker, rabbitmq_url: str
) -> None:
    async with asking(rabbitmq_url) as channel:
        await rabbit.publish([message()])
        full = await channel.declare_queue("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        await full.bind(SALES, SHIPPED)

        results = await rabbit.publish([message(SHIPPED), message(SHIPPED), message(SHIPPED), message(UNHEARD)])

    assert [type(result) for result in results] == [type(None), NotConfirmed, NotConfirmed, type(None)]
    assert await rabbit.publish([message(UNHEARD)]) == [None]


async def test_an_exchange_that_the_broker_lost_is_made_again(rabbit: RabbitBroker, rabbitmq_url: str) -> None:
    assert await rabbit.publish([message()]) == [None]
    async with asking(rabbitmq_url) as channel:
        await channel.exchange_delete(SALES)

    results = await rabbit.publish(messages(2))
    again = await rabbit.publish(messages(2))

    assert [type(result) for result in results] == [NotConfirmed] * 2
    assert [type(result) for result in again] == [Unroutable] * 2


async def test_a_broker_that_is_away_at_the_start_is_waited_for(rabbitmq_url: str) -> None:
    async with Wire(rabbitmq_url).laid() as wire:
        url, port = wire.url, int(wire.url.split(":")[-1].split("/")[0])
    broker, listener = RabbitBroker(url), Listener()

    async with asyncio.timeout(7):
        consuming = await broker.subscribe(subscription(), listener)

    with pytest.raises(NotReady):
        await broker.ready()
    async with Wire(rabbitmq_url).laid(port):
        await until_ready(broker)
        await until_confirmed(broker, messages(2))
        await until(lambda: len(listener.heard) == 2)
        await consuming.stop()
        await broker.close()
