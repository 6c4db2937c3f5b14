"""What is old is found without looking at what is not: also where it lies among what is new, in places used again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from chassis.ids import first_uuid7_at
from chassis.retention import _BATCH, delete_oldest
from tests.harness.plans import either_plan, examined, explained, filled
from tests.harness.postgres import PostgresServer

COUNT = 100_000
# Every tenth is old: more than a batch of them.
AT = "now() - n % 10 / 9 * interval '100 days'"
TABLES = {
    "outbox": f"""
        (event_id, event_type, exchange, mandatory, body, sent_at)
        SELECT gen_random_uuid(), 'test', 'test', true, '{{}}', {AT}
    """,
    "inbox": f"SELECT gen_random_uuid(), 'test', {AT}",
    "parked_events": f"""
        (event_id, event_type, body, error, attempts, resolved_at, resolution)
        SELECT gen_random_uuid(), 'test', '', 'error', 1, {AT}, 'handled'
    """,
    "idempotency_keys": f"""
        (principal, route, key, request_hash, created_at) SELECT 'ada', 'test', gen_random_uuid(), '', {AT}
    """,
    "recorded_spans": f"""
        (trace_id, span_id, name, emits, started_at, ended_at)
        SELECT gen_random_uuid(), 'span', 'test', '{{}}', {AT}, {AT}
    """,
    "audit_log": f"""
        (id, at, actor, action, entity_type, entity_id)
        SELECT (lpad(to_hex((extract(epoch FROM {AT}) * 1000)::bigint), 12, '0')
            || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, {AT}, 'ada', 'thing.changed', 'thing', 'a' || n
    """,
}
FILL = [f"INSERT INTO {table} {rows} FROM generate_series(1, {COUNT}) AS n" for table, rows in TABLES.items()]
BEFORE = datetime.now(UTC) - timedelta(days=50)


@pytest.fixture(scope="module")
def grown(postgres_server: PostgresServer) -> Iterator[str]:
    """More of it is old than these tests delete."""
    with filled(postgres_server, "chassis", *FILL, "VACUUM ANALYZE") as url:
        yield url


@either_plan
@pytest.mark.parametrize(
    ("table", "column", "before"),
    [
        ("outbox", "sent_at", BEFORE),
        ("inbox", "handled_at", BEFORE),
        ("parked_events", "resolved_at", BEFORE),
        ("idempotency_keys", "created_at", BEFORE),
        ("recorded_spans", "started_at", BEFORE),
        ("audit_log", "id", first_uuid7_at(BEFORE)),
    ],
)
async def test_a_batch_looks_at_no_more_than_it_deletes(
    grown: str, table: str, column: str, before: object, *, generic: bool
) -> None:
    nodes = await explained(grown, partial(delete_oldest, table, column, before, "true"), generic=generic)

    scans = [node for node in nodes if node.get("Relation Name") == table and "Scan" in node["Node Type"]]
    assert {scan["Node Type"] for scan in scans} <= {"Index Scan", "Tid Scan"}
    assert [examined(scan) for scan in scans] == [_BATCH, _BATCH]
