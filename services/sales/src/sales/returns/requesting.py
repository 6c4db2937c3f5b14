"""Asking to send something back: of what was delivered, in time, and never more than was ordered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.errors import Invalid, NotFound
from chassis.explain import INVALID
from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.steps import step
from contracts.sales.orders import OrderStatus
from contracts.sales.returns import RequestReturn, ReturnedItem, ReturnLine, ReturnRequested, ReturnView
from sales.orders.model import Order
from sales.orders.tables import order_items
from sales.orders.writing import take_orders
from sales.profile.people import NoLongerCustomer

from .model import REJECTED, REQUESTED, Article, QuantityExceedsOrder, Return, ReturnItem, ReturnNotAllowed
from .reading import view
from .storing import create, returns_of

# What customers write goes with them: an erasing waits for this, or has come before.
_IS_ERASED = text("SELECT status = 'ERASED' FROM customers WHERE id = :customer_id FOR SHARE")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants it, and whose orders they may have something of returned: all, where that is empty."""

    name: str
    customer_id: str | None


@step("OrderService", "requestReturn")
async def request_return(
    session: AsyncSession, order_id: UUID, wanted: RequestReturn, by: Asker, *, within: timedelta
) -> ReturnView:
    if by.customer_id is not None and await session.scalar(_IS_ERASED, {"customer_id": by.customer_id}):
        raise NoLongerCustomer
    # Whoever else wants something of this order back waits here, and finds what this one has taken.
    order = (await take_orders(session, [order_id])).get(order_id)
    if order is None or by.customer_id not in (None, order.customer_id):
        raise NotFound("There is no such order.")
    now = datetime.now(UTC)
    _check_returnable(order, within, now)
    items = _choose(wanted.items, await lines_of(session, order_id), await _held(session, order_id))
    one = Return(uuid7(), order_id, order.customer_id, REQUESTED, order.currency, now, now, items, wanted.reason)
    await create(session, one)
    pieces = sum(item.quantity for item in items)
    record(session, by.name, "return.requested", one.id, after={"order_id": order_id, "pieces": pieces})
    publish(session, _requested(one))
    return view(one)


async def lines_of(session: AsyncSession, order_id: UUID) -> list[ReturnItem]:
    """All of the order, as if it came back."""
    query = select(order_items).where(order_items.c.order_id == order_id).order_by(order_items.c.line)
    return [
        ReturnItem(row.product_id, row.variant_id, row.name, row.quantity, row.unit_price)
        for row in await session.execute(query)
    ]


def _check_returnable(order: Order, within: timedelta, now: datetime) -> None:
    if order.status != OrderStatus.DELIVERED:
        raise ReturnNotAllowed("Only what was delivered can be returned.")
    if now > (order.delivered_at or order.updated_at) + within:
        raise ReturnNotAllowed(f"The order was delivered more than {within.days} days ago.")


async def _held(session: AsyncSession, order_id: UUID) -> dict[Article, int]:
    """How many of each other returns have taken."""
    held: dict[Article, int] = {}
    for other in await returns_of(session, order_id):
        if other.state != REJECTED:
            for item in other.items:
                held[item.article] = held.get(item.article, 0) + item.quantity
    return held


def _choose(
    wanted: Sequence[ReturnedItem], ordered: Sequence[ReturnItem], held: Mapping[Article, int]
) -> list[ReturnItem]:
    """The same item twice adds up."""
    lines = {line.article: line for line in ordered}
    chosen: dict[Article, ReturnItem] = {}
    for number, item in enumerate(wanted):
        article = item.product_id, item.variant_id
        if article not in lines:
            detail = {"field": f"items.{number}.product_id", "message": "This is not part of the order."}
            raise Invalid(INVALID, [detail])
        line = lines[article]
        asked = item.quantity + (chosen[article].quantity if article in chosen else 0)
        left = line.quantity - held.get(article, 0)
        if asked > left:
            raise QuantityExceedsOrder(number, item, left)
        chosen[article] = ReturnItem(line.product_id, line.variant_id, line.name, asked, line.unit_price)
    return list(chosen.values())


def _requested(one: Return) -> ReturnRequested:
    return ReturnRequested(
        return_id=one.id,
        order_id=one.order_id,
        customer_id=one.customer_id,
        items=[ReturnLine.model_validate(item) for item in one.items],
        requested_at=one.created_at,
    )
