"""Shows orders: one, a page of them, and what has happened to one. Whose orders may be seen stands in the WHERE."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from chassis.paging import Keyset, made_between
from contracts.sales.orders import FORGOTTEN, OrderLineView, OrderStatus, OrderView, Timeline, TimelineEntry
from sales.payments.tables import payments

from .model import Order, OrderLine
from .tables import order_history, order_items, orders
from .writing import as_order

_newest_first = Keyset(UUID)


@dataclass(frozen=True)
class Filter:
    """`customer_id` empty: everybody's."""

    customer_id: str | None = None
    status: OrderStatus | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


def view(order: Order) -> OrderView:
    lines = [
        OrderLineView(
            product_id=line.product_id,
            variant_id=line.variant_id,
            name=line.name,
            quantity=line.quantity,
            unit_price=line.unit_price,
            subtotal=line.subtotal,
        )
        for line in order.lines
    ]
    return OrderView(
        order_id=order.id,
        customer_id=order.customer_id,
        status=order.status,
        items=lines,
        subtotal=order.subtotal,
        shipping_cost=order.shipping_cost,
        total=order.total,
        currency=order.currency,
        shipping_address=order.shipping_address,
        note=order.note,
        tracking_number=order.tracking_number,
        carrier=order.carrier,
        tracking_url=order.tracking_url,
        created_at=order.created_at,
        updated_at=order.updated_at,
        shipped_at=order.shipped_at,
        delivered_at=order.delivered_at,
        delivery_location=order.delivery_location,
        cancelled_at=order.cancelled_at,
        cancel_reason=order.cancel_reason,
        allowed_actions=order.allowed_actions,
    )


async def one_order(session: AsyncSession, order_id: UUID, customer_id: str | None) -> OrderView:
    query = select(orders).where(orders.c.id == order_id)
    if customer_id is not None:
        query = query.where(orders.c.customer_id == customer_id)
    found = (await session.execute(query)).mappings().all()
    if not found:
        raise NotFound("There is no such order.")
    return (await _with_lines(session, found))[0]


async def page_of_orders(session: AsyncSession, wanted: Filter, cursor: str | None, limit: int) -> dict[str, Any]:
    made = made_between(orders.c.id, orders.c.created_at, wanted.created_from, wanted.created_before)
    query = select(orders).where(*made).order_by(orders.c.id.desc()).limit(limit + 1)
    if wanted.customer_id is not None:
        query = query.where(orders.c.customer_id == wanted.customer_id)
    if wanted.status is not None:
        query = query.where(orders.c.status == wanted.status)
    if (after := _newest_first.read(cursor)) is not None:
        query = query.where(orders.c.id < after)
    rows = (await session.execute(query)).mappings().all()
    page = _newest_first.page(rows, limit, lambda row: row["id"])
    return {**page, "items": await _with_lines(session, page["items"])}


async def timeline_of(session: AsyncSession, order_id: UUID, customer_id: str | None) -> Timeline:
    query = select(orders).where(orders.c.id == order_id)
    if customer_id is not None:
        query = query.where(orders.c.customer_id == customer_id)
    order = (await session.execute(query)).mappings().one_or_none()
    if order is None:
        raise NotFound("There is no such order.")
    history = select(order_history).where(order_history.c.order_id == order_id).order_by(order_history.c.id)
    rows = (await session.execute(history)).mappings().all()
    entries = [TimelineEntry.model_validate(dict(row)) for row in rows] or await _remembered(session, order)
    return Timeline(order_id=order_id, entries=entries)


async def _remembered(session: AsyncSession, order: RowMapping) -> list[TimelineEntry]:
    """What an order knows itself of how it came to its end, once its history is forgotten."""
    was_paid = await session.scalar(select(exists().where(payments.c.order_id == order["id"])))
    steps = [
        (order["created_at"], OrderStatus.PENDING if was_paid else OrderStatus.PENDING_SHIPMENT, order["customer_id"]),
        (order["shipped_at"], OrderStatus.SHIPPED, FORGOTTEN),
        (order["delivered_at"], OrderStatus.DELIVERED, FORGOTTEN),
        (order["cancelled_at"], OrderStatus.CANCELLED, FORGOTTEN),
    ]
    reasons = {OrderStatus.CANCELLED: order["cancel_reason"]}
    return [
        TimelineEntry(at=at, kind="changed", to_status=status, actor=actor, reason=reasons.get(status))
        for at, status, actor in steps
        if at is not None
    ]


async def _with_lines(session: AsyncSession, rows: Sequence[Any]) -> list[OrderView]:
    items = (
        select(order_items)
        .where(order_items.c.order_id.in_([row["id"] for row in rows]))
        .order_by(order_items.c.order_id, order_items.c.line)
    )
    lines: dict[UUID, list[OrderLine]] = {}
    for item in (await session.execute(items)).mappings():
        line = OrderLine(item["product_id"], item["variant_id"], item["name"], item["quantity"], item["unit_price"])
        lines.setdefault(item["order_id"], []).append(line)
    return [view(as_order(row, lines.get(row["id"], []))) for row in rows]
