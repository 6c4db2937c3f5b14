"""What a running service does is kept for whoever wants to look at it, and costs nothing where nobody does."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import select

from chassis import tracing
from chassis.db import Database
from chassis.errors import Conflict
from chassis.recorder import RecordedSpan, configure_recording, recording
from chassis.steps import note_event, step
from chassis.tracing import service_name
from tests.harness.fixtures import FreshDatabase


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(await fresh_database("chassis"), application_name="test")
    yield database
    await database.close()


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
async def test_a_database_that_is_away_disturbs_nobody(database: Database) -> None:
    service_name.set("sales")
    away = Database(f"{database.url}_gone", application_name="test")
    async with recording(away, "sales"):
        await place()
    await away.close()
