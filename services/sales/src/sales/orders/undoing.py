"""What stopped half-way is undone: attempts without an order give their stock back, and old ones are forgotten."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from chassis.db import Database
from chassis.failpoints import failpoint
from chassis.ids import first_uuid7_at
from chassis.telemetry import logger
from contracts.product import ReservationState

from .stock import Stock

_BATCH = 200

# From here on the attempt can no longer become an order; those that an earlier run left in this state are taken again.
# One that is locked is about to be answered: it is none of ours, or it will be at the next run.
_BEGIN = text(
    """
    WITH stopped AS (
        SELECT id FROM attempts WHERE state IN ('open', 'undoing') AND lease_until < now() - CAST(:after AS interval)
        ORDER BY lease_until LIMIT :batch FOR UPDATE SKIP LOCKED
    )
    UPDATE attempts SET state = 'undoing' FROM stopped WHERE attempts.id = stopped.id RETURNING attempts.id
    """
)
# The key is given back: a retry after this is a new attempt.
_END = text("UPDATE attempts SET state = 'undone', idempotency_key = NULL WHERE id = ANY(:ids) AND state = 'undoing'")
# Product says that the parcel has left, which it cannot without an order: for a human, and out of the others' way.
_SET_ASIDE = text("UPDATE attempts SET lease_until = now() + interval '1 hour' WHERE id = ANY(:ids)")
_FORGET = text(
    """
    DELETE FROM attempts WHERE id IN (
        SELECT id FROM attempts WHERE id < :before AND state IN ('placed', 'refused', 'undone') ORDER BY id LIMIT :batch
    ) RETURNING 1
    """
)

log = logger("attempts")


async def undo_stopped_attempts(database: Database, stock: Stock, after: timedelta) -> int:
    undone = 0
    while True:
        async with database.begin() as session:
            ids = list(await session.scalars(_BEGIN, {"after": after, "batch": _BATCH}))
        if not ids:
            return undone
        await failpoint("sales.attempts.undoing")
        states = await stock.release(ids)
        await failpoint("sales.attempts.released")
        free = [id for id in ids if states[id] in (ReservationState.RELEASED, ReservationState.REFUSED)]
        stuck = {str(id): states[id] for id in set(ids) - set(free)}
        async with database.begin() as session:
            await session.execute(_END, {"ids": free})
            if stuck:
                await session.execute(_SET_ASIDE, {"ids": list(map(UUID, stuck))})
        undone += len(free)
        log.info("attempts_undone", count=len(free))
        if stuck:
            log.error("attempts_not_undone", states=stuck)


async def forget_old_attempts(database: Database, keep: timedelta) -> int:
    """After this a repeated Idempotency-Key is a new one."""
    forgotten = 0
    while True:
        async with database.begin() as session:
            before = first_uuid7_at(datetime.now(UTC) - keep)
            count = len((await session.execute(_FORGET, {"before": before, "batch": _BATCH})).all())
        forgotten += count
        if count < _BATCH:
            return forgotten
