"""Attempts that hang, for admins: a job undoes what stopped, so whatever is seen here wants a look."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.auth import Admin
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Invalid
from chassis.ids import first_uuid7_at, made_at
from chassis.paging import DEFAULT_LIMIT, Cursor, Keyset, Limit, Page
from contracts.sales.orders import StuckAttempt

from .tables import attempts

router = APIRouter(prefix="/api/v1/attempts", tags=["orders"], route_class=SafeRoute)

HAD_ITS_TIME: Final = timedelta(minutes=5)
_oldest_first = Keyset(UUID)


@router.get("/stuck", response_model=Page[StuckAttempt], responses=refusals(Invalid))
async def list_stuck_attempts(
    _: Admin, session: Transaction, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> dict[str, Any]:
    return await page_of_stuck(session, datetime.now(UTC) - HAD_ITS_TIME, cursor, limit)


async def page_of_stuck(session: AsyncSession, before: datetime, cursor: str | None, limit: int) -> dict[str, Any]:
    unfinished = attempts.c.state.in_(["open", "undoing"])
    query = select(attempts).where(unfinished, attempts.c.id < first_uuid7_at(before)).order_by(attempts.c.id)
    if (after := _oldest_first.read(cursor)) is not None:
        query = query.where(attempts.c.id > after)
    rows = (await session.execute(query.limit(limit + 1))).mappings().all()
    page = _oldest_first.page(rows, limit, lambda row: row["id"])
    return {**page, "items": [_view(row) for row in page["items"]]}


def _view(row: Any) -> StuckAttempt:
    return StuckAttempt(
        attempt_id=row["id"],
        customer_id=row["customer_id"],
        state=row["state"],
        is_checkout=row["wanted"] is not None,
        begun_at=made_at(row["id"]),
        lease_until=row["lease_until"],
    )
