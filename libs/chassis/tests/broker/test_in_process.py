"""What only the broker inside one process has to promise, since it keeps nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from chassis.broker import InProcessBroker, Message, NotConfirmed
from libs.chassis.tests.broker.factories import PLACED, SHIPPED, Listener, ids, message, messages, subscription, until


@pytest.fixture
async def broker() -> AsyncIterator[InProcessBroker]:
    broker = InProcessBroker(publish_within=timedelta(seconds=0.3))
    yield broker
    await broker.close()


async def test_publishing_ends_when_every_listener_has_handled_it_and_not_before(broker: InProcessBroker) -> None:
    quick, slow = Listener(), Listener()
    slow.open.clear()
    await broker.subscribe(subscription("delivery"), quick)
    await broker.subscribe(subscription("notification"), slow)

    publishing = asyncio.create_task(broker.publish([message()]))
    await until(lambda: bool(quick.done) and bool(slow.begun))
    assert not publishing.done()
    slow.open.set()

    assert await publishing == [None]


async def test_what_is_not_handled_in_time_is_not_confirmed_and_the_rest_is(broker: InProcessBroker) -> None:
    quick, slow = Listener(), Listener()
    slow.open.clear()
    await broker.subscribe(subscription("delivery", PLACED), quick)
    await broker.subscribe(subscription("notification", SHIPPED), slow)

    results = await broker.publish([message(PLACED), message(SHIPPED)])

    assert [type(result) for result in results] == [type(None), NotConfirmed]
    slow.open.set()
    await until(lambda: len(slow.heard) == 1)


async def test_what_its_sender_gave_up_before_its_turn_is_heard_only_when_it_is_sent_again(
    broker: InProcessBroker,
) -> None:
    listener = Listener()
    listener.open.clear()
    await broker.subscribe(subscription(batch=1), listener)
    sent = messages(2)

    results = await broker.publish(sent)
    assert [type(result) for result in results] == [NotConfirmed, NotConfirmed]
    assert ids(listener.begun[0]) == [sent[0].id]
    listener.open.set()
    await until(lambda: len(listener.heard) == 1)

    assert await broker.publish(sent) == [None, None]
    assert ids(listener.heard) == [sent[0].id, sent[0].id, sent[1].id]


async def test_a_service_whose_consumers_have_left_is_not_passed_over(broker: InProcessBroker) -> None:
    await (await broker.subscribe(subscription(), Listener())).stop()

    results = await broker.publish([message(mandatory=True), message()])

    assert [type(result) for result in results] == [NotConfirmed, NotConfirmed]


@pytest.mark.parametrize("ending", ["stop", "close"])
async def test_ending_ends_what_is_being_published(ending: str) -> None:
    broker = InProcessBroker(publish_within=timedelta(seconds=60))
    listener = Listener()
    listener.open.clear()
    consuming = await broker.subscribe(subscription(batch=1), listener)
    publishing = asyncio.create_task(broker.publish(messages(2)))
    await until(lambda: bool(listener.begun))

    stopping = asyncio.create_task(consuming.stop() if ending == "stop" else broker.close())
    await asyncio.sleep(0)
    listener.open.set()

    async with asyncio.timeout(2):
        results = await publishing
        await stopping
    assert [type(result) for result in results] == [type(None), NotConfirmed]


async def test_a_handle_may_publish_to_another_service_and_wait_for_it(broker: InProcessBroker) -> None:
    answers: list[Exception | None] = []

    async def handle(batch: Sequence[Message]) -> None:
        answers.extend(await broker.publish([message(SHIPPED, mandatory=True) for _ in batch]))

    listener = Listener()
    await broker.subscribe(subscription("sales", PLACED), handle)
    await broker.subscribe(subscription("notification", SHIPPED), listener)

    assert await broker.publish(messages(3, PLACED)) == [None] * 3

    assert answers == [None] * 3
    assert len(listener.heard) == 3


async def test_services_that_wait_for_each_other_are_parted_by_the_time_limit(broker: InProcessBroker) -> None:
    answers: list[Exception | None] = []

    async def handle(batch: Sequence[Message]) -> None:
        answers.extend(await broker.publish([message(PLACED)]))

    await broker.subscribe(subscription("sales", PLACED), handle)

    async with asyncio.timeout(5):
        await broker.publish([message(PLACED)])
        await until(lambda: bool(answers))
    assert isinstance(answers[0], NotConfirmed)


async def test_a_sender_that_is_cancelled_leaves_nothing_behind(broker: InProcessBroker) -> None:
    listener = Listener()
    listener.open.clear()
    await broker.subscribe(subscription(batch=1), listener)
    publishing = asyncio.create_task(broker.publish(messages(3)))
    await until(lambda: bool(listener.begun))

    publishing.cancel()
    await asyncio.wait([publishing])
    listener.open.set()

    last = messages(1)
    assert await broker.publish(last) == [None]
    assert len(listener.heard) == 2
    assert publishing.cancelled()
