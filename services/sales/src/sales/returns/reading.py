"""Shows returns: one, those of an order, those that the desk has to see to. Whose may be seen stands in the WHERE."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from chassis.paging import Keyset
from contracts.sales.returns import RefundView, ReturnLineView, ReturnState, ReturnView
from sales.orders.tables import orders

from .model import REFUNDED, Return
from .storing import ReturnNotFound, with_items
from .tables import returns

_newest_first = Keyset(UUID)


async def one_return(session: AsyncSession, return_id: UUID, customer_id: str | None) -> ReturnView:
    query = select(returns).where(returns.c.id == return_id)
    if customer_id is not None:
        query = query.where(returns.c.customer_id == customer_id)
    found = (await session.execute(query)).mappings().all()
    if not found:
        raise ReturnNotFound
    return view((await with_items(session, found))[0])


async def page_of_order(
    session: AsyncSession, order_id: UUID, customer_id: str | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    query = select(orders.c.id).where(orders.c.id == order_id)
    if customer_id is not None:
        query = query.where(orders.c.customer_id == customer_id)
    if await session.scalar(query) is None:
        raise NotFound("There is no such order.")
    return await _page(session, select(returns).where(returns.c.order_id == order_id), cursor, limit)


async def page_of_returns(
    session: AsyncSession, state: ReturnState | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    query = select(returns) if state is None else select(returns).where(returns.c.state == state)
    return await _page(session, query, cursor, limit)


async def _page(session: AsyncSession, query: Select[Any], cursor: str | None, limit: int) -> dict[str, Any]:
    if (after := _newest_first.read(cursor)) is not None:
        query = query.where(returns.c.id < after)
    rows = (await session.execute(query.order_by(returns.c.id.desc()).limit(limit + 1))).mappings().all()
    page = _newest_first.page(rows, limit, lambda row: row["id"])
    return {**page, "items": [view(one) for one in await with_items(session, page["items"])]}


def view(one: Return) -> ReturnView:
    return ReturnView(
        return_id=one.id,
        order_id=one.order_id,
        customer_id=one.customer_id,
        state=one.state,
        items=[ReturnLineView.model_validate(item) for item in one.items],
        price=one.price,
        currency=one.currency,
        reason=one.reason,
        rejection_reason=one.rejection_reason,
        refund=_refund(one),
        under_way=_under_way(one),
        created_at=one.created_at,
        updated_at=one.updated_at,
        received_at=one.received_at,
        refunded_at=one.refunded_at,
        rejected_at=one.rejected_at,
    )


def _refund(one: Return) -> RefundView | None:
    if one.refund_amount is None or one.refund_way is None:
        return None
    state: Literal["under_way", "done"] = "done" if one.state == REFUNDED else "under_way"
    return RefundView(amount=one.refund_amount, currency=one.currency, way=one.refund_way, state=state)


def _under_way(one: Return) -> Literal["receipt", "refund"] | None:
    if one.is_being_received:
        return "receipt"
    return "refund" if one.is_being_refunded else None
