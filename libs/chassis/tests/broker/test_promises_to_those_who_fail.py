"""What a broker promises to consumers that fail, stop and share, kept by both."""

import asyncio
import random

from chassis.broker import Broker
from libs.chassis.tests.broker.factories import Listener, ids, messages, subscription, until, until_confirmed


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
