"""What is in the outbox reaches the broker: in order, whatever fails on the way, and once it is there it is marked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import text

from chassis import failpoints
from chassis.broker import Broker, Consuming, Handle, Message, NotConfirmed, NotReady, Subscription, Unroutable
from chassis.consumer import Consumer
from chassis.db import Database
from chassis.failpoints import FailpointHit
from chassis.outbox import publish
from chassis.relay import Relay
from chassis.telemetry import Telemetry
from contracts.envelope import Envelope
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import Cancelled, Noting, Placed, column, eventually, noted, unsent

NEVER = timedelta(seconds=60)
Answer = Callable[[int], Exception | None]


class FakeBroker:
    """The outside world: it hears numbers, and answers as it is told to."""

    def __init__(self) -> None:
        self.heard: list[list[int]] = []
        self.answer: Answer = lambda _: None
        self.open = asyncio.Event()
        self.open.set()
        self.is_away = False

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        numbers = [Envelope.model_validate_json(each.body).data["number"] for each in messages]
        self.heard.append(numbers)
        await self.open.wait()
        if self.is_away:
            return [NotConfirmed("away")] * len(numbers)
        return [self.answer(number) for number in numbers]

    async def ready(self) -> None:
        if self.is_away:
            raise NotReady("away")

    async def subscribe(self, subscription: Subscription, handle: Handle) -> Consuming:
        raise NotImplementedError

    async def close(self) -> None: ...

    @property
    def all_heard(self) -> list[int]:
        return [number for batch in self.heard for number in batch]


@pytest.fixture
def world() -> FakeBroker:
    return FakeBroker()


def relay_of(database: Database, broker: Broker, *, batch: int = 200) -> Relay:
    return Relay(database, broker, Telemetry("test"), batch=batch, look_every=NEVER)


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.stop()
        async with asyncio.timeout(5):
            await task


async def place(database: Database, *numbers: int) -> None:
    async with database.begin() as session:
        for number in numbers:
            publish(session, Placed(number=number))


async def untouched(database: Database) -> int:
    statement = (
        "SELECT count(*)::int FROM outbox WHERE sent_at IS NULL AND attempts = 0 AND next_attempt_at = '-infinity'"
    )
    return sum(await column(database, statement))


async def test_events_are_sent_in_their_order_and_in_batches(database: Database, world: FakeBroker) -> None:
    await place(database, *range(25))

    async with running(relay_of(database, world, batch=10)):
        await eventually(lambda: unsent_is(database, 0))

    assert world.heard == [list(range(10)), list(range(10, 20)), list(range(20, 25))]


async def unsent_is(database: Database, count: int) -> bool:
    return await unsent(database) == count


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


async def test_what_a_broker_that_is_away_did_not_confirm_stays_as_it_was_and_goes_out_when_it_is_back(
    database: Database, world: FakeBroker
) -> None:
    world.is_away = True
    await place(database, 1, 2, 3)

    async with running(relay_of(database, world)):
        await until(lambda: len(world.heard) >= 5)
        assert await untouched(database) == 3
        world.is_away = False
        await eventually(lambda: unsent_is(database, 0))

    assert world.heard[-1] == [1, 2, 3]


async def test_while_the_broker_is_away_the_waits_grow_however_much_is_published(
    database: Database, world: FakeBroker
) -> None:
    world.is_away = True
    clock = asyncio.get_running_loop().time
    times: list[float] = []

    async with running(relay_of(database, world)):
        end = clock() + 3
        while clock() < end:
            await place(database, 1)
            if len(world.heard) > len(times):
                times.append(clock())
            await asyncio.sleep(0.01)

    waits = [later - earlier for earlier, later in pairwise(times)]
    assert 2 <= len(waits) <= 6
    assert waits[-1] > 1.5 * waits[0]


async def test_after_a_thousand_failures_the_relay_still_tries(database: Database, world: FakeBroker) -> None:
    relay = relay_of(database, world)
    relay._failures = 5_000
    world.is_away = True
    await place(database, 1)

    async with running(relay):
        await until(lambda: len(world.heard) == 1)
        await asyncio.sleep(0.1)


async def test_an_event_that_nobody_can_get_is_tried_later_and_holds_up_nothing(
    database: Database, world: FakeBroker
) -> None:
    world.answer = lambda number: Unroutable("no queue") if number == 1 else None
    await place(database, 1, 2)
    relay = relay_of(database, world)

    await relay.send_batch()
    await place(database, 3)
    await relay.send_batch()

    assert world.heard == [[1, 2], [3]]
    assert await unsent(database) == 1
    world.answer = lambda _: None
    await asyncio.sleep(0.25)
    await relay.send_batch()
    assert world.heard[-1] == [1]
    assert await unsent(database) == 0


async def test_an_event_without_a_listener_is_tried_at_growing_intervals(database: Database, world: FakeBroker) -> None:
    world.answer = lambda _: Unroutable("no queue")
    await place(database, 1)
    relay, delays = relay_of(database, world), []

    for _ in range(12):
        await relay.send_batch()
        [delay] = await column(database, "SELECT extract(epoch FROM (next_attempt_at - now()) * 1000)::int FROM outbox")
        delays.append(delay)
        async with database.begin() as session:
            await session.execute(text("UPDATE outbox SET next_attempt_at = now()"))

    assert all(earlier < later for earlier, later in pairwise(delays[:9]))
    assert delays[0] <= 200
    assert 50_000 < delays[-1] <= 60_000


async def test_what_was_not_confirmed_beside_others_that_were_holds_up_nothing(
    database: Database, world: FakeBroker
) -> None:
    world.answer = lambda number: NotConfirmed("the queue is full") if number < 10 else None
    await place(database, *range(12))
    relay = relay_of(database, world, batch=11)

    await relay.send_batch()
    await relay.send_batch()

    assert world.heard == [[*range(11)], [11]]
    assert await unsent(database) == 10


async def test_a_full_queue_does_not_hold_up_the_events_of_others_for_ever(
    database: Database, world: FakeBroker
) -> None:
    world.answer = lambda number: NotConfirmed("the queue is full") if number < 10 else None
    await place(database, *range(12))

    async with running(relay_of(database, world, batch=5)):
        await until(lambda: {10, 11} <= set(world.all_heard))

    assert await unsent(database) == 10
    assert world.heard[:3] == [[*range(5)]] * 3


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


async def test_a_relay_that_waits_for_the_broker_stops_at_once(database: Database, world: FakeBroker) -> None:
    world.is_away = True
    await place(database, 1)
    relay = relay_of(database, world)
    relay._failures = 10
    task = asyncio.create_task(relay.run())
    await until(lambda: len(world.heard) == 1)

    relay.stop()

    await asyncio.wait_for(task, 1)


async def test_nothing_in_the_outbox_is_nothing_sent(database: Database, world: FakeBroker) -> None:
    assert await relay_of(database, world).send_batch() == 0
    assert world.heard == []
