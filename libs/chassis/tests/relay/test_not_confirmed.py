"""What the broker does not take is tried again, ever more slowly, and holds up nothing else."""

import asyncio
from itertools import pairwise

from sqlalchemy import text

from chassis.broker import NotConfirmed, Unroutable
from chassis.db import Database
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import column, eventually, unsent
from libs.chassis.tests.relay.factories import FakeBroker, place, relay_of, running, unsent_is, untouched


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


async def test_a_relay_that_waits_for_the_broker_stops_at_once(database: Database, world: FakeBroker) -> None:
    world.is_away = True
    await place(database, 1)
    relay = relay_of(database, world)
    relay._failures = 10
    task = asyncio.create_task(relay.run())
    await until(lambda: len(world.heard) == 1)

    relay.stop()

    await asyncio.wait_for(task, 1)
