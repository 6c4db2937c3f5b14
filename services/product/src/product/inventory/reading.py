"""What there is, what it would cost, what is held, and how it came to be so."""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from chassis.paging import Keyset
from chassis.steps import step
from contracts.product.inventory import (
    Availability,
    ItemAvailability,
    Movement,
    Quote,
    QuotedItem,
    RequestedItem,
    ReservationState,
    ReservationView,
    Stock,
    StockView,
)

from .commands import ITEMS
from .counting import Count, ProductNotFound
from .model import judge, stock_of, view
from .offers import find_offers
from .tables import NO_VARIANT, MovementRow, ReservationRow, named

_newest_first: Final = Keyset(Annotated[int, Field(ge=1, lt=2**63)])

# A product that comes in variants may have some from before that; they cannot be had, but they are there.
_STOCK: Final = text(
    f"""
    SELECT stock.variant_id, on_hand, reserved, (stock.variant_id = '{NO_VARIANT}') <> has_variants AS can_be_had
    FROM products LEFT JOIN stock ON stock.product_id = products.id
    WHERE products.id = :product_id
    ORDER BY stock.variant_id
    """
)


@step("InventoryService", "checkAvailability")
async def check_availability(session: AsyncSession, items: Sequence[RequestedItem]) -> Availability:
    """What a reservation of these items would be told now. It holds nothing."""
    judged = await _judge(session, items)
    return Availability(
        all_available=all(item.is_available for item in judged),
        items=[ItemAvailability.model_validate(item) for item in judged],
    )


@step("InventoryService", "checkAvailability")
async def quote(session: AsyncSession, items: Sequence[RequestedItem]) -> Quote:
    judged = await _judge(session, items)
    return Quote(all_available=all(item.is_available for item in judged), items=judged)


async def available(session: AsyncSession, product_id: str) -> dict[UUID | None, int]:
    """How many can be had: of the product itself (None), or of each of its variants where it comes in any."""
    rows = await session.execute(_STOCK, {"product_id": product_id})
    return {named(row.variant_id): row.on_hand - row.reserved for row in rows if row.can_be_had}


async def show_stock(session: AsyncSession, product_id: str) -> Stock:
    rows = (await session.execute(_STOCK, {"product_id": product_id})).all()
    if not rows:
        raise ProductNotFound
    lines = [
        stock_view(product_id, named(row.variant_id), Count(row.on_hand, row.reserved))
        for row in rows
        if row.can_be_had or row.on_hand
    ]
    return Stock(product_id=product_id, lines=lines)


async def page_of_movements(
    session: AsyncSession, product_id: str, variant_id: UUID | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    """Of all that there is of the product, or of one variant."""
    stock = await show_stock(session, product_id)
    query = select(MovementRow).where(MovementRow.product_id == product_id)
    if variant_id is not None:
        if variant_id not in {line.variant_id for line in stock.lines}:
            raise ProductNotFound
        query = query.where(MovementRow.variant_id == variant_id)
    if (after := _newest_first.read(cursor)) is not None:
        query = query.where(MovementRow.id < after)
    rows = (await session.scalars(query.order_by(MovementRow.id.desc()).limit(limit + 1))).all()
    page = _newest_first.page(rows, limit, lambda row: row.id)
    return {**page, "items": [_movement(row) for row in page["items"]]}


async def show_reservation(session: AsyncSession, reservation_id: UUID) -> ReservationView:
    """The state that it is in now, with the items as they were answered first."""
    row = await session.get(ReservationRow, reservation_id)
    if row is None:
        raise NotFound("There is no such reservation.")
    return view(row.id, ReservationState(row.state), ITEMS.validate_python(row.answer or []))


def stock_view(product_id: str, variant_id: UUID | None, count: Count) -> StockView:
    return StockView(
        product_id=product_id,
        variant_id=variant_id,
        on_hand=count.on_hand,
        reserved=count.reserved,
        available=count.available,
    )


async def _judge(session: AsyncSession, items: Sequence[RequestedItem]) -> list[QuotedItem]:
    offers = await find_offers(session, items)
    return judge(items, offers, stock_of(offers))


def _movement(row: MovementRow) -> Movement:
    return Movement.model_validate(row).model_copy(update={"variant_id": named(row.variant_id)})
