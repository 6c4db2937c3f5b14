"""What is old is deleted, nothing else is, and nobody has to wait for it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.ids import first_uuid7_at
from chassis.retention import KEEP_HANDLED, KEEP_SENT, Batch, Retention, delete_old, in_batches
from libs.chassis.tests.factories import column, execute

OUTBOX = """
    INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, sent_at)
    SELECT gen_random_uuid(), :type, 'sales.events', true, '{}', now() - CAST(:ago AS interval)
    FROM generate_series(1, :n)
"""
INBOX = "INSERT INTO inbox VALUES (:id, 'test', now() - CAST(:ago AS interval))"
PARKED = """
    INSERT INTO parked_events (event_id, event_type, body, error, attempts, parked_at, resolved_at, resolution)
    VALUES (:id, 'test', '', 'error', 1, now() - interval '90 days', now() - CAST(:ago AS interval), :resolution)
"""
KEYS = """
    INSERT INTO idempotency_keys (principal, route, key, request_hash, created_at)
    VALUES ('ada', 'POST /things', :key, '', now() - CAST(:ago AS interval))
"""
SPANS = """
    INSERT INTO recorded_spans (trace_id, span_id, name, emits, started_at, ended_at)
    VALUES (:id, 'span', 'test', '{}', now() - CAST(:ago AS interval), now())
"""
AUDIT = """
    INSERT INTO audit_log (id, at, actor, action, entity_type, entity_id)
    VALUES (:id, now(), 'ada', 'thing.changed', 'thing', :name)
"""


def days(count: float) -> timedelta:
    return timedelta(days=count)


async def on_record(database: Database, name: str, ago: timedelta) -> None:
    await execute(database, AUDIT, id=first_uuid7_at(datetime.now(UTC) - ago), name=name)


async def test_only_what_is_old_is_deleted(database: Database) -> None:
    for type, ago in {"old": days(8), "new": days(6), "unsent": None}.items():
        await execute(database, OUTBOX, type=type, ago=ago, n=1)
    for id, ago in {"old": days(31), "new": days(29)}.items():
        await execute(database, INBOX, id=id, ago=ago)
        await execute(database, PARKED, id=id, ago=ago, resolution="handled")
        await execute(database, KEYS, key=id, ago=ago)
    await execute(database, PARKED, id="waiting", ago=None, resolution=None)
    for id, ago in {"old": days(2), "new": days(0.5)}.items():
        await execute(database, SPANS, id=id, ago=ago)

    assert await delete_old(database, Retention()) == 5

    assert await column(database, "SELECT event_type FROM outbox ORDER BY 1") == ["new", "unsent"]
    assert await column(database, "SELECT event_id FROM inbox") == ["new"]
    assert await column(database, "SELECT event_id FROM parked_events ORDER BY 1") == ["new", "waiting"]
    assert await column(database, "SELECT key FROM idempotency_keys") == ["new"]
    assert await column(database, "SELECT trace_id FROM recorded_spans") == ["new"]


async def test_how_long_something_is_kept_can_be_said(database: Database) -> None:
    await execute(database, OUTBOX, type="test", ago=days(20), n=1)
    for table in (PARKED, KEYS):
        await execute(database, table, id="test", key="test", ago=days(20), resolution="dropped")

    longer = Retention(sent=days(21), keys=days(21), resolved=days(19))

    assert await delete_old(database, longer) == 1
    assert await column(database, "SELECT event_id FROM parked_events") == []


async def test_what_is_on_record_stays_for_ever_unless_somebody_says_otherwise(database: Database) -> None:
    await on_record(database, "old", days(401))
    await on_record(database, "new", days(399))

    assert await delete_old(database, Retention()) == 0
    assert await delete_old(database, Retention(audit=days(400))) == 1

    assert await column(database, "SELECT entity_id FROM audit_log") == ["new"]


@pytest.mark.parametrize(
    ("what", "kept"),
    [
        ("sent", KEEP_SENT - days(1)),
        ("sent", KEEP_HANDLED),
        ("handled", KEEP_HANDLED - days(1)),
        ("keys", days(0.9)),
        ("resolved", days(0)),
        ("spans", days(0)),
        ("audit", days(1)),
    ],
    ids=lambda given: given if isinstance(given, str) else f"{given.days} days",
)
def test_nothing_is_forgotten_before_others_stop_relying_on_it(what: str, kept: timedelta) -> None:
    with pytest.raises(ValidationError):
        Retention.model_validate({what: kept})


async def test_much_is_deleted_in_small_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.retention._BATCH", 10)
    await execute(database, OUTBOX, type="old", ago=days(8), n=35)
    await execute(database, "CREATE TABLE batches (size int)")
    await execute(
        database,
        """
        CREATE FUNCTION count_batch() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO batches SELECT count(*) FROM deleted; RETURN NULL; END $$
        """,
    )
    await execute(
        database,
        """
        CREATE TRIGGER count_batch AFTER DELETE ON outbox REFERENCING OLD TABLE AS deleted
        FOR EACH STATEMENT EXECUTE FUNCTION count_batch()
        """,
    )

    assert await delete_old(database, Retention()) == 35

    assert await column(database, "SELECT size FROM batches") == [10, 10, 10, 5]


async def test_between_batches_as_much_time_passes_as_a_batch_took(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, pauses = 100.0, list[float]()
    took = [3.0, 7.0, 0.5]

    async def delete(_: AsyncSession) -> Batch:
        nonlocal now
        now += took.pop(0)
        return Batch(1, is_last=not took)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("chassis.retention.time.monotonic", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert await in_batches(database, delete) == 3

    assert pauses == [3.0, 7.0]
