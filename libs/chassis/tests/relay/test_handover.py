"""What a process commits its own relay sends at once, without looking for it, and nobody else does meanwhile."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis import failpoints
from chassis.broker import Message
from chassis.db import Database
from chassis.errors import Unavailable
from chassis.handover import KEPT_FOR, Entry, Handover
from chassis.outbox import publish
from chassis.relay import Relay
from chassis.telemetry import Telemetry
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import Placed, column, eventually, execute, unsent
from libs.chassis.tests.relay.factories import (
    FakeBroker,
    place,
    ready,
    relay_of,
    running,
    unsent_is,
    untouched,
)
from tests.harness.statements import whole_statements_on


async def test_what_is_committed_is_sent_without_being_looked_for(database: Database, world: FakeBroker) -> None:
    async with running(relay_of(database, world)):
        await ready(database)
        with whole_statements_on(database) as statements:
            await place(database, 1, 2)
            await eventually(lambda: world.all_heard == [1, 2] and len(statements) == 2)

    assert [statement.split(" (")[0] for statement in statements] == ["INSERT INTO outbox", statements[1]]
    assert statements[1].startswith("UPDATE outbox SET sent_at")
    assert await unsent(database) == 0


async def test_while_one_relay_has_them_in_hand_no_other_sends_them(
    database: Database, replica: Database, world: FakeBroker
) -> None:
    database.handover.kept_for = timedelta(minutes=1)
    world.open.clear()
    elsewhere = FakeBroker()
    async with running(relay_of(database, world)):
        await ready(database)
        await place(database, 1)
        await until(lambda: world.heard == [[1]])

        assert await relay_of(replica, elsewhere).send_batch() == 0
        world.open.set()
        await eventually(lambda: unsent_is(database, 0))

    assert elsewhere.heard == []


async def test_what_a_process_had_in_hand_when_it_died_is_sent_by_another(
    database: Database, replica: Database, world: FakeBroker
) -> None:
    database.handover.kept_for = timedelta(minutes=1)
    database.handover.open()
    await place(database, 1)

    assert await relay_of(replica, world).send_batch() == 0
    [seconds] = await column(database, "SELECT extract(epoch FROM next_attempt_at - created_at)::float FROM outbox")
    await execute(database, "UPDATE outbox SET next_attempt_at = now()")
    await relay_of(replica, world).send_batch()

    assert seconds >= 60
    assert timedelta(seconds=1) < KEPT_FOR < timedelta(seconds=5)
    assert world.all_heard == [1]


async def test_what_does_not_get_through_is_at_once_anybodys_again(database: Database, world: FakeBroker) -> None:
    async with running(relay_of(database, world)):
        await ready(database)
        world.is_away = True
        await place(database, 1, 2)
        await until(lambda: world.heard == [[1, 2]])

        await eventually(lambda: untouched_is(database, 2))
        assert not database.handover.is_open
        world.is_away = False
        await eventually(lambda: unsent_is(database, 0))
        await ready(database)

    assert world.heard == [[1, 2], *[[1, 2]] * (len(world.heard) - 1)]


async def untouched_is(database: Database, count: int) -> bool:
    return await untouched(database) == count


async def test_while_nothing_gets_through_nothing_is_kept_from_others(database: Database, world: FakeBroker) -> None:
    async with running(relay_of(database, world)):
        await ready(database)
        world.is_away = True
        await place(database, 1)
        await eventually(lambda: untouched_is(database, 1))

        await place(database, 2)

        assert await untouched(database) == 2


async def test_what_some_refuse_is_tried_later_and_the_rest_is_sent(database: Database, world: FakeBroker) -> None:
    world.answer = lambda number: Unavailable("not this one") if number == 2 else None

    async with running(relay_of(database, world)):
        await ready(database)
        await place(database, 1, 2, 3)
        await eventually(lambda: unsent_is(database, 1))

    assert await column(database, "SELECT attempts FROM outbox WHERE sent_at IS NULL") == [1]
    assert world.heard[0] == [1, 2, 3]


async def test_who_stops_leaves_what_it_has_not_begun_to_others(
    database: Database, replica: Database, world: FakeBroker
) -> None:
    world.open.clear()
    relay = relay_of(database, world, batch=2)
    task = asyncio.create_task(relay.run())
    await ready(database)
    await place(database, 1, 2)
    await until(lambda: world.heard == [[1, 2]])
    await place(database, 3)

    relay.stop()
    world.open.set()
    await asyncio.wait_for(task, 5)
    await place(database, 4)

    assert world.heard == [[1, 2]]
    assert await untouched(database) == 2
    assert await relay_of(replica, world).send_batch() == 2


@pytest.mark.usefixtures("disarmed")
async def test_what_was_sent_and_not_marked_is_sent_again(database: Database, world: FakeBroker) -> None:
    async with running(relay_of(database, world)):
        await ready(database)
        failpoints.arm("test", "chassis.relay.sent=raise@1*1")
        await place(database, 1)
        await eventually(lambda: unsent_is(database, 0))

    assert world.all_heard == [1, 1]


async def test_what_no_relay_is_there_for_is_kept_from_nobody(database: Database) -> None:
    await place(database, 1)

    assert await untouched(database) == 1


async def test_a_transaction_that_fails_hands_over_nothing(database: Database, world: FakeBroker) -> None:
    await execute(database, "ALTER TABLE effects ADD CONSTRAINT once UNIQUE (number) DEFERRABLE INITIALLY DEFERRED")
    database.handover.open()

    async def place_twice() -> None:
        async with database.begin() as session:
            await session.execute(text("INSERT INTO effects VALUES ('placed', 1), ('placed', 1)"))
            publish(session, Placed(number=1))

    with pytest.raises(IntegrityError, match="once"):
        await place_twice()

    assert database.handover.close() == []
    assert await unsent(database) == 0


async def test_what_stays_in_hand_for_long_is_sent_by_whoever_finds_it_and_not_once_more(
    database: Database, replica: Database, world: FakeBroker
) -> None:
    database.handover.kept_for = timedelta(milliseconds=200)
    database.handover.open()
    await place(database, 1)
    elsewhere = FakeBroker()
    await eventually(lambda: sends(relay_of(replica, elsewhere)))

    async with running(often_looking(database, world)):
        await place(database, 2)
        await eventually(lambda: unsent_is(database, 0))

    assert elsewhere.all_heard == [1]
    assert world.all_heard == [2]


async def test_what_was_left_is_looked_for_however_much_comes_by_hand(database: Database, replica: Database) -> None:
    world = Busy(database)
    async with running(often_looking(database, world)):
        await ready(database)
        await place(database, 1)
        await until(lambda: len(world.heard) > 3)
        await place(replica, 0)
        await until(lambda: 0 in world.all_heard)
        world.is_busy = False
        await eventually(lambda: unsent_is(database, 0))

    assert sorted(world.all_heard) == list(range(len(world.all_heard)))


class Busy(FakeBroker):
    """While something is being sent the next is already there."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.is_busy = True
        self._database = database
        self._numbers = itertools.count(2)

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        if self.is_busy:
            await place(self._database, next(self._numbers))
        return await super().publish(messages)


def often_looking(database: Database, world: FakeBroker) -> Relay:
    return Relay(database, world, Telemetry("test"), look_every=timedelta(milliseconds=50))


async def sends(relay: Relay) -> bool:
    return await relay.send_batch() > 0


def test_more_than_can_be_sent_soon_is_left_to_be_looked_for() -> None:
    handover = Handover()
    handover.open()

    for number in range(2_000):
        assert handover.is_open
        handover.put([Entry(number, None)])  # type: ignore[arg-type]

    assert not handover.is_open
    handover.take(1)
    assert handover.is_open
