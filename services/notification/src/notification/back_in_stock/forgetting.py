"""Wishes that end without having been granted: their customer was erased, or nobody remembers by now having asked."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.retention import Batch, in_batches
from chassis.statements import TEXT, with_arrays

KEPT_FOR: Final = timedelta(days=365)
_BATCH: Final = 1_000

# In the order in which they are locked to be granted.
_FORGET: Final = with_arrays(
    """
    WITH theirs AS MATERIALIZED (
        SELECT id FROM back_in_stock_wishes WHERE customer_id = ANY(:customer_ids) ORDER BY id FOR UPDATE
    )
    DELETE FROM back_in_stock_wishes AS wish USING theirs WHERE wish.id = theirs.id
    """,
    customer_ids=TEXT,
)
_FORGET_OLD: Final = text(
    """
    DELETE FROM back_in_stock_wishes WHERE id IN (
        SELECT id FROM back_in_stock_wishes WHERE asked_at < now() - CAST(:keep AS interval)
        ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
    ) RETURNING 1
    """
)


async def forget_wishes(session: AsyncSession, customer_ids: Collection[str]) -> None:
    await session.execute(_FORGET, {"customer_ids": list(customer_ids)})


async def forget_old_wishes(database: Database) -> int:
    return await in_batches(database, _forget_batch)


async def _forget_batch(session: AsyncSession) -> Batch:
    forgotten = len((await session.execute(_FORGET_OLD, {"keep": KEPT_FOR, "batch": _BATCH})).all())
    return Batch(forgotten, forgotten < _BATCH)
