"""What was sent is written down a moment later and together: nobody waits for it, and nothing of it is lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis import marks
from chassis.db import Database
from chassis.marks import Marks
from chassis.relay import Relay
from chassis.telemetry import Telemetry
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import DatabaseWire, column, eventually, unsent
from libs.chassis.tests.relay.factories import NEVER, FakeBroker, place, relay_of, running, unsent_is
from tests.harness.statements import whole_statements_on


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks gather until the relay ends."""
    monkeypatch.setattr(marks, "_GATHERED_FOR", 60)


@pytest.fixture
async def far(wire: DatabaseWire) -> AsyncIterator[Database]:
    """The same database, by a way that can be cut."""
    database = Database(wire.url, application_name="far")
    yield database
    await database.close()


async def ids(database: Database) -> list[int]:
    return await column(database, "SELECT id FROM outbox ORDER BY id")


@pytest.mark.usefixtures("patience")
async def test_batches_that_are_sent_one_after_the_other_are_marked_together(
    database: Database, world: FakeBroker
) -> None:
    with whole_statements_on(database) as statements:
        async with running(relay_of(database, world)):
            await until(lambda: database.handover.is_open)
            for number in (1, 2, 3):
                await place(database, number)
                await until(lambda sent=number: world.all_heard[-1:] == [sent])  # type: ignore[misc]
            assert await unsent(database) == 3

    assert world.heard == [[1], [2], [3]]
    assert await unsent(database) == 0
    assert len([each for each in statements if each.startswith("UPDATE outbox")]) == 1


async def test_while_the_relay_has_to_rest_what_it_has_sent_is_marked(database: Database, world: FakeBroker) -> None:
    relay = Relay(database, world, Telemetry("test"), look_every=NEVER, rest=timedelta(minutes=1))
    async with running(relay):
        await until(lambda: database.handover.is_open)
        await place(database, 1, 2, 3)

        await eventually(lambda: unsent_is(database, 0))


async def test_while_the_database_is_away_marks_wait(database: Database, far: Database, wire: DatabaseWire) -> None:
    await place(database, 1, 2)
    writing = Marks(far)
    wire.go_away()
    writing.add(await ids(database))
    await asyncio.sleep(0.5)
    await place(database, 3)
    writing.add((await ids(database))[2:])

    wire.come_back()

    await eventually(lambda: unsent_is(database, 0))
    await writing.close()


async def test_who_ends_without_a_database_does_not_wait_for_it(
    database: Database, far: Database, wire: DatabaseWire
) -> None:
    await place(database, 1)
    writing = Marks(far)
    wire.go_away()
    writing.add(await ids(database))

    await asyncio.wait_for(writing.close(), 5)

    assert await unsent(database) == 1


async def test_what_is_marked_later_is_marked_as_well(database: Database) -> None:
    writing = Marks(database)
    for number in (1, 2):
        await place(database, number)
        writing.add((await ids(database))[-1:])
        await eventually(lambda: unsent_is(database, 0))
    await writing.close()
