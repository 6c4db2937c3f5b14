"""Customers ask to be told when there is some of a product again, and may change their minds."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import Conflict
from chassis.ids import uuid7
from chassis.paging import Keyset
from contracts.notification.preferences import Topic, WishView
from notification.customers.preferences import take

from .tables import wishes

MOST: Final = 100
"""So many products one customer can wait for."""

# Ids ascend with the time of asking.
_newest_first = Keyset(UUID)


class TooManyWishes(Conflict):
    code = "TOO_MANY_WISHES"

    def __init__(self) -> None:
        super().__init__(f"One customer can wait for {MOST} products.", [{"limit": MOST}])


class TopicTurnedOff(Conflict):
    code = "TOPIC_TURNED_OFF"

    def __init__(self) -> None:
        message = "You have turned these mails off, and would not be told. Turn them on again first."
        super().__init__(message, [{"field": "topic", "message": message, "topic": Topic.BACK_IN_STOCK}])


async def ask(session: AsyncSession, customer_id: str, product_id: str, variant_id: UUID | None) -> WishView:
    """Asking again changes nothing. Whether there is such a product is not known here."""
    customer = await take(session, customer_id)
    if Topic.BACK_IN_STOCK in customer.unwanted_topics:
        raise TopicTurnedOff
    article = _is_for(customer_id, product_id, variant_id)
    wish = (await session.execute(select(wishes).where(article))).one_or_none()
    if wish is None:
        await _must_have_room(session, customer_id)
        new = {"id": uuid7(), "customer_id": customer_id, "product_id": product_id, "variant_id": variant_id}
        added = insert(wishes).values(**new, asked_at=datetime.now(UTC)).returning(wishes)
        wish = (await session.execute(added)).one()
    return WishView.model_validate(wish)


async def withdraw(session: AsyncSession, customer_id: str, product_id: str, variant_id: UUID | None) -> None:
    await session.execute(delete(wishes).where(_is_for(customer_id, product_id, variant_id)))


async def page(session: AsyncSession, customer_id: str, cursor: str | None, limit: int) -> dict[str, Any]:
    query = select(wishes).where(wishes.c.customer_id == customer_id).order_by(wishes.c.id.desc()).limit(limit + 1)
    if (after := _newest_first.read(cursor)) is not None:
        query = query.where(wishes.c.id < after)
    return _newest_first.page((await session.execute(query)).all(), limit, lambda wish: wish.id)


async def _must_have_room(session: AsyncSession, customer_id: str) -> None:
    # The customer is locked: nobody else adds one meanwhile.
    count = select(func.count()).select_from(wishes).where(wishes.c.customer_id == customer_id)
    if (await session.scalar(count) or 0) >= MOST:
        raise TooManyWishes


def _is_for(customer_id: str, product_id: str, variant_id: UUID | None) -> ColumnElement[bool]:
    return and_(
        wishes.c.customer_id == customer_id,
        wishes.c.product_id == product_id,
        wishes.c.variant_id.is_not_distinct_from(variant_id),
    )
