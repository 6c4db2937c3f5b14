"""What a running service does is kept for whoever wants to look at it, and costs nothing where nobody does."""

import asyncio
from collections.abc import Iterator
from time import monotonic

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from chassis import tracing
from chassis.db import Database
from chassis.errors import Conflict
from chassis.recorder import RecordedSpan, Recorder, configure_recording, recording
from chassis.steps import note_event, step
from chassis.tracing import service_name, span
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import DatabaseWire, eventually
from tests.harness.statements import statements_on


@pytest.fixture
def keeps() -> Iterator[None]:
    configure_recording(1.0)
    yield
    configure_recording(0.0)


@step("OrderService", "placeOrder")
async def place(*, fails: bool = False) -> None:
    await create()
    if fails:
        raise Conflict("No.")


@step("OrderAggregate", "createOrder")
async def create() -> None:
    note_event("OrderPlaced")


async def kept(database: Database) -> list[RecordedSpan]:
    async with database.begin() as session:
        return list(await session.scalars(select(RecordedSpan).order_by(RecordedSpan.started_at)))


@pytest.mark.usefixtures("keeps")
async def test_steps_are_kept_with_their_times_and_what_they_emit(database: Database) -> None:
    service_name.set("sales")
    async with recording(database, "sales"):
        await place()

    placing, creating = await kept(database)
    assert (placing.participant, placing.action, placing.emits) == ("OrderService", "placeOrder", [])
    assert (creating.participant, creating.action, creating.emits) == ("OrderAggregate", "createOrder", ["OrderPlaced"])
    assert creating.parent_id == placing.span_id
    assert placing.started_at <= creating.started_at <= creating.ended_at <= placing.ended_at
    assert not tracing.active


@pytest.mark.usefixtures("keeps")
async def test_what_is_kept_at_once_is_one_statement(database: Database) -> None:
    service_name.set("sales")
    with statements_on(database) as statements:
        async with recording(database, "sales"):
            await place()

    assert statements == ["INSERT INTO recorded_spans"]


@pytest.mark.usefixtures("keeps")
async def test_how_a_step_failed_is_kept(database: Database) -> None:
    service_name.set("sales")
    async with recording(database, "sales"):
        with pytest.raises(Conflict):
            await place(fails=True)

    assert [span.error for span in await kept(database)] == ["CONFLICT", None]


@pytest.mark.usefixtures("keeps")
async def test_what_another_service_of_the_process_does_is_its_own_to_keep(database: Database) -> None:
    service_name.set("delivery")
    async with recording(database, "sales"):
        await place()

    assert await kept(database) == []


async def test_without_a_share_nothing_listens(database: Database) -> None:
    async with recording(database, "sales"):
        await place()

        assert not tracing.active
    assert await kept(database) == []


async def test_of_many_traces_about_the_share_is_kept_and_each_whole(database: Database) -> None:
    service_name.set("sales")
    configure_recording(0.5)
    try:
        async with recording(database, "sales"):
            for _ in range(200):
                await place()
    finally:
        configure_recording(0.0)

    spans = await kept(database)
    traces = {span.trace_id for span in spans}
    assert 50 < len(traces) < 150
    assert len(spans) == 2 * len(traces)


@pytest.mark.usefixtures("keeps")
async def test_what_takes_long_is_kept_when_it_has_ended(database: Database) -> None:
    service_name.set("sales")
    goes_on = asyncio.Event()

    @step("OrderService", "waitForGoods")
    async def waiting() -> None:
        await goes_on.wait()

    async with recording(database, "sales"):
        long = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        await place()
        await eventually(lambda: kept(database), within=5)
        assert {span.action for span in await kept(database)} == {"placeOrder", "createOrder"}
        goes_on.set()
        await long

    assert "waitForGoods" in {span.action for span in await kept(database)}


@pytest.mark.usefixtures("keeps")
async def test_while_the_database_is_away_nobody_waits_and_afterwards_steps_are_kept_again(
    fragile: Database, wire: DatabaseWire, database: Database
) -> None:
    service_name.set("sales")
    async with recording(fragile, "sales"):
        wire.go_away()
        started = monotonic()
        with capture_logs() as logs:
            await place()
            took = monotonic() - started
            await until(lambda: any(line["event"] == "spans_not_recorded" for line in logs))
        wire.come_back()
        await place()

    assert took < 0.1
    assert len(await kept(database)) == 2


async def test_of_what_cannot_be_written_the_oldest_is_forgotten(database: Database) -> None:
    service_name.set("sales")
    recorder = Recorder(database, "sales", 1.0)
    tracing.listen(recorder.heard)
    try:
        for number in range(20_003):
            with span(str(number)):
                pass
    finally:
        tracing.unlisten(recorder.heard)
    recorder.stop()
    await recorder.run()

    async with database.begin() as session:
        count, oldest = (await session.execute(text("SELECT count(*), min(name::int) FROM recorded_spans"))).one()
    assert (count, oldest) == (20_000, 3)
