"""After what it has sent a relay gives way: to others for a moment, to a crowd that waits for answers for longer."""

import asyncio
from datetime import timedelta

from chassis.db import Database
from chassis.relay import Relay
from chassis.telemetry import Telemetry
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import eventually, waiting_for_answers
from libs.chassis.tests.relay.factories import NEVER, FakeBroker, place, ready, running, unsent_is


async def send_for_a_while(database: Database, world: FakeBroker, *numbers: int) -> None:
    """What has come meanwhile is the next number."""
    world.open.clear()
    await place(database, *numbers)
    await until(lambda: world.heard == [list(numbers)])
    await place(database, numbers[-1] + 1)
    await asyncio.sleep(1)
    world.open.set()


async def test_after_a_batch_others_get_their_time_and_more_gathers(database: Database, world: FakeBroker) -> None:
    database.handover.kept_for = timedelta(minutes=1)
    relay = Relay(database, world, Telemetry("test"), look_every=NEVER, breather=timedelta(seconds=30))
    async with running(relay):
        await ready(database)
        await send_for_a_while(database, world, 1)
        await eventually(lambda: unsent_is(database, 1))

        await place(database, 3)
        await eventually(lambda: unsent_is(database, 0))

    assert world.heard == [[1], [2, 3]]


async def test_where_nobody_waits_for_what_is_told_more_of_it_gathers_than_the_work_would_allow(
    database: Database, world: FakeBroker
) -> None:
    database.handover.kept_for = timedelta(minutes=1)
    relay = Relay(database, world, Telemetry("test"), look_every=NEVER, rest=timedelta(seconds=3))
    async with running(relay):
        await ready(database)
        await place(database, 1, 2, 3)
        await until(lambda: world.heard == [[1, 2, 3]])
        await place(database, 4)
        await place(database, 5)
        await until(lambda: len(world.all_heard) == 5)

    assert world.heard == [[1, 2, 3], [4, 5]]


async def test_a_crowd_that_waits_for_answers_goes_first_even_where_more_is_to_be_sent(
    database: Database, world: FakeBroker
) -> None:
    database.handover.kept_for = timedelta(minutes=1)
    relay = Relay(database, world, Telemetry("test"), batch=2, look_every=NEVER, breather=timedelta(seconds=30))
    with waiting_for_answers(64):
        async with running(relay):
            await ready(database)
            await send_for_a_while(database, world, 1, 2)
            await eventually(lambda: unsent_is(database, 1))

            await place(database, 4)
            await eventually(lambda: unsent_is(database, 0))

    assert world.heard == [[1, 2], [3, 4]]


async def test_in_a_rush_it_is_sent_in_small_pieces_whether_it_comes_by_hand_or_is_looked_for(
    database: Database, world: FakeBroker
) -> None:
    database.handover.kept_for = timedelta(minutes=1)
    relay = Relay(database, world, Telemetry("test"), look_every=NEVER, breather=timedelta(0))
    await place(database, *range(60))

    with waiting_for_answers(64):
        async with running(relay):
            await eventually(lambda: unsent_is(database, 0))
            await ready(database)
            await place(database, *range(60, 125))
            await eventually(lambda: unsent_is(database, 0))

    assert [len(batch) for batch in world.heard] == [25, 25, 10, 25, 25, 15]
    assert world.all_heard == list(range(125))


async def test_a_small_piece_does_not_rest_for_as_long_as_a_large_one(database: Database, world: FakeBroker) -> None:
    database.handover.kept_for = timedelta(minutes=1)
    # A millionth of it is what a piece of 25 may rest for, however long it took.
    relay = Relay(database, world, Telemetry("test"), batch=25_000_000, look_every=NEVER, breather=timedelta(hours=1))
    with waiting_for_answers(112):
        async with running(relay):
            await ready(database)
            world.open.clear()
            await place(database, *range(50))
            await until(lambda: len(world.heard) == 1)
            await asyncio.sleep(2)
            world.open.set()
            await until(lambda: len(world.heard) == 2)

    assert [len(batch) for batch in world.heard] == [25, 25]
