"""A parked event is tried by one replica at a time, whatever becomes of that one."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from chassis import parking
from chassis.consumer import Consumer, Received
from chassis.db import Database
from chassis.engine import DatabaseAway
from chassis.errors import NotFound
from chassis.telemetry import Telemetry
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.consumer.factories import state
from libs.chassis.tests.factories import DatabaseWire, Noting, Placed, make_due, note, noted, placed


async def test_an_attempt_that_kills_the_process_counts_and_comes_later(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    await make_due(database)
    noting.open.clear()
    attempt = asyncio.create_task(consumer.retry_due())
    await until(lambda: len(noting.calls) == 1)

    attempt.cancel()
    await asyncio.wait([attempt])

    event = await state(database, event_id)
    assert event.attempts == 2
    assert event.next_attempt_at is not None
    assert event.next_attempt_at > datetime.now(UTC)
    assert await noted(database) == []


async def test_replicas_never_try_the_same_event_at_once(
    database: Database, replica: Database, telemetry: Telemetry
) -> None:
    running: set[int] = set()
    most: list[int] = []

    async def slow(session: AsyncSession, received: Sequence[Received[Placed]]) -> None:
        [one] = received
        assert one.event.number not in running
        running.add(one.event.number)
        most.append(len(running))
        await note(session, "placed", one.event.number)
        await asyncio.sleep(0.02)
        running.discard(one.event.number)

    early = Noting()
    early.postponed = set(range(30))
    await Consumer(database, early.reactions, telemetry).handle(placed(*range(30)))
    await make_due(database)
    replicas = [Consumer(each, {Placed: slow}, telemetry) for each in (database, replica, database, replica)]

    await asyncio.gather(*(each.retry_due() for each in replicas))

    assert await noted(database) == list(range(30))
    assert max(most) > 1


async def test_an_attempt_that_fails_at_one_replica_is_not_made_at_once_by_the_others(
    database: Database, replica: Database, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not due again before the last of them has been tried.
    monkeypatch.setattr("chassis.parking._FIRST_DELAY", timedelta(minutes=1))
    noting = Noting()
    noting.failing = set(range(30))
    replicas = [Consumer(each, noting.reactions, telemetry) for each in (database, replica, database, replica)]
    await replicas[0].handle(placed(*range(30)))
    await make_due(database)
    noting.calls.clear()

    await asyncio.gather(*(each.retry_due() for each in replicas))

    assert sorted(noting.calls) == [[number] for number in range(30)]


async def test_a_retry_by_hand_during_a_retry_by_the_clock_does_nothing(
    consumer: Consumer, noting: Noting, database: Database, replica: Database, telemetry: Telemetry, event_id: str
) -> None:
    await make_due(database)
    noting.open.clear()
    attempt = asyncio.create_task(consumer.retry_due())
    await until(lambda: len(noting.calls) == 1)

    by_hand = asyncio.create_task(Consumer(replica, noting.reactions, telemetry).retry(event_id))
    await asyncio.sleep(0.1)
    noting.open.set()
    await attempt
    with pytest.raises(NotFound):
        await by_hand

    assert noting.calls == [[1]]
    assert await noted(database) == [1]


async def test_an_attempt_that_somebody_else_has_taken_up_meanwhile_is_not_made(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    async with database.begin() as session:
        mine = await parking.begin_attempt(session, event_id, datetime.now(UTC))
    async with database.begin() as session:
        await parking.begin_attempt(session, event_id, datetime.now(UTC))

    assert await consumer._try_again(mine) == "another attempt is under way"

    assert noting.calls == []


async def test_a_database_that_is_lost_during_a_retry_is_not_noted_as_the_events_error(
    fragile: Database, wire: DatabaseWire, noting: Noting, telemetry: Telemetry, database: Database, event_id: str
) -> None:
    await make_due(database)
    noting.open.clear()
    attempt = asyncio.create_task(Consumer(fragile, noting.reactions, telemetry).retry_due())
    await until(lambda: len(noting.calls) == 1)

    wire.go_away()
    noting.open.set()
    with pytest.raises(DatabaseAway):
        await attempt

    assert (await state(database, event_id)).error == "too early"
