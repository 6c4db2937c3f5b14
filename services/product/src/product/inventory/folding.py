"""Folds old movements, if somebody wants that: of what left long ago one line says how many, and not for which orders.

What was received and corrected stays: those are the warehouse's own entries, and a return is known by them.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.ids import first_uuid7_at
from chassis.retention import Batch, in_batches
from chassis.statements import ID

FOLDED: Final = UUID(int=0)
"""Stands as the cause of the line that the others were folded into: there is one of each article."""
_PAGE: Final = 200
# In the order of their ids, so that nothing is looked at of what is folded already. As arrays, which the planner
# takes to be short: it would come upon joining them with the whole table. The reservations stay, as arbiters.
_FOLD: Final = text(
    f"""
    WITH page AS MATERIALIZED (
        SELECT DISTINCT reservation_id FROM reservation_lines
        WHERE reservation_id > :after AND reservation_id < :made_before ORDER BY reservation_id LIMIT {_PAGE}
    ), settled AS MATERIALIZED (
        SELECT id FROM reservations
        WHERE id = ANY(ARRAY(SELECT reservation_id FROM page)) AND settled_at < :settled_before
    ), lines AS (
        DELETE FROM reservation_lines WHERE reservation_id = ANY(ARRAY(SELECT id FROM settled))
    ), moved AS (
        DELETE FROM stock_movements
        WHERE cause = ANY(ARRAY(SELECT id FROM settled))
        RETURNING product_id, id, variant_id, at, on_hand_change, reserved_change
    ), folded_before AS (
        DELETE FROM stock_movements
        WHERE cause = :folded AND product_id = ANY(ARRAY(SELECT product_id FROM moved)) AND kind = 'folded'
            AND (product_id, variant_id) IN (SELECT product_id, variant_id FROM moved)
        RETURNING product_id, id, variant_id, at, on_hand_change, reserved_change
    ), folded AS (
        INSERT INTO stock_movements
            (product_id, id, variant_id, at, kind, on_hand_change, reserved_change, cause, actor)
            OVERRIDING SYSTEM VALUE
        SELECT product_id, max(id), variant_id, max(at), 'folded', sum(on_hand_change), sum(reserved_change), :folded,
            'retention'
        FROM (SELECT * FROM moved UNION ALL SELECT * FROM folded_before) AS old GROUP BY product_id, variant_id
    )
    SELECT (SELECT count(*) FROM moved) AS folded, count(*) AS seen,
        (SELECT reservation_id FROM page ORDER BY reservation_id DESC LIMIT 1) AS last
    FROM page
    """
).bindparams(bindparam("folded", type_=ID))


async def fold_old_movements(database: Database, kept: timedelta) -> int:
    """How many were folded. Whoever adds them up comes to the same sums, at any moment."""
    return await in_batches(database, Folding(datetime.now(UTC) - kept))


class Folding:
    """Page by page."""

    def __init__(self, settled_before: datetime) -> None:
        self._settled_before = settled_before
        self._after = UUID(int=0)

    async def __call__(self, session: AsyncSession) -> Batch:
        asked = {
            "after": self._after,
            "made_before": first_uuid7_at(self._settled_before),
            "settled_before": self._settled_before,
            "folded": FOLDED,
        }
        page = (await session.execute(_FOLD, asked)).one()
        self._after = page.last or self._after
        return Batch(page.folded, is_last=page.seen < _PAGE)
