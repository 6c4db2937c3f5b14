"""Deletes what nobody asks for any more: sent and handled events, resolved parked ones, keys; in batches."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from .db import Database
from .ids import first_uuid7_at
from .jobs import Job

KEEP_SENT: Final = timedelta(days=7)
"""`orderflow check` relies on it, and whoever wants an event to be sent once more."""
KEEP_HANDLED: Final = timedelta(days=30)
"""Longer than any queue or outbox holds a copy: an id that is forgotten too early lets its duplicate in."""
# Longer than anyone repeats a request.
_KEEP_KEYS: Final = timedelta(days=1)
_BATCH: Final = 1_000


class Retention(BaseModel):
    """For how long things are kept, and no shorter than somebody relies on them."""

    model_config = ConfigDict(frozen=True)

    sent: Annotated[timedelta, Field(ge=KEEP_SENT, lt=KEEP_HANDLED)] = KEEP_SENT
    """Events, from when the broker had them: less long than whoever hears them knows that they were handled."""
    handled: Annotated[timedelta, Field(ge=KEEP_HANDLED)] = KEEP_HANDLED
    resolved: Annotated[timedelta, Field(ge=timedelta(days=1))] = timedelta(days=30)
    """Parked events, from when they were handled after all, or dropped."""
    keys: Annotated[timedelta, Field(ge=_KEEP_KEYS)] = timedelta(days=30)
    """Idempotency-Keys with their answers; those of orders are Sales' own."""
    spans: Annotated[timedelta, Field(ge=timedelta(hours=1))] = timedelta(days=1)
    """Records of steps: long enough to look at what has happened today."""
    audit: Annotated[timedelta | None, Field(ge=KEEP_HANDLED)] = None
    """For ever, unless somebody says otherwise."""


class Batch(NamedTuple):
    deleted: int
    is_last: bool


async def in_batches(database: Database, delete: Callable[[AsyncSession], Awaitable[Batch]]) -> int:
    """Each in its own transaction, until there is no more; how many were deleted."""
    deleted = 0
    while True:
        began = time.monotonic()
        async with database.begin() as session:
            batch = await delete(session)
        deleted += batch.deleted
        if batch.is_last:
            return deleted
        # As long as it took: half of the time is left to those who have orders.
        await asyncio.sleep(time.monotonic() - began)


async def delete_old(database: Database, retention: Retention) -> int:
    now = datetime.now(UTC)
    deleted = 0
    for table, column, keep in (
        ("outbox", "sent_at", retention.sent),
        ("inbox", "handled_at", retention.handled),
        ("parked_events", "resolved_at", retention.resolved),
        ("idempotency_keys", "created_at", retention.keys),
        ("recorded_spans", "started_at", retention.spans),
    ):
        deleted += await forget(database, table, column, now - keep)
    if retention.audit is not None:
        # Ids ascend with the time.
        deleted += await forget(database, "audit_log", "id", first_uuid7_at(now - retention.audit))
    return deleted


async def forget(database: Database, table: str, column: str, before: object, *, only: str = "true") -> int:
    """What is older, by a column that says how old a row is, and has an index."""
    return await in_batches(database, partial(delete_oldest, table, column, before, only))


async def delete_oldest(table: str, column: str, before: object, only: str, session: AsyncSession) -> Batch:
    deleted = len((await session.execute(_statement(table, column, only, _BATCH), {"before": before})).all())
    return Batch(deleted, deleted < _BATCH)


@cache
def _statement(table: str, column: str, only: str, batch: int) -> TextClause:
    # By place: with a key PostgreSQL would come upon joining it with the whole table. The number stands in the
    # statement, because what is not known is taken for a tenth of the table.
    oldest = f"SELECT ctid FROM {table} WHERE {column} < :before AND {only} ORDER BY {column} LIMIT {batch}"
    return text(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({oldest})) RETURNING 1")


def retention_job(database: Database, retention: Retention) -> Job:
    return Job("retention", every=timedelta(hours=1), run=partial(delete_old, database, retention))
