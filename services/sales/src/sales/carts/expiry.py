"""Carts that nobody touches any more are deleted once a day, in batches that nobody has to wait for."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chassis.db import Database
from chassis.engine import describe
from chassis.errors import Unavailable
from chassis.statements import ID, with_arrays
from chassis.steps import step
from chassis.telemetry import logger
from sales.settings import CartSettings

BATCH: Final = 500
# As many times as long as a batch took: there is no hurry, and whoever shops meanwhile should not notice.
_REST: Final = 3

# Each half is a range of its own index; in one order, so that the next batch is looked for where the last one ended.
_FIND = text(
    """
    SELECT touched_at, id FROM (
        (SELECT touched_at, id FROM carts
         WHERE customer_id IS NOT NULL AND touched_at < :customers AND (touched_at, id) > (:after_at, :after_id)
         ORDER BY touched_at, id LIMIT :batch)
        UNION ALL
        (SELECT touched_at, id FROM carts
         WHERE customer_id IS NULL AND touched_at < :guests AND (touched_at, id) > (:after_at, :after_id)
         ORDER BY touched_at, id LIMIT :batch)
    ) AS expired ORDER BY touched_at, id LIMIT :batch
    """
)
# Looked at again: who has touched a cart since it was found keeps it, and so does who is at it right now.
_DELETE = with_arrays(
    """
    WITH expired AS (
        SELECT id FROM carts WHERE id = ANY(:ids) AND touched_at <
            CASE WHEN customer_id IS NULL THEN CAST(:guests AS timestamptz) ELSE CAST(:customers AS timestamptz) END
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM carts USING expired WHERE carts.id = expired.id RETURNING 1
    """,
    ids=ID,
)

log = logger("carts")


class Found(NamedTuple):
    touched_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """A cart that was not touched since then is over."""

    customers: datetime
    guests: datetime


_FIRST: Final = Found(datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


class _Deleting:
    """How far a run has come, and what it could not do."""

    def __init__(self, database: Database, cutoffs: Cutoffs) -> None:
        self._database = database
        self._cutoffs = cutoffs
        self.deleted = 0
        self.failed: list[Sequence[Found]] = []
        self.error: Exception | None = None

    async def delete(self, batch: Sequence[Found]) -> None:
        try:
            self.deleted += await delete_expired_carts(self._database, self._cutoffs, batch)
        except (SQLAlchemyError, Unavailable) as error:
            log.warning("cart_batch_failed", size=len(batch), reason=describe(error))
            self.failed.append(batch)
            self.error = error

    async def delete_failed(self) -> None:
        again, self.failed, self.error = self.failed, [], None
        for batch in again:
            await self.delete(batch)


@step("CartService", "triggerCleanup")
async def clean_up(database: Database, settings: CartSettings) -> int:
    """A batch that fails is tried again after all others; if it fails once more, the run has failed."""
    now = datetime.now(UTC)
    cutoffs = Cutoffs(now - settings.kept, now - settings.guest_kept)
    deleting = _Deleting(database, cutoffs)
    try:
        after = _FIRST
        while batch := await find_expired_carts(database, cutoffs, after):
            after, began = batch[-1], time.monotonic()
            await deleting.delete(batch)
            if len(batch) < BATCH:
                break
            await asyncio.sleep(_REST * (time.monotonic() - began))
        await deleting.delete_failed()
    finally:
        log_cleanup_result(deleting.deleted, sum(map(len, deleting.failed)))
    if deleting.error:
        raise deleting.error
    return deleting.deleted


@step("CartAggregate", "findExpiredCarts")
async def find_expired_carts(database: Database, cutoffs: Cutoffs, after: Found = _FIRST) -> list[Found]:
    async with database.begin() as session:
        wanted = {**asdict(cutoffs), "after_at": after.touched_at, "after_id": after.id, "batch": BATCH}
        return [Found(row.touched_at, row.id) for row in await session.execute(_FIND, wanted)]


@step("CartAggregate", "deleteExpiredCarts")
async def delete_expired_carts(database: Database, cutoffs: Cutoffs, found: Sequence[Found]) -> int:
    """How many of them were still to be deleted."""
    async with database.begin() as session:
        wanted = {**asdict(cutoffs), "ids": [each.id for each in found]}
        return len((await session.execute(_DELETE, wanted)).all())


@step("Logger", "logCleanupResult")
def log_cleanup_result(deleted: int, not_deleted: int) -> None:
    log.info("carts_cleaned_up", deleted=deleted, not_deleted=not_deleted)
