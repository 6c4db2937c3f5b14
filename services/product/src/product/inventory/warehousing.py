"""What the warehouse says about the stock: goods have come in, or were counted again."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.statements import BIGINT, ID, TEXT
from chassis.steps import step
from contracts.product.inventory import CorrectStock, InventoryRestocked, MovementKind, Restock, StockView

from .counting import Count, ProductNotFound, VariantRequired
from .model import full_name
from .reading import stock_view
from .selling_out import tell_that_it_is_out
from .stocking import refresh_in_stock
from .tables import NO_VARIANT, stored

_LOCK: Final = text(
    """
    SELECT products.name, variants.size, variants.color, products.has_variants, stock.on_hand, stock.reserved
    FROM stock JOIN products ON products.id = stock.product_id LEFT JOIN variants ON variants.id = stock.variant_id
    WHERE stock.product_id = :product_id AND stock.variant_id = :variant_id FOR UPDATE OF stock
    """
).bindparams(bindparam("product_id", type_=TEXT), bindparam("variant_id", type_=ID))
_MOVE: Final = text(
    """
    WITH moved AS (
        INSERT INTO stock_movements
            (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor, note)
        VALUES (:product_id, :variant_id, :kind, :change, 0, :cause, :actor, :note)
    )
    UPDATE stock SET on_hand = on_hand + :change WHERE product_id = :product_id AND variant_id = :variant_id
    """
).bindparams(
    bindparam("product_id", type_=TEXT),
    bindparam("variant_id", type_=ID),
    bindparam("kind", type_=TEXT),
    bindparam("change", type_=BIGINT),
    bindparam("cause", type_=ID),
    bindparam("actor", type_=TEXT),
    bindparam("note", type_=TEXT),
)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Where one article lies; locked."""

    product_id: str
    variant_id: UUID | None
    name: str
    needs_variant: bool
    """It holds what the product had before it came in variants: that cannot be had any more."""
    count: Count


@step("InventoryService", "restock")
async def restock(session: AsyncSession, product_id: str, received: Restock, by: str) -> StockView:
    shelf = await _find(session, product_id, received.variant_id)
    if shelf.needs_variant:
        raise VariantRequired
    count = shelf.count.received(received.quantity)
    cause = await _receive(session, shelf, count, received.reference, by)
    _note(session, "stock.restocked", shelf, count, cause, by)
    return stock_view(shelf.product_id, shelf.variant_id, count)


@step("InventoryService", "correctStock")
async def correct_stock(session: AsyncSession, product_id: str, counted: CorrectStock, by: str) -> StockView:
    """What a product had before it came in variants can be written off, but more of it cannot be found."""
    shelf = await _find(session, product_id, counted.variant_id)
    if shelf.needs_variant and counted.quantity > 0:
        raise VariantRequired
    count = shelf.count.corrected(counted.quantity)
    cause = await _move(session, shelf, count, MovementKind.CORRECTED, counted.reason, by)
    _note(session, "stock.corrected", shelf, count, cause, by)
    if not (count.available or shelf.needs_variant):
        tell_that_it_is_out(session, (shelf.product_id, shelf.variant_id), shelf.name)
    return stock_view(shelf.product_id, shelf.variant_id, count)


async def _find(session: AsyncSession, product_id: str, variant_id: UUID | None) -> _Shelf:
    asked = {"product_id": product_id, "variant_id": stored(variant_id)}
    row = (await session.execute(_LOCK, asked)).one_or_none()
    if row is None or variant_id == NO_VARIANT:
        raise ProductNotFound
    name, count = full_name(row.name, row.size, row.color), Count(row.on_hand, row.reserved)
    return _Shelf(product_id, variant_id, name, row.has_variants and variant_id is None, count)


@step("InventoryAggregate", "restock")
async def _receive(session: AsyncSession, shelf: _Shelf, count: Count, reference: str | None, by: str) -> UUID:
    cause = await _move(session, shelf, count, MovementKind.RECEIVED, reference, by)
    publish(
        session,
        InventoryRestocked(
            product_id=shelf.product_id,
            variant_id=shelf.variant_id,
            name=shelf.name,
            quantity=count.on_hand - shelf.count.on_hand,
            available=count.available,
        ),
    )
    return cause


async def _move(
    session: AsyncSession, shelf: _Shelf, count: Count, kind: MovementKind, note: str | None, by: str
) -> UUID:
    cause = uuid7()
    await session.execute(
        _MOVE,
        {
            "product_id": shelf.product_id,
            "variant_id": stored(shelf.variant_id),
            "kind": kind,
            "change": count.on_hand - shelf.count.on_hand,
            "cause": cause,
            "actor": by,
            "note": note,
        },
    )
    if bool(count.available) != bool(shelf.count.available):
        await refresh_in_stock(session, [shelf.product_id])
    return cause


def _note(session: AsyncSession, action: str, shelf: _Shelf, count: Count, cause: UUID, by: str) -> None:
    """Whatever else was said about it stands beside the movement that has this cause."""
    where = {} if shelf.variant_id is None else {"variant_id": shelf.variant_id}
    before, after = {"on_hand": shelf.count.on_hand}, {"on_hand": count.on_hand, "cause": cause}
    record(session, by, action, shelf.product_id, before={**where, **before}, after={**where, **after})
