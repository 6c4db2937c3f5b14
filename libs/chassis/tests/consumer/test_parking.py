"""A parked event is tried again until it works, or until a person decides."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from chassis import parking
from chassis.consumer import Consumer
from chassis.db import Database
from chassis.errors import NotFound
from chassis.parking import MOST_ATTEMPTS, delay_after
from libs.chassis.tests.consumer.factories import state
from libs.chassis.tests.factories import Noting, execute, make_due, noted, outbox, placed


@pytest.mark.rule("BR-EVENT-003")
async def test_a_postponed_event_is_tried_with_growing_delay_until_it_works(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    noting.postponed = {1}
    for seconds in (1, 2, 4, 8):
        await make_due(database)
        began = datetime.now(UTC)
        await consumer.retry_due()
        due = (await state(database, event_id)).next_attempt_at
        assert due is not None
        assert began <= due - timedelta(seconds=seconds) <= datetime.now(UTC)
    assert await noted(database) == await outbox(database) == []
    noting.postponed = set()

    await make_due(database)
    await consumer.retry_due()

    event = await state(database, event_id)
    assert (event.resolution, event.attempts) == ("handled", 6)
    assert event.resolved_at is not None
    assert await noted(database) == await outbox(database) == [1]


async def test_what_is_not_due_is_left_alone(consumer: Consumer, noting: Noting, event_id: str) -> None:
    await consumer.retry_due()

    assert noting.calls == []


async def test_a_failing_retry_undoes_its_writes_and_notes_the_new_error(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    noting.failing = {1}
    await make_due(database)

    await consumer.retry_due()

    assert (await state(database, event_id)).error == "ZeroDivisionError: cannot take 1"
    assert await noted(database) == await outbox(database) == []


async def test_after_many_attempts_it_waits_for_a_person(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    noting.failing = {1}
    for _ in range(MOST_ATTEMPTS + 5):
        await make_due(database)
        await consumer.retry_due()
    event = await state(database, event_id)
    assert (event.attempts, event.next_attempt_at, event.resolved_at) == (MOST_ATTEMPTS, None, None)
    assert len(noting.calls) == MOST_ATTEMPTS - 1
    noting.failing = set()

    assert await consumer.retry(event_id) is None

    assert await noted(database) == [1]


async def test_delays_grow_up_to_ten_minutes() -> None:
    delays = [delay_after(attempts) for attempts in range(1, MOST_ATTEMPTS)]

    assert delays == sorted(delays)
    assert delays[0] == timedelta(milliseconds=500)
    assert delays[-1] == timedelta(minutes=10)


async def test_a_retry_by_hand_resolves(consumer: Consumer, database: Database, event_id: str) -> None:
    assert await consumer.retry(event_id) is None

    assert (await state(database, event_id)).resolution == "handled"
    assert await noted(database) == await outbox(database) == [1]
    with pytest.raises(NotFound):
        await consumer.retry(event_id)


async def test_a_retry_by_hand_that_fails_says_why_and_counts(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    noting.failing = {1}

    assert await consumer.retry(event_id) == "ZeroDivisionError: cannot take 1"

    assert (await state(database, event_id)).attempts == 2


async def everything(database: Database) -> list[object]:
    async with database.begin() as session:
        return [
            (await session.execute(text(f"SELECT * FROM {table} ORDER BY 1"))).all()
            for table in ("effects", "outbox", "parked_events", "inbox", "audit_log")
        ]


async def test_a_dry_run_that_would_work_leaves_no_trace(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    before = await everything(database)

    assert await consumer.retry(event_id, dry_run=True) is None

    assert noting.calls == [[1]]
    assert await everything(database) == before
    assert not database.handover.filled.is_set()


async def test_a_dry_run_that_would_fail_says_why_and_leaves_no_trace(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    before = await everything(database)

    noting.failing = {1}
    assert await consumer.retry(event_id, dry_run=True) == "ZeroDivisionError: cannot take 1"
    noting.failing, noting.postponed = set(), {1}
    assert await consumer.retry(event_id, dry_run=True) == "too early"

    assert await everything(database) == before


async def test_a_dry_run_finds_what_would_only_fail_at_the_commit(
    consumer: Consumer, database: Database, event_id: str
) -> None:
    await execute(database, "ALTER TABLE effects ADD CONSTRAINT once UNIQUE (number) DEFERRABLE INITIALLY DEFERRED")
    await execute(database, "INSERT INTO effects VALUES ('other', 1)")

    error = await consumer.retry(event_id, dry_run=True)

    assert error is not None
    assert "once" in error


async def test_what_fails_at_the_commit_of_a_retry_counts_and_does_not_hold_up_the_others(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    await execute(database, "ALTER TABLE effects ADD CONSTRAINT once UNIQUE (number) DEFERRABLE INITIALLY DEFERRED")
    await execute(database, "INSERT INTO effects VALUES ('other', 1)")
    noting.postponed = {2}
    await consumer.handle(placed(2))
    noting.postponed = set()
    await make_due(database)

    await consumer.retry_due()

    event = await state(database, event_id)
    assert event.attempts == 2
    assert "once" in event.error
    assert await noted(database) == [2]


async def test_what_is_dropped_is_on_record_with_who_dropped_it_and_is_not_tried_again(
    consumer: Consumer, noting: Noting, database: Database, event_id: str
) -> None:
    async with database.begin() as session:
        await parking.drop(session, event_id, "operator:ada", datetime.now(UTC))
    await make_due(database)
    await consumer.retry_due()

    event = await state(database, event_id)
    assert (event.resolution, event.next_attempt_at) == ("dropped", None)
    assert noting.calls == []
    async with database.begin() as session:
        audit = (await session.execute(text("SELECT * FROM audit_log"))).one()
        assert await parking.waiting(session) == []
    assert (audit.actor, audit.action, audit.entity_type, audit.entity_id) == (
        "operator:ada",
        "parked_event.dropped",
        "parked_event",
        event_id,
    )
    assert audit.before == {"event_type": "test.placed", "attempts": 1, "error": "too early"}


@pytest.mark.parametrize("dry_run", [True, False])
async def test_what_is_not_parked_cannot_be_tried_or_dropped(
    consumer: Consumer, database: Database, dry_run: bool
) -> None:
    with pytest.raises(NotFound):
        await consumer.retry("nothing", dry_run=dry_run)
    async with database.begin() as session:
        assert await parking.find(session, "nothing") is None
        with pytest.raises(NotFound):
            await parking.drop(session, "nothing", "operator:ada", datetime.now(UTC))


async def test_the_list_begins_with_the_oldest(consumer: Consumer, noting: Noting, database: Database) -> None:
    noting.failing = {1, 2, 3}
    messages = placed(1, 2, 3)
    for message in messages:
        await consumer.handle([message])

    async with database.begin() as session:
        assert [event.event_id for event in await parking.waiting(session, limit=2)] == [
            messages[0].id,
            messages[1].id,
        ]
