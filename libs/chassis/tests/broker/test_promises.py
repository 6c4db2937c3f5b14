"""What a broker promises, kept by both."""

import asyncio
import random
from collections.abc import Awaitable, Callable

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


async def test_a_batch_that_fails_comes_again_the_same_until_it_succeeds(broker: Broker) -> None:
    listener = Listener(failures=2)
    await broker.subscribe(subscription(), listener)
    sent = messages(5)

    await until_confirmed(broker, sent)

    await until(lambda: len(listener.heard) >= 5)
    assert ids(listener.begun[0]) == ids(listener.begun[1]) == ids(listener.begun[2]) == ids(listener.done[0])
    assert ids(listener.heard) == ids(sent)


async def test_a_batch_that_never_succeeded_is_not_lost_with_its_consumer(broker: Broker) -> None:
    failing, healthy = Listener(failures=1_000_000), Listener()
    consuming = await broker.subscribe(subscription(), failing)
    sent = messages(5)
    sending = asyncio.create_task(until_confirmed(broker, sent))
    await until(lambda: len(failing.begun) >= 2)

    await consuming.stop()
    await broker.subscribe(subscription(), healthy)

    await sending
    await until(lambda: len(healthy.heard) == 5)
    assert ids(healthy.heard) == ids(sent)
    assert not failing.done


async def test_stopping_finishes_the_running_batch_and_leaves_the_rest_to_the_next_consumer(broker: Broker) -> None:
    leaving, next_one = Listener(), Listener()
    consuming = await broker.subscribe(subscription(batch=2), leaving)
    leaving.open.clear()
    sent = messages(11)
    sending = asyncio.create_task(until_confirmed(broker, sent))
    await until(lambda: len(leaving.begun) == 1)

    stopping = asyncio.create_task(consuming.stop())
    await asyncio.wait([stopping], timeout=0.1)
    assert not stopping.done()
    leaving.open.set()
    await stopping
    await broker.subscribe(subscription(batch=2), next_one)

    await sending
    await until(lambda: len(leaving.heard) + len(next_one.heard) >= 11)
    assert len(leaving.done) == 1
    assert not leaving.cancelled
    assert ids(leaving.heard) + ids(next_one.heard) == ids(sent)


async def test_stopping_does_not_wait_for_ever_for_a_batch_that_hangs(broker: Broker) -> None:
    hanging, healthy = Listener(), Listener()
    hanging.open.clear()
    consuming = await broker.subscribe(subscription(), hanging)
    sent = messages(1)
    sending = asyncio.create_task(until_confirmed(broker, sent))
    await until(lambda: bool(hanging.begun))

    async with asyncio.timeout(8):
        await consuming.stop()

    await broker.subscribe(subscription(), healthy)
    await sending
    await until(lambda: ids(healthy.heard) == ids(sent))


async def test_what_was_handled_never_comes_again(broker: Broker) -> None:
    first, second = Listener(), Listener()
    consuming = await broker.subscribe(subscription(), first)
    await until_confirmed(broker, messages(300))
    await until(lambda: len(first.heard) == 300)

    await consuming.stop()
    await broker.subscribe(subscription(), second)
    last = messages(1)
    await until_confirmed(broker, last)

    await until(lambda: bool(second.heard))
    assert ids(second.heard) == ids(last)


async def test_two_consumers_of_one_service_share_the_work(broker: Broker) -> None:
    one, other = Listener(), Listener()
    await broker.subscribe(subscription(batch=1), one)
    await broker.subscribe(subscription(batch=1), other)
    one.open.clear()
    other.open.clear()
    sent = messages(40)

    sending = asyncio.create_task(until_confirmed(broker, sent))
    await until(lambda: bool(one.begun) and bool(other.begun))
    one.open.set()
    other.open.set()

    await sending
    await until(lambda: len(one.heard) + len(other.heard) >= 40)
    assert sorted(ids(one.heard) + ids(other.heard)) == sorted(ids(sent))


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


async def test_nothing_is_lost_and_all_is_heard_while_listeners_fail_and_consumers_come_and_go(broker: Broker) -> None:
    listener = Listener(failures=3)
    sent = messages(600)
    chance = random.Random(7)
    await (await broker.subscribe(subscription(batch=20), listener)).stop()
    sending = [asyncio.create_task(until_confirmed(broker, sent[at : at + 50])) for at in range(0, 600, 50)]

    while len(set(ids(listener.heard))) < 600:
        consuming = await broker.subscribe(subscription(batch=20), listener)
        await asyncio.sleep(chance.uniform(0.01, 0.2))
        await consuming.stop()

    await asyncio.gather(*sending)
    assert set(ids(listener.heard)) == set(ids(sent))


async def test_publishing_nothing_is_answered_with_nothing(broker: Broker) -> None:
    assert await broker.publish([]) == []


async def test_a_broker_that_consumes_is_ready_and_one_that_is_closed_is_not(broker: Broker) -> None:
    await broker.subscribe(subscription(), Listener())
    await broker.ready()

    await broker.close()

    with pytest.raises(NotReady):
        await broker.ready()
    assert isinstance((await broker.publish([message()]))[0], NotConfirmed)


async def test_a_consumer_that_was_stopped_is_not_missed(broker: Broker) -> None:
    consuming = await broker.subscribe(subscription(), Listener())

    await consuming.stop()
    await consuming.stop()

    await broker.ready()


async def test_a_handle_that_is_cancelled_from_within_counts_as_failed(broker: Broker) -> None:
    heard: list[str] = []

    async def handle(batch: object) -> None:
        if not heard:
            heard.append("cancelled")
            raise asyncio.CancelledError
        heard.append("done")

    await broker.subscribe(subscription(), handle)

    await until_confirmed(broker, messages(1))

    await until(lambda: heard == ["cancelled", "done"])
