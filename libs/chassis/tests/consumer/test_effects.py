"""Each event has its effect once, whatever comes twice, at once, or again."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis import failpoints
from chassis.broker import Broker, Message, Subscription
from chassis.consumer import Consumer, Received
from chassis.db import Database
from chassis.failpoints import FailpointHit
from chassis.outbox import publish
from chassis.telemetry import Telemetry
from chassis.tracing import new_traceparent, traceparents
from libs.chassis.tests.broker.factories import until, until_confirmed
from libs.chassis.tests.consumer.factories import envelope, handled, waiting
from libs.chassis.tests.factories import Cancelled, Noted, Noting, Placed, eventually, message, noted, outbox, placed


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


@pytest.mark.rule("BR-EVENT-002")
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


@pytest.mark.rule("BR-EVENT-002")
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
