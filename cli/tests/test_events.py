"""Parked events in an operator's hands: seen, tried, tried for good, and dropped."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from chassis import parking
from chassis.db import Database
from chassis.parking import ParkedEvent, ToPark
from contracts.sales.orders import OrderCreated
from services.delivery.tests.factories import CARRIER_SECRET, DELIVERY_KEY, TRUSTED, a_message, an_order
from tests.harness.fixtures import FreshDatabase

from .factories import called

GOOD, BROKEN = "good-event", "broken-event"


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(await fresh_database("delivery"), application_name="test")
    yield database
    await database.close()


@pytest.fixture
async def delivery(database: Database) -> Mapping[str, str | None]:
    """The environment of a Delivery that has parked two events: one it can handle by now, one it never can."""
    message = a_message(an_order(), GOOD)
    async with database.begin() as session:
        parked = [
            ToPark(GOOD, OrderCreated.event_type, message.body, message.traceparent, "Conflict: not yet"),
            ToPark(BROKEN, OrderCreated.event_type, b'{"\x1b[2Jhello": 1}', None, "not the documented form", True),
        ]
        await parking.park(session, parked, datetime.now(UTC))
    return {
        "DELIVERY_DATABASE_URL": database.url.replace("+asyncpg", ""),
        "DELIVERY_TRUSTED_KEYS": TRUSTED,
        "DELIVERY_SIGNING_KEY": DELIVERY_KEY,
        "DELIVERY_PRODUCT_URL": "http://127.0.0.1:1",
        "DELIVERY_CARRIER_SECRET": CARRIER_SECRET,
    }


async def _parked(database: Database, event_id: str) -> ParkedEvent:
    async with database.begin() as session:
        event = await parking.find(session, event_id)
    assert event is not None
    return event


async def _shipments(database: Database) -> int:
    async with database.begin() as session:
        return int((await session.execute(text("SELECT count(*) FROM shipments"))).scalar_one())


async def test_what_is_parked_is_listed_with_the_reason(delivery: Mapping[str, str | None]) -> None:
    result = await called("events", "list", "delivery", environment=delivery)

    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert {(row[0], row[1], row[2], row[5]) for row in rows} == {
        (GOOD, "order.created", "1", "Conflict: not yet"),
        (BROKEN, "order.created", "1", "not the documented form"),
    }
    assert {row[0]: row[4] == "none" for row in rows} == {GOOD: False, BROKEN: True}


async def test_on_a_terminal_the_list_is_a_table(delivery: Mapping[str, str | None]) -> None:
    terminal = {**delivery, "FORCE_COLOR": "1", "COLUMNS": "100"}

    result = await called("events", "list", "delivery", environment=terminal)

    assert result.exit_code == 0
    assert "│" in result.stdout
    for word in (GOOD, BROKEN, "Conflict: not yet", "never"):
        assert word in result.stdout


async def test_one_is_shown_with_its_body_and_its_trace(delivery: Mapping[str, str | None], database: Database) -> None:
    result = await called("events", "show", "delivery", GOOD, environment=delivery)

    head, _, body = result.stdout.partition("{")
    trace = (await _parked(database, GOOD)).traceparent
    assert trace is not None
    assert trace[3:35] in head
    assert "Conflict: not yet" in head
    assert json.loads("{" + body)["data"]["customer_id"] == "customer_demo"


async def test_what_came_from_outside_cannot_command_the_terminal(delivery: Mapping[str, str | None]) -> None:
    result = await called("events", "show", "delivery", BROKEN, environment=delivery)

    assert "hello" in result.stdout
    assert "\x1b" not in result.stdout


async def test_a_dry_run_says_what_would_happen_and_leaves_no_trace(
    delivery: Mapping[str, str | None], database: Database
) -> None:
    before = await _parked(database, GOOD)

    good = await called("events", "retry", "delivery", GOOD, "--dry-run", environment=delivery)
    broken = await called("events", "retry", "delivery", BROKEN, "--dry-run", environment=delivery)

    after = await _parked(database, GOOD)
    assert (good.exit_code, good.stdout) == (0, "It would be handled; nothing was changed.\n")
    assert broken.exit_code == 1
    assert "It would fail again: not the documented form" in broken.stderr
    assert await _shipments(database) == 0
    assert (after.attempts, after.next_attempt_at, after.resolved_at) == (before.attempts, before.next_attempt_at, None)


async def test_a_retry_handles_the_event_once_and_for_all(
    delivery: Mapping[str, str | None], database: Database
) -> None:
    first = await called("events", "retry", "delivery", GOOD, environment=delivery)
    second = await called("events", "retry", "delivery", GOOD, environment=delivery)

    assert (first.exit_code, first.stdout) == (0, "Handled.\n")
    assert second.exit_code == 1
    assert f"No event {GOOD} is parked here." in second.stderr
    assert await _shipments(database) == 1
    assert (await _parked(database, GOOD)).resolution == "handled"


async def test_a_retry_that_fails_says_why_and_counts(delivery: Mapping[str, str | None], database: Database) -> None:
    result = await called("events", "retry", "delivery", BROKEN, environment=delivery)

    assert result.exit_code == 1
    assert "It has failed again: not the documented form" in result.stderr
    assert (await _parked(database, BROKEN)).attempts == 2


async def test_a_dropped_event_stays_on_record_with_whoever_decided(
    delivery: Mapping[str, str | None], database: Database
) -> None:
    unsure = await called("events", "drop", "delivery", BROKEN, environment=delivery, answer="n\n")
    undecided = await _parked(database, BROKEN)
    sure = await called("events", "drop", "delivery", BROKEN, environment=delivery, answer="y\n")
    gone = await called("events", "drop", "delivery", BROKEN, "--yes", environment=delivery)

    async with database.begin() as session:
        audit = (await session.execute(text("SELECT * FROM audit_log"))).mappings().all()
    assert (unsure.exit_code, undecided.resolved_at) == (1, None)
    assert sure.exit_code == 0
    assert gone.exit_code == 1
    assert (await _parked(database, BROKEN)).resolution == "dropped"
    assert [(row["action"], row["entity_id"]) for row in audit] == [("parked_event.dropped", BROKEN)]
    assert audit[0]["actor"].startswith("operator:")
    remaining = await called("events", "list", "delivery", environment=delivery)
    assert [line.split("\t")[0] for line in remaining.stdout.splitlines()] == [GOOD]


async def test_an_event_that_nobody_has_parked_is_not_found(delivery: Mapping[str, str | None]) -> None:
    for command in (("show",), ("drop", "--yes"), ("retry",)):
        result = await called("events", *command, "delivery", "unheard-of", environment=delivery)

        assert result.exit_code == 1
        assert "unheard-of" in result.stderr


async def test_without_a_database_it_says_where_one_is_looked_for() -> None:
    result = await called("events", "list", "sales", "--data", "/nowhere", environment={"SALES_DATABASE_URL": None})

    assert result.exit_code == 1
    assert "No platform runs on /nowhere" in result.stderr


async def test_a_database_that_is_away_is_said_in_one_line() -> None:
    environment = {"SALES_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}

    result = await called("events", "list", "sales", environment=environment)

    assert result.exit_code == 1
    assert result.stderr == "orderflow: The database cannot be reached.\n"
