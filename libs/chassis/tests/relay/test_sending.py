"""What is in the outbox reaches the broker: in order, once, and once it is there it is marked."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from chassis import failpoints
from chassis.broker import Broker, Message, Subscription
from chassis.consumer import Consumer
from chassis.db import Database
from chassis.failpoints import FailpointHit
from chassis.outbox import publish
from chassis.telemetry import Telemetry
from contracts.envelope import Envelope
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import Cancelled, Noting, Placed, eventually, noted, unsent
from libs.chassis.tests.relay.factories import FakeBroker, place, relay_of, running, unsent_is


async def test_events_are_sent_in_their_order_and_in_batches(database: Database, world: FakeBroker) -> None:
    await place(database, *range(25))

    async with running(relay_of(database, world, batch=10)):
        await eventually(lambda: unsent_is(database, 0))

    assert world.heard == [list(range(10)), list(range(10, 20)), list(range(20, 25))]


async def test_a_message_is_what_the_outbox_says(database: Database) -> None:
    heard: list[Message] = []

    class Recorder(FakeBroker):
        async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
            heard.extend(messages)
            return [None] * len(messages)

    async with database.begin() as session:
        publish(session, Placed(number=1), traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-00")
        publish(session, Cancelled(number=2))

    await relay_of(database, Recorder()).send_batch()

    assert [(each.routing_key, each.exchange, each.mandatory) for each in heard] == [
        ("test.placed", "sales.events", True),
        ("test.cancelled", "sales.events", False),
    ]
    assert heard[0].traceparent == "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
    assert heard[0].id == Envelope.model_validate_json(heard[0].body).event_id


async def test_nothing_is_marked_before_the_broker_has_confirmed(
    database: Database, replica: Database, world: FakeBroker
) -> None:
    world.open.clear()
    await place(database, 1)

    sending = asyncio.create_task(relay_of(database, world).send_batch())
    await until(lambda: world.heard == [[1]])
    assert await unsent(replica) == 1
    world.open.set()
    await sending

    assert await unsent(replica) == 0


async def test_a_commit_wakes_the_relay(database: Database, world: FakeBroker) -> None:
    async with running(relay_of(database, world)):
        await asyncio.sleep(0.2)
        for number in range(3):
            await place(database, number)
            await until(lambda number=number: world.all_heard == [*range(number + 1)], within=1)  # type: ignore[misc]


async def test_an_event_that_is_published_while_a_batch_is_sent_does_not_wait(
    database: Database, world: FakeBroker
) -> None:
    world.open.clear()
    async with running(relay_of(database, world)):
        await place(database, 1)
        await until(lambda: world.heard == [[1]])
        await place(database, 2)
        world.open.set()
        await until(lambda: world.all_heard == [1, 2], within=1)


async def test_two_relays_share_the_outbox_and_send_nothing_twice(
    database: Database, replica: Database, world: FakeBroker
) -> None:
    await place(database, *range(400))
    world.open.clear()
    both = asyncio.gather(*(relay_of(each, world, batch=100).send_batch() for each in (database, replica)))
    await until(lambda: len(world.heard) == 2)
    world.open.set()
    await both

    assert sorted(world.all_heard) == list(range(200))
    assert await unsent(database) == 200


async def test_many_relays_send_everything_once(database: Database, replica: Database, world: FakeBroker) -> None:
    await place(database, *range(1_000))

    async with running(relay_of(database, world, batch=20)), running(relay_of(replica, world, batch=20)):
        await eventually(lambda: unsent_is(database, 0))

    assert sorted(world.all_heard) == list(range(1_000))


async def test_an_event_with_a_lower_number_that_is_committed_later_is_sent_too(
    database: Database, replica: Database, world: FakeBroker
) -> None:
    insert = text(
        "INSERT INTO outbox (event_id, event_type, exchange, mandatory, body)"
        """ VALUES (gen_random_uuid(), 'test.placed', 'sales.events', true, '{"event_id": "1", "event_type": "t","""
        """ "timestamp": "2026-01-01T00:00:00Z", "source": "s", "data": {"number"\\: 1}}')"""
    )
    relay = relay_of(database, world)

    async with replica.begin() as slow:
        await slow.execute(insert)
        await place(database, 2)
        await relay.send_batch()
        assert world.heard == [[2]]

    await relay.send_batch()
    assert world.heard == [[2], [1]]


@pytest.mark.usefixtures("disarmed")
async def test_what_was_sent_but_not_marked_is_sent_again_and_changes_nothing(
    database: Database, broker: Broker, telemetry: Telemetry
) -> None:
    noting = Noting()
    consumer = Consumer(database, noting.reactions, telemetry)
    await broker.subscribe(Subscription("delivery", {"test.placed": "sales.events"}), consumer.handle)
    await place(database, 1, 2)
    relay = relay_of(database, broker)
    failpoints.arm("test", "chassis.relay.sent=raise@1*1")

    with pytest.raises(FailpointHit):
        await relay.send_batch()
    await eventually(lambda: noted_is(database, [1, 2]))
    async with database.begin() as session:
        await session.execute(text("DELETE FROM outbox WHERE event_type = 'test.noted'"))
    await relay.send_batch()

    assert await unsent(database) == 0
    await asyncio.sleep(0.2)
    assert await noted(database) == [1, 2]
    assert sorted(number for call in noting.calls for number in call) == [1, 2]


async def noted_is(database: Database, numbers: list[int]) -> bool:
    return await noted(database) == numbers


async def test_stopping_lets_the_batch_that_is_being_sent_be_marked(database: Database, world: FakeBroker) -> None:
    world.open.clear()
    await place(database, *range(6))
    relay = relay_of(database, world, batch=3)
    task = asyncio.create_task(relay.run())
    await until(lambda: len(world.heard) == 1)

    relay.stop()
    await asyncio.sleep(0.05)
    assert not task.done()
    world.open.set()
    await asyncio.wait_for(task, 2)

    assert world.heard == [[0, 1, 2]]
    assert await unsent(database) == 3


async def test_nothing_in_the_outbox_is_nothing_sent(database: Database, world: FakeBroker) -> None:
    assert await relay_of(database, world).send_batch() == 0
    assert world.heard == []
