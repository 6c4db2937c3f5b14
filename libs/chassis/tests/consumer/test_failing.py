"""An event that fails or comes too early is parked, the others go on, and a lost database is nobody's fault."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.consumer import Consumer, Postponed, Received
from chassis.db import Database
from chassis.engine import DatabaseAway
from chassis.errors import Unavailable
from chassis.telemetry import Telemetry
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.consumer.factories import handled, waiting
from libs.chassis.tests.factories import DatabaseWire, Noting, Placed, note, noted, outbox, parked, placed


@pytest.mark.rule("BR-EVENT-003")
async def test_of_a_batch_with_one_bad_event_the_others_are_handled_and_the_bad_one_is_parked(
    consumer: Consumer, noting: Noting, database: Database, telemetry: Telemetry
) -> None:
    noting.failing = {2}
    messages = placed(1, 2, 3)

    await consumer.handle(messages)

    assert await noted(database) == await outbox(database) == [1, 3]
    [bad] = await waiting(database)
    assert (bad.event_id, bad.event_type, bad.body) == (messages[1].id, "test.placed", messages[1].body)
    assert bad.error == "ZeroDivisionError: cannot take 2"
    assert bad.next_attempt_at is not None
    assert telemetry.registry.get_sample_value("events_parked_total") == 1
    assert telemetry.registry.get_sample_value("events_consumed_total") == 2


async def test_a_parked_event_that_comes_again_is_not_tried_by_its_duplicate(
    consumer: Consumer, noting: Noting, database: Database
) -> None:
    noting.failing = {1}
    messages = placed(1)
    await consumer.handle(messages)
    noting.failing = set()

    await consumer.handle(messages)

    assert await noted(database) == []
    assert [each.attempts for each in await waiting(database)] == [1]


async def test_a_reaction_that_hangs_is_given_up_and_its_event_parked(
    database: Database, noting: Noting, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.consumer._LONGEST", 0.3)
    noting.open.clear()

    await Consumer(database, noting.reactions, telemetry).handle(placed(1))

    [hung] = await waiting(database)
    assert hung.error.startswith("TimeoutError")


async def test_what_was_done_for_a_postponed_event_is_undone_and_the_others_are_handled(
    consumer: Consumer, noting: Noting, database: Database
) -> None:
    noting.postponed = {2, 4}
    messages = placed(1, 2, 3, 4)

    await consumer.handle(messages)

    assert await noted(database) == await outbox(database) == [1, 3]
    events = {event.event_id: event for event in await waiting(database)}
    assert events.keys() == {messages[1].id, messages[3].id}
    assert {event.error for event in events.values()} == {"too early"}
    assert all(event.next_attempt_at is not None for event in events.values())
    assert await handled(database) == 4


async def test_what_is_postponed_because_of_another_that_is_postponed_is_parked_too(
    database: Database, telemetry: Telemetry
) -> None:
    async def each_needs_its_predecessor(
        session: AsyncSession, received: Sequence[Received[Placed]]
    ) -> list[Postponed]:
        there = {0, *(one.event.number for one in received)}
        for one in received:
            await note(session, "placed", one.event.number)
        return [Postponed(one.event_id, "too early") for one in received if one.event.number - 1 not in there]

    await Consumer(database, {Placed: each_needs_its_predecessor}, telemetry).handle(placed(1, 3, 4, 5))

    assert await noted(database) == [1]
    assert len(await waiting(database)) == 3


async def test_a_reaction_cannot_postpone_what_it_was_not_given(database: Database, telemetry: Telemetry) -> None:
    async def confused(_: AsyncSession, __: Sequence[Received[Placed]]) -> list[Postponed]:
        return [Postponed("somebody else's", "too early")]

    await Consumer(database, {Placed: confused}, telemetry).handle(placed(1))

    assert [event.error for event in await waiting(database)] == [
        "RuntimeError: A reaction has postponed what it was not given."
    ]


async def test_while_the_database_is_away_the_batch_is_not_taken_and_nothing_is_parked(
    fragile: Database, wire: DatabaseWire, noting: Noting, telemetry: Telemetry, database: Database
) -> None:
    consumer = Consumer(fragile, noting.reactions, telemetry)
    messages = placed(1, 2)

    wire.go_away()
    with pytest.raises(DatabaseAway):
        await consumer.handle(messages)
    wire.come_back()
    assert await handled(database) == 0
    await consumer.handle(messages)

    assert await noted(database) == [1, 2]
    assert not await waiting(database)


async def test_a_database_that_is_lost_during_a_reaction_is_no_fault_of_the_event(
    fragile: Database, wire: DatabaseWire, noting: Noting, telemetry: Telemetry, database: Database
) -> None:
    consumer = Consumer(fragile, noting.reactions, telemetry)
    messages = placed(1, 2)
    noting.open.clear()
    handling = asyncio.create_task(consumer.handle(messages))
    await until(lambda: len(noting.calls) == 1)

    wire.go_away()
    noting.open.set()
    with pytest.raises(DatabaseAway):
        await handling
    wire.come_back()
    await consumer.handle(messages)

    assert await noted(database) == await outbox(database) == [1, 2]
    assert not await waiting(database)


async def test_a_database_that_is_lost_for_a_moment_again_and_again_has_nothing_parked(
    fragile: Database, wire: DatabaseWire, telemetry: Telemetry, database: Database
) -> None:
    calls: list[int] = []

    async def unlucky(session: AsyncSession, received: Sequence[Received[Placed]]) -> None:
        calls.append(len(received))
        if len(calls) <= 3:
            wire.go_away()
            wire.come_back()
        for one in received:
            await note(session, "placed", one.event.number)

    consumer = Consumer(fragile, {Placed: unlucky}, telemetry)
    messages = placed(1, 2)
    for _ in range(3):
        with pytest.raises(DatabaseAway):
            await consumer.handle(messages)
    await consumer.handle(messages)

    assert calls == [2, 2, 2, 2]
    assert await noted(database) == [1, 2]
    assert not await waiting(database)


async def test_a_database_that_is_lost_while_a_batch_is_taken_apart_has_nothing_parked(
    fragile: Database, wire: DatabaseWire, telemetry: Telemetry, database: Database
) -> None:
    calls: list[int] = []

    async def unlucky(session: AsyncSession, received: Sequence[Received[Placed]]) -> None:
        calls.append(len(received))
        if len(calls) == 1:
            raise ZeroDivisionError
        wire.go_away()
        wire.come_back()
        await note(session, "placed", 1)

    with pytest.raises(DatabaseAway):
        await Consumer(fragile, {Placed: unlucky}, telemetry).handle(placed(1))

    assert calls == [1, 1]
    assert await handled(database) == 0
    assert not await waiting(database)


async def test_a_reaction_that_lacks_something_else_does_not_hold_up_the_others(
    database: Database, telemetry: Telemetry
) -> None:
    async def needs_a_partner(session: AsyncSession, received: Sequence[Received[Placed]]) -> None:
        for one in received:
            if one.event.number == 2:
                raise Unavailable("The partner is away.")
            if one.event.number == 3:
                raise ConnectionRefusedError("the mail server")
            await note(session, "placed", one.event.number)

    await Consumer(database, {Placed: needs_a_partner}, telemetry).handle(placed(1, 2, 3, 4))

    assert await noted(database) == [1, 4]
    assert len(await waiting(database)) == 2


async def test_what_is_parked_says_when_and_is_due_soon(consumer: Consumer, noting: Noting, database: Database) -> None:
    noting.failing = {1}
    messages = placed(1)

    await consumer.handle(messages)

    event = await parked(database, messages[0].id)
    assert event is not None
    assert event.next_attempt_at is not None
    assert timedelta(0) < event.next_attempt_at - event.parked_at <= timedelta(seconds=1)
