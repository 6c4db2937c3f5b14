"""What a broker promises, kept by both."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from chassis.broker import Broker, NotConfirmed, NotReady, Subscription, Unroutable
from libs.chassis.tests.broker.factories import (
    PLACED,
    SALES,
    SHIPPED,
    UNHEARD,
    Listener,
    ids,
    message,
    messages,
    subscription,
    until,
    until_confirmed,
    until_ready,
)


async def test_an_event_reaches_every_service_that_is_bound_to_it_once(broker: Broker) -> None:
    delivery, notification = Listener(), Listener()
    await broker.subscribe(subscription("delivery", PLACED), delivery)
    await broker.subscribe(subscription("notification", PLACED, SHIPPED), notification)
    sent = [*messages(3, PLACED), *messages(2, SHIPPED)]

    results = await broker.publish(sent)

    assert results == [None] * 5
    await until(lambda: len(delivery.heard) >= 3 and len(notification.heard) >= 5)
    assert ids(delivery.heard) == ids(sent[:3])
    assert ids(notification.heard) == ids(sent)


async def test_an_event_that_a_service_is_not_bound_to_does_not_reach_it(broker: Broker) -> None:
    listener = Listener()
    await broker.subscribe(subscription(), listener)
    heard = message()

    results = await broker.publish([message(UNHEARD), heard])

    assert results == [None, None]
    await until(lambda: bool(listener.heard))
    assert ids(listener.heard) == [heard.id]


async def test_the_same_event_type_of_another_producer_does_not_reach_it(broker: Broker) -> None:
    listener = Listener()
    await broker.subscribe(Subscription("delivery", {PLACED: SALES, SHIPPED: "delivery.events"}), listener)
    heard = message()

    await broker.publish([message(SHIPPED), heard])

    await until(lambda: bool(listener.heard))
    assert ids(listener.heard) == [heard.id]


async def test_a_mandatory_event_without_a_listener_comes_back_and_the_others_of_its_batch_are_confirmed(
    broker: Broker,
) -> None:
    listener = Listener()
    await broker.subscribe(subscription(), listener)
    batch = [message(mandatory=True), message(UNHEARD, mandatory=True), message(mandatory=True), message(UNHEARD)]

    results = await broker.publish(batch)

    assert [type(result) for result in results] == [type(None), Unroutable, type(None), type(None)]
    await until(lambda: len(listener.heard) == 2)
    assert ids(listener.heard) == [batch[0].id, batch[2].id]


async def test_an_event_that_is_twice_in_a_batch_gets_two_answers(broker: Broker) -> None:
    listener = Listener()
    await broker.subscribe(subscription(), listener)
    twice, unheard = message(mandatory=True), message(UNHEARD, mandatory=True)

    results = await broker.publish([twice, unheard, twice, unheard, unheard])

    assert [type(result) for result in results] == [type(None), Unroutable, type(None), Unroutable, Unroutable]
    await until(lambda: len(listener.heard) == 2)
    assert ids(listener.heard) == [twice.id, twice.id]


async def test_two_events_of_one_id_are_answered_each_for_itself(broker: Broker) -> None:
    await broker.subscribe(subscription(), Listener())
    heard = message(mandatory=True)
    unheard = replace(heard, routing_key=UNHEARD)

    results = await broker.publish([heard, unheard, heard])

    assert [type(result) for result in results] == [type(None), Unroutable, type(None)]


async def test_what_is_sent_is_what_arrives(broker: Broker) -> None:
    listener = Listener()
    await broker.subscribe(subscription(), listener)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = [message(traceparent=parent, body='{"note": "größer"}'.encode()), message(body=b"x" * 200_000)]

    assert await broker.publish(sent) == [None, None]

    await until(lambda: len(listener.heard) == 2)
    assert listener.heard == sent


async def test_what_arrives_while_a_batch_is_handled_is_the_next_batch(
    broker: Broker, all_is_handed_out: Callable[[], Awaitable[None]]
) -> None:
    listener = Listener()
    await broker.subscribe(subscription(), listener)
    await until_confirmed(broker, messages(1))
    await until(lambda: len(listener.done) == 1)
    listener.open.clear()
    running = asyncio.create_task(until_confirmed(broker, messages(1)))
    await until(lambda: len(listener.begun) == 2)

    gathering = asyncio.create_task(until_confirmed(broker, messages(80)))
    await asyncio.wait([gathering], timeout=1)
    await all_is_handed_out()
    listener.open.set()
    await asyncio.gather(running, gathering)

    await until(lambda: len(listener.heard) == 82)
    assert len(listener.done) < 20


async def test_a_broker_that_works_never_says_that_it_is_not_ready(broker: Broker) -> None:
    listener = Listener()
    await broker.subscribe(subscription(batch=7), listener)
    await until_ready(broker)

    working = asyncio.create_task(until_confirmed(broker, messages(50)))
    while len(listener.heard) < 50:
        await broker.ready()
        await asyncio.sleep(0)

    await working


async def test_a_batch_is_never_larger_than_the_subscription_wants(broker: Broker) -> None:
    listener = Listener()
    await broker.subscribe(subscription(batch=7), listener)

    await until_confirmed(broker, messages(100))

    await until(lambda: len(listener.heard) == 100)
    assert max(len(batch) for batch in listener.begun) <= 7


async def test_one_consumer_hears_in_the_order_of_sending(broker: Broker) -> None:
    listener = Listener()
    await broker.subscribe(subscription(), listener)
    sent = messages(1_000)

    for start in range(0, 1_000, 100):
        assert await broker.publish(sent[start : start + 100]) == [None] * 100

    await until(lambda: len(listener.heard) >= 1_000)
    assert ids(listener.heard) == ids(sent)


async def test_of_thousands_that_several_senders_send_all_arrive_once(broker: Broker) -> None:
    delivery, notification = Listener(), Listener()
    await broker.subscribe(subscription("delivery", PLACED), delivery)
    await broker.subscribe(subscription("notification", PLACED), notification)
    sent = messages(6_000)

    async def send(part: int) -> None:
        for start in range(part, 6_000, 400):
            assert await broker.publish(sent[start : start + 100]) == [None] * 100

    await asyncio.gather(*map(send, (0, 100, 200, 300)))

    for listener in (delivery, notification):
        await until(lambda listener=listener: len(listener.heard) >= 6_000)  # type: ignore[misc]
        assert sorted(ids(listener.heard)) == sorted(ids(sent))


async def test_publishing_nothing_is_answered_with_nothing(broker: Broker) -> None:
    assert await broker.publish([]) == []


async def test_a_broker_that_consumes_is_ready_and_one_that_is_closed_is_not(broker: Broker) -> None:
    await broker.subscribe(subscription(), Listener())
    await broker.ready()

    await broker.close()

    with pytest.raises(NotReady):
        await broker.ready()
    assert isinstance((await broker.publish([message()]))[0], NotConfirmed)
