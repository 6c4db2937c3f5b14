"""Each event has its effect once, whatever comes twice, fails, comes too early, or is no event at all."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis import failpoints, parking
from chassis.broker import Broker, Message, Subscription
from chassis.consumer import Consumer, Postponed, Received
from chassis.db import Database
from chassis.engine import DatabaseAway
from chassis.errors import Unavailable
from chassis.failpoints import FailpointHit
from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.parking import ParkedEvent
from chassis.telemetry import Telemetry
from chassis.tracing import new_traceparent, traceparents
from libs.chassis.tests.broker.factories import until, until_confirmed
from libs.chassis.tests.factories import (
    Cancelled,
    DatabaseWire,
    Noted,
    Noting,
    Placed,
    column,
    eventually,
    message,
    note,
    noted,
    outbox,
    parked,
    placed,
)


@pytest.fixture
def noting() -> Noting:
    return Noting()


@pytest.fixture
def consumer(database: Database, noting: Noting, telemetry: Telemetry) -> Consumer:
    return Consumer(database, noting.reactions, telemetry)


async def handled(database: Database) -> int:
    return sum(await column(database, "SELECT count(*) FROM inbox"))


async def waiting(database: Database) -> Sequence[ParkedEvent]:
    async with database.begin() as session:
        return await parking.waiting(session)


async def test_a_batch_is_handled_in_one_transaction_with_its_events(
    consumer: Consumer, noting: Noting, database: Database
) -> None:
    await consumer.handle(placed(1, 2, 3))

    assert noting.calls == [[1, 2, 3]]
    assert await noted(database) == await outbox(database) == [1, 2, 3]
    assert await handled(database) == 3


async def test_a_duplicate_in_one_batch_has_one_effect(consumer: Consumer, database: Database) -> None:
    [one] = placed(1)

    await consumer.handle([one, *placed(2), one])

    assert await noted(database) == await outbox(database) == [1, 2]


async def test_a_duplicate_in_a_later_batch_has_no_effect(consumer: Consumer, database: Database) -> None:
    [one] = placed(1)
    await consumer.handle([one])

    await consumer.handle([one, *placed(2)])

    assert await noted(database) == await outbox(database) == [1, 2]


async def test_what_two_replicas_get_at_once_has_one_effect(
    consumer: Consumer, noting: Noting, database: Database, replica: Database, telemetry: Telemetry
) -> None:
    messages = placed(*range(20))
    noting.open.clear()
    other = Consumer(replica, noting.reactions, telemetry)

    both = asyncio.gather(consumer.handle(messages), other.handle([*reversed(messages)]))
    await until(lambda: len(noting.calls) == 1)
    await asyncio.sleep(0.2)
    noting.open.set()
    await both

    assert len(noting.calls) == 1
    assert await noted(database) == list(range(20))
    assert await handled(database) == 20


async def test_two_replicas_that_hear_the_same_many_times_neither_block_nor_double(
    consumer: Consumer, noting: Noting, database: Database, replica: Database, telemetry: Telemetry
) -> None:
    messages = placed(*range(60))
    other = Consumer(replica, noting.reactions, telemetry)

    async def hear(consumer: Consumer, step: int) -> None:
        for start in range(0, 60, 10):
            await consumer.handle([messages[(start + offset * step) % 60] for offset in range(20)])

    await asyncio.gather(hear(consumer, 1), hear(other, -1), hear(consumer, 7), hear(other, 11))

    assert await noted(database) == list(range(60))
    assert not await waiting(database)


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


def envelope(**changes: Any) -> bytes:
    whole = {
        "event_id": "e-1",
        "event_type": "test.placed",
        "timestamp": datetime.now(UTC).isoformat(),
        "source": "sales-service",
        "data": {"number": 1},
    } | changes
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


HOPELESS = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[1]",
    "another form": b'{"hello": "world"}',
    "no event_id": envelope(event_id=None),
    "a long event_id": envelope(event_id="x" * 101),
    "an event_id with NUL": envelope(event_id="a\x00b"),
    "a timestamp without zone": envelope(timestamp="2026-01-01T00:00:00"),
    "data of another form": envelope(data={"number": "many"}),
    "no data": envelope(data=None),
    "NUL in a text": envelope(data={"number": 1, "note": "a\x00b"}),
    "a lone surrogate": envelope(data={"number": 1, "note": "a\ud800b"}),
    "a raw NUL": b"\x00\x00",
    "not UTF-8": b'{"event_id": "\xff\xfe"}',
    "a megabyte": envelope(data={"number": 1, "note": "x" * 1_000_000}),
    "a megabyte of noise": b"\x93" * 1_000_000,
    "deep": b'{"data": ' + b"[" * 50_000,
    "a giant number": envelope(data={"number": 1}).replace(b"1}", b"1" * 10_000 + b".5}"),
}


@pytest.mark.parametrize("body", HOPELESS.values(), ids=HOPELESS.keys())
async def test_what_is_no_event_is_parked_for_a_person_and_does_not_disturb_the_others(
    consumer: Consumer, database: Database, body: bytes
) -> None:
    await consumer.handle([*placed(1), Message(str(uuid7()), "test.placed", body, "sales.events"), *placed(2)])

    [event] = await waiting(database)
    assert event.body == body
    assert event.error
    assert event.next_attempt_at is None
    assert await noted(database) == [1, 2]


async def test_the_same_unreadable_message_is_parked_once(consumer: Consumer, database: Database) -> None:
    for id in ("", "", "\x00"):
        await consumer.handle([Message(id, "", b"{", "")])

    assert len(await waiting(database)) == 1


async def test_what_a_message_says_beside_its_body_cannot_do_harm(consumer: Consumer, database: Database) -> None:
    await consumer.handle(
        [
            Message("a\x00\ud800" * 500, "k\x00" * 500, b"{", "x\x00", traceparent="\x00\ud800"),
            Message("b", "test.placed", envelope(event_id="b"), "sales.events", traceparent="\x00"),
        ]
    )

    [event] = await waiting(database)
    assert len(event.event_id) <= 100
    assert event.traceparent is None
    assert await noted(database) == [1]


async def test_an_event_of_an_unknown_type_is_parked_and_tried_again_by_newer_replicas(
    consumer: Consumer, database: Database, telemetry: Telemetry
) -> None:
    noting = Noting("cancelled")
    await consumer.handle([message(Cancelled(number=1))])
    [event] = await waiting(database)
    assert event.error == "nothing here reacts to test.cancelled"
    assert event.next_attempt_at is not None

    await Consumer(database, {Cancelled: noting}, telemetry).retry(event.event_id)

    assert await noted(database, "cancelled") == [1]


async def test_an_event_is_believed_only_from_its_own_producer(consumer: Consumer, database: Database) -> None:
    [honest] = placed(1)
    forged = Message(honest.id, honest.routing_key, honest.body, "product.events")

    await consumer.handle([forged])

    [event] = await waiting(database)
    assert event.error == "test.placed cannot come from product.events"
    assert event.next_attempt_at is None
    assert await noted(database) == []


async def test_a_contract_that_trips_over_a_message_holds_up_nothing(database: Database, telemetry: Telemetry) -> None:
    class Tripping(Placed):
        @classmethod
        def model_validate(cls, obj: Any, **_: Any) -> "Tripping":
            raise LookupError("what is this?")

    await Consumer(database, {Tripping: Noting()}, telemetry).handle(placed(1))

    [event] = await waiting(database)
    assert event.error == "not readable: LookupError: what is this?"


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


@pytest.mark.usefixtures("disarmed")
async def test_what_was_committed_but_not_acknowledged_comes_again_and_changes_nothing(
    database: Database, broker: Broker, noting: Noting, telemetry: Telemetry
) -> None:
    failpoints.arm("test", "chassis.consumer.committed=raise@1*2")
    consumer = Consumer(database, noting.reactions, telemetry)
    await broker.subscribe(Subscription("delivery", {"test.placed": "sales.events"}, batch=1), consumer.handle)

    await until_confirmed(broker, placed(1))
    await until(lambda: failpoints.hits().get("chassis.consumer.committed", 0) >= 3)

    assert noting.calls == [[1]]
    assert await noted(database) == await outbox(database) == [1]


@pytest.mark.usefixtures("disarmed")
async def test_a_hit_between_commit_and_acknowledgement_reaches_the_broker(consumer: Consumer) -> None:
    failpoints.arm("test", "chassis.consumer.committed=raise")

    with pytest.raises(FailpointHit):
        await consumer.handle(placed(1))


async def test_reactions_run_in_the_order_of_the_table_whatever_the_order_of_arrival(
    database: Database, telemetry: Telemetry
) -> None:
    order: list[str] = []

    async def place(_: AsyncSession, received: Sequence[Received[Placed]]) -> None:
        order.append(f"placed {[one.event.number for one in received]}")

    async def cancel(_: AsyncSession, received: Sequence[Received[Cancelled]]) -> None:
        order.append(f"cancelled {[one.event.number for one in received]}")

    consumer = Consumer(database, {Placed: place, Cancelled: cancel}, telemetry)
    await consumer.handle([message(Cancelled(number=2)), *placed(1, 2), message(Cancelled(number=1))])

    assert order == ["placed [1, 2]", "cancelled [2, 1]"]


async def test_inside_a_reaction_traces_and_events_are_aligned(
    consumer: Consumer, noting: Noting, database: Database
) -> None:
    traces = [new_traceparent() for _ in range(3)]
    messages = [message(Placed(number=number), traceparent=trace) for number, trace in enumerate(traces)]

    await consumer.handle([*messages, Message("x", "test.placed", envelope(event_id="x"), "sales.events")])

    assert noting.traces[0][:3] == tuple(traces)
    assert len(noting.traces[0]) == 4


async def test_an_event_published_by_a_reaction_goes_on_with_the_trace_of_what_it_reacts_to(
    database: Database, telemetry: Telemetry
) -> None:
    async def react(session: AsyncSession, received: Sequence[Received[Placed]]) -> None:
        for one, trace in zip(received, traceparents(), strict=True):
            publish(session, Noted(number=one.event.number), traceparent=trace)

    traces = [new_traceparent() for _ in range(2)]
    messages = [message(Placed(number=number), traceparent=trace) for number, trace in enumerate(traces)]
    await Consumer(database, {Placed: react}, telemetry).handle(messages)

    async with database.begin() as session:
        assert list(await session.scalars(text("SELECT traceparent FROM outbox ORDER BY id"))) == traces


async def test_many_events_through_the_broker_have_each_one_effect(
    database: Database, replica: Database, broker: Broker, noting: Noting, telemetry: Telemetry
) -> None:
    for each in (database, replica):
        consumer = Consumer(each, noting.reactions, telemetry)
        await broker.subscribe(Subscription("delivery", {"test.placed": "sales.events"}, batch=20), consumer.handle)
    messages = placed(*range(200))

    await until_confirmed(broker, messages + messages[::2])
    await until_confirmed(broker, messages[::3])
    await eventually(lambda: _count_is(database, 200))

    assert await noted(database) == list(range(200))
    assert not await waiting(database)


async def _count_is(database: Database, count: int) -> bool:
    return await handled(database) == count


async def test_what_is_parked_says_when_and_is_due_soon(consumer: Consumer, noting: Noting, database: Database) -> None:
    noting.failing = {1}
    messages = placed(1)

    await consumer.handle(messages)

    event = await parked(database, messages[0].id)
    assert event is not None
    assert event.next_attempt_at is not None
    assert timedelta(0) < event.next_attempt_at - event.parked_at <= timedelta(seconds=1)
