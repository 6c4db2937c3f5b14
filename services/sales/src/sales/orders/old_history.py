"""Forgets how orders that ended long ago came to their end, if somebody wants that; the orders themselves stay."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.ids import first_uuid7_at
from chassis.retention import Batch, in_batches

_PAGE: Final = 300
# In the order of their ids, so that nothing is looked at of what is forgotten already. As arrays, which the planner
# takes to be short: it would come upon joining them with the whole table.
_FORGET: Final = text(
    f"""
    WITH page AS MATERIALIZED (
        SELECT DISTINCT order_id FROM order_history WHERE order_id > :after AND order_id < :made_before
        ORDER BY order_id LIMIT {_PAGE}
    ), ended AS MATERIALIZED (
        SELECT id FROM orders WHERE id = ANY(ARRAY(SELECT order_id FROM page))
            AND status IN ('DELIVERED', 'CANCELLED') AND coalesce(delivered_at, cancelled_at) < :ended_before
    ), forgotten AS (
        DELETE FROM order_history WHERE order_id = ANY(ARRAY(SELECT id FROM ended)) RETURNING 1
    )
    SELECT (SELECT count(*) FROM forgotten) AS forgotten, count(*) AS seen,
        (SELECT order_id FROM page ORDER BY order_id DESC LIMIT 1) AS last
    FROM page
    """
)


async def forget_old_history(database: Database, kept: timedelta) -> int:
    """How many entries; what an order remembers by itself its timeline still shows."""
    return await in_batches(database, Forgetting(datetime.now(UTC) - kept))


class Forgetting:
    """Page by page."""

    def __init__(self, ended_before: datetime) -> None:
        self._ended_before = ended_before
        self._after = UUID(int=0)

    async def __call__(self, session: AsyncSession) -> Batch:
        asked = {
            "after": self._after,
            "made_before": first_uuid7_at(self._ended_before),
            "ended_before": self._ended_before,
        }
        page = (await session.execute(_FORGET, asked)).one()
        self._after = page.last or self._after
        return Batch(page.forgotten, is_last=page.seen < _PAGE)
