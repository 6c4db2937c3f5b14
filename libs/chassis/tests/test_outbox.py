"""An event exists if, and only if, the change that it tells of was made."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.outbox import publish
from chassis.pending import savepoint
from chassis.steps import record, step
from chassis.tracing import continue_trace, new_traceparent, traceparents, working_for
from contracts.envelope import Envelope
from libs.chassis.tests.factories import Cancelled, Placed, note, noted, outbox


@pytest.mark.rule("BR-EVENT-001")
async def test_events_are_written_with_their_transaction_in_their_order(database: Database) -> None:
    async with database.begin() as session:
        for number in range(500):
            publish(session, Placed(number=number))
        publish(session, Cancelled(number=1))
        assert await outbox(database, "test.placed") == []

    assert await outbox(database, "test.placed") == list(range(500))
    assert await outbox(database, "test.cancelled") == [1]
    assert database.handover.filled.is_set()


@pytest.mark.rule("BR-EVENT-001")
async def test_a_transaction_that_fails_sends_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.begin() as session:
            publish(session, Placed(number=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await outbox(database, "test.placed") == []
    assert not database.handover.filled.is_set()


async def test_a_transaction_without_events_wakes_nobody(database: Database) -> None:
    async with database.begin() as session:
        await note(session, "placed", 1)

    assert not database.handover.filled.is_set()


async def test_what_fails_in_a_savepoint_is_undone_with_its_events_and_the_rest_goes_on(database: Database) -> None:
    async def fail(session: AsyncSession) -> None:
        async with savepoint(session):
            publish(session, Placed(number=2))
            await note(session, "placed", 2)
            raise ZeroDivisionError

    async with database.begin() as session:
        publish(session, Placed(number=1))
        await note(session, "placed", 1)
        with pytest.raises(ZeroDivisionError):
            await fail(session)
        async with savepoint(session):
            publish(session, Placed(number=3))
            await note(session, "placed", 3)

    assert await outbox(database, "test.placed") == [1, 3]
    assert await noted(database) == [1, 3]


async def test_an_event_says_where_it_goes_who_must_hear_it_and_what_it_is(database: Database) -> None:
    async with database.begin() as session:
        publish(session, Placed(number=1))
        publish(session, Cancelled(number=2))

    async with database.begin() as session:
        rows = (await session.execute(text("SELECT * FROM outbox ORDER BY id"))).all()
    assert [(row.event_type, row.exchange, row.mandatory) for row in rows] == [
        ("test.placed", "sales.events", True),
        ("test.cancelled", "sales.events", False),
    ]
    envelope = Envelope.model_validate_json(rows[0].body)
    assert envelope.event_id == str(rows[0].event_id)
    assert (envelope.event_type, envelope.source, envelope.data["number"]) == ("test.placed", "sales-service", 1)


async def test_an_event_belongs_to_the_trace_of_the_work_that_published_it(database: Database) -> None:
    trace = new_traceparent()

    with continue_trace(trace):
        async with database.begin() as session:
            publish(session, Placed(number=1))

    assert await traces(database) == [trace]


async def test_in_a_batch_each_event_belongs_to_its_own_trace_and_step(database: Database) -> None:
    one, other = new_traceparent(), new_traceparent()

    with record() as recording, working_for([one, other]):
        async with database.begin() as session:
            await place_both(session)

    steps = {each.trace_id: each for each in recording.steps}
    assert {trace[3:35] for trace in await traces(database)} == steps.keys() == {one[3:35], other[3:35]}
    assert [trace[36:52] for trace in await traces(database)] == [
        steps[one[3:35]].span_id,
        steps[other[3:35]].span_id,
    ]
    assert [steps[one[3:35]].emits, steps[other[3:35]].emits] == [("Placed",), ("Cancelled",)]


@step("OrderService", "placeOrder")
async def place_both(session: AsyncSession) -> None:
    mine, yours = traceparents()
    publish(session, Placed(number=1), traceparent=mine)
    publish(session, Cancelled(number=2), traceparent=yours)


async def traces(database: Database) -> list[str]:
    async with database.begin() as session:
        return list(await session.scalars(text("SELECT traceparent FROM outbox ORDER BY id")))
