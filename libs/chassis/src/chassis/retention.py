"""Deletes what nobody asks for any more: sent and handled events, resolved parked ones, keys; in batches."""

from datetime import timedelta
from functools import partial

from sqlalchemy import text

from .db import Database
from .jobs import Job

KEEP_SENT = timedelta(days=7)
# Longer than any queue or outbox holds a copy: an id that is forgotten too early lets its duplicate in.
KEEP_HANDLED = timedelta(days=30)
# Far longer than anyone repeats a request.
KEEP_KEYS = timedelta(days=30)
# Long enough to look at what has happened today.
KEEP_SPANS = timedelta(days=1)
_BATCH = 5_000

_OLD = {
    "outbox": ("id", "sent_at", KEEP_SENT),
    "inbox": ("event_id", "handled_at", KEEP_HANDLED),
    "parked_events": ("event_id", "resolved_at", KEEP_HANDLED),
    "idempotency_keys": ("principal, route, key", "created_at", KEEP_KEYS),
    "recorded_spans": ("trace_id, span_id", "started_at", KEEP_SPANS),
}


async def delete_old(database: Database) -> int:
    deleted = 0
    for table, (key, since, keep) in _OLD.items():
        old = f"SELECT {key} FROM {table} WHERE {since} < now() - CAST(:keep AS interval) LIMIT :batch"
        statement = text(f"DELETE FROM {table} WHERE ({key}) IN ({old}) RETURNING 1")
        count = _BATCH
        while count == _BATCH:
            async with database.begin() as session:
                count = len((await session.execute(statement, {"keep": keep, "batch": _BATCH})).all())
            deleted += count
    return deleted


def retention_job(database: Database) -> Job:
    return Job("retention", every=timedelta(hours=1), run=partial(delete_old, database))
