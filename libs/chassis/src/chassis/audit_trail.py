"""What is on record, for admins to look through: of one thing, by one person, from one time to another."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.audit import AuditEntry

from .audit import AuditRow
from .auth import Admin
from .db import Transaction
from .edge import SafeRoute, refusals
from .errors import Forbidden, Invalid, Unauthenticated
from .paging import DEFAULT_LIMIT, Cursor, Keyset, Limit, Moment, Page, made_between

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], route_class=SafeRoute)

Word = Annotated[str | None, Query(min_length=1, max_length=200)]

_newest_first = Keyset(UUID)


@dataclass(frozen=True)
class Wanted:
    entity_type: str | None = None
    entity_id: str | None = None
    actor: str | None = None
    at_from: datetime | None = None
    at_before: datetime | None = None


@router.get("", response_model=Page[AuditEntry], responses=refusals(Invalid, Unauthenticated, Forbidden))
async def list_changes(
    _: Admin,
    session: Transaction,
    entity_type: Word = None,
    entity_id: Word = None,
    actor: Word = None,
    at_from: Moment = None,
    at_before: Moment = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await page_of_changes(session, Wanted(entity_type, entity_id, actor, at_from, at_before), cursor, limit)


async def page_of_changes(session: AsyncSession, wanted: Wanted, cursor: str | None, limit: int) -> dict[str, Any]:
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit + 1)
    if wanted.entity_type is not None:
        query = query.where(AuditRow.entity_type == wanted.entity_type)
    if wanted.entity_id is not None:
        query = query.where(AuditRow.entity_id == wanted.entity_id)
    if wanted.actor is not None:
        query = query.where(AuditRow.actor == wanted.actor)
    query = query.where(*made_between(AuditRow.id, AuditRow.at, wanted.at_from, wanted.at_before))
    if (after := _newest_first.read(cursor)) is not None:
        query = query.where(AuditRow.id < after)
    return _newest_first.page((await session.scalars(query)).all(), limit, lambda row: row.id)
