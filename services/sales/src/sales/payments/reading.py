"""Shows payments to admins: a page of them, one with all that was asked for it, and the refunds that need a person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from chassis.paging import Keyset
from contracts.sales.payments import OperationState, OperationView, PaymentDetail, PaymentState, PaymentView

from .journal import REFUND
from .tables import payment_operations as operations
from .tables import payments

_newest_first = Keyset(tuple[datetime, UUID])
_oldest_first = Keyset(tuple[datetime, UUID])


@dataclass(frozen=True)
class Filter:
    state: PaymentState | None = None
    order_id: UUID | None = None
    customer_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


async def page_of_payments(session: AsyncSession, wanted: Filter, cursor: str | None, limit: int) -> dict[str, Any]:
    where = tuple_(payments.c.created_at, payments.c.id)
    query = select(payments).order_by(payments.c.created_at.desc(), payments.c.id.desc()).limit(limit + 1)
    for name in ("state", "order_id", "customer_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(payments.c[name] == value)
    if wanted.created_from is not None:
        query = query.where(payments.c.created_at >= wanted.created_from)
    if wanted.created_before is not None:
        query = query.where(payments.c.created_at < wanted.created_before)
    if (last := _newest_first.read(cursor)) is not None:
        query = query.where(where < last)
    rows = (await session.execute(query)).mappings().all()
    page = _newest_first.page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return {**page, "items": [PaymentView(**row) for row in page["items"]]}


async def one_payment(session: AsyncSession, payment_id: UUID) -> PaymentDetail:
    row = (await session.execute(select(payments).where(payments.c.id == payment_id))).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such payment.")
    asked = select(operations).where(operations.c.payment_id == payment_id)
    found = (await session.execute(asked.order_by(operations.c.created_at, operations.c.number))).mappings()
    return PaymentDetail(**row, operations=[_view(each, row["currency"]) for each in found])


async def page_of_refunds(
    session: AsyncSession, state: OperationState | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    """Those that have waited longest come first."""
    query = (
        select(operations, payments.c.currency)
        .join(payments, payments.c.id == operations.c.payment_id)
        .where(operations.c.kind == REFUND)
        .order_by(operations.c.created_at, operations.c.id)
        .limit(limit + 1)
    )
    if state is not None:
        query = query.where(operations.c.state == state)
    if (last := _oldest_first.read(cursor)) is not None:
        query = query.where(tuple_(operations.c.created_at, operations.c.id) > last)
    rows = (await session.execute(query)).mappings().all()
    page = _oldest_first.page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return {**page, "items": [_view(row, row["currency"]) for row in page["items"]]}


async def one_refund(session: AsyncSession, refund_id: UUID) -> OperationView:
    query = (
        select(operations, payments.c.currency)
        .join(payments, payments.c.id == operations.c.payment_id)
        .where(operations.c.kind == REFUND, operations.c.id == refund_id)
    )
    row = (await session.execute(query)).mappings().one()
    return _view(row, row["currency"])


def _view(row: RowMapping, currency: str) -> OperationView:
    return OperationView(**{**row, "currency": currency})
