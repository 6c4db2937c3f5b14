"""What stopped half-way is undone: attempts without an order give stock and money back, and old ones are forgotten."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from chassis.db import Database
from chassis.failpoints import failpoint
from chassis.ids import first_uuid7_at
from chassis.retention import forget
from chassis.telemetry import logger
from contracts.product.inventory import ReservationState
from sales.payments.paying import Payments

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
    UPDATE attempts SET state = 'undoing' FROM stopped WHERE attempts.id = stopped.id
    RETURNING attempts.id, customer_id, wanted IS NOT NULL
    """
)
_BEGIN_ONE = text(
    """
    UPDATE attempts SET state = 'undoing' WHERE id = :id AND state = 'open'
    RETURNING id, customer_id, wanted IS NOT NULL
    """
)
# The key is given back: a retry after this is a new attempt.
_END = text(
    """
    UPDATE attempts SET state = 'undone', idempotency_key = NULL, wanted = NULL
    WHERE id = ANY(:ids) AND state = 'undoing'
    """
)
# Product says that the parcel has left, which it cannot without an order: for a human, and out of the others' way.
_SET_ASIDE = text("UPDATE attempts SET lease_until = now() + interval '1 hour' WHERE id = ANY(:ids)")
log = logger("attempts")


class Stopped(NamedTuple):
    id: UUID
    customer_id: str
    is_checkout: bool


class Undoing:
    def __init__(self, database: Database, stock: Stock, payments: Payments, after: timedelta) -> None:
        self._database = database
        self._stock = stock
        self._payments = payments
        self._after = after

    async def undo_stopped(self) -> int:
        """The sweep: how many it has undone."""
        undone = 0
        while True:
            async with self._database.begin() as session:
                rows = await session.execute(_BEGIN, {"after": self._after, "batch": _BATCH})
                stopped = [Stopped(*row) for row in rows]
            if not stopped:
                return undone
            undone += await self._undo(stopped)

    async def undo_now(self, attempt_id: UUID) -> None:
        """Unless it has become an order, or somebody undoes it already."""
        async with self._database.begin() as session:
            stopped = [Stopped(*row) for row in await session.execute(_BEGIN_ONE, {"id": attempt_id})]
        if stopped:
            await self._undo(stopped)

    async def _undo(self, stopped: Sequence[Stopped]) -> int:
        ids = [attempt.id for attempt in stopped]
        await failpoint("sales.attempts.undoing")
        states = await self._stock.release(ids)
        await failpoint("sales.attempts.released")
        for attempt in stopped:
            if attempt.is_checkout:
                # Also where nothing was paid yet: whoever still pursues it shall not be able to.
                await self._payments.give_back(attempt.id, attempt.customer_id, by="sweep")
                await failpoint("sales.attempts.given_back")
        free = [id for id in ids if states[id] in (ReservationState.RELEASED, ReservationState.REFUSED)]
        stuck = {str(id): states[id] for id in set(ids) - set(free)}
        async with self._database.begin() as session:
            await session.execute(_END, {"ids": free})
            if stuck:
                await session.execute(_SET_ASIDE, {"ids": list(map(UUID, stuck))})
        log.info("attempts_undone", count=len(free))
        if stuck:
            log.error("attempts_not_undone", states=stuck)
        return len(free)


async def forget_old_attempts(database: Database, keep: timedelta) -> int:
    """After this a repeated Idempotency-Key is a new one."""
    before = first_uuid7_at(datetime.now(UTC) - keep)
    return await forget(database, "attempts", "id", before, only="state IN ('placed', 'refused', 'undone')")
