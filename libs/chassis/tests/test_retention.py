"""What nobody asks for any more is deleted; what somebody may still ask for is not."""

import pytest

from chassis.db import Database
from chassis.retention import delete_old
from libs.chassis.tests.factories import column, execute

OUTBOX = """
    INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, sent_at)
    SELECT gen_random_uuid(), :type, 'sales.events', true, '{}', CAST(:sent AS timestamptz) FROM generate_series(1, :n)
"""
PARKED = """
    INSERT INTO parked_events (event_id, event_type, body, error, attempts, parked_at, resolved_at, resolution)
    VALUES (:id, 'test', '', 'error', 1, now() - interval '90 days', :resolved, :resolution)
"""

KEYS = """
    INSERT INTO idempotency_keys (principal, route, key, request_hash, created_at)
    VALUES ('ada', 'POST /things', :key, '', now() - make_interval(days => :days))
"""


async def test_only_what_is_old_is_deleted(database: Database) -> None:
    for type, sent in {"new": "now", "unsent": None}.items():
        await execute(
            database, OUTBOX.replace("CAST(:sent AS timestamptz)", "now()" if sent else "NULL"), type=type, n=1
        )
    await execute(database, OUTBOX.replace("CAST(:sent AS timestamptz)", "now() - interval '8 days'"), type="old", n=1)
    await execute(
        database,
        "INSERT INTO inbox VALUES ('old', 't', now() - interval '31 days'), ('new', 't', now() - interval '29 days')",
    )
    for name, resolved in {"old": "now() - interval '31 days'", "new": "now()", "waiting": "NULL"}.items():
        await execute(
            database,
            PARKED.replace(":resolved", resolved),
            id=name,
            resolution=None if name == "waiting" else "handled",
        )

    await execute(database, KEYS, key="old", days=31)
    await execute(database, KEYS, key="new", days=29)

    assert await delete_old(database) == 4

    assert await column(database, "SELECT event_type FROM outbox ORDER BY 1") == ["new", "unsent"]
    assert await column(database, "SELECT event_id FROM inbox") == ["new"]
    assert await column(database, "SELECT event_id FROM parked_events ORDER BY 1") == ["new", "waiting"]
    assert await column(database, "SELECT key FROM idempotency_keys") == ["new"]


async def test_much_is_deleted_in_small_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.retention._BATCH", 10)
    await execute(database, OUTBOX.replace("CAST(:sent AS timestamptz)", "now() - interval '8 days'"), type="old", n=35)
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

    assert await delete_old(database) == 35

    assert await column(database, "SELECT size FROM batches") == [10, 10, 10, 5]
