"""What customers have sent back goes on the shelf again: once for each return, also of what is off sale."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.errors import Conflict
from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.statements import BIGINT, ID, TEXT, with_arrays
from chassis.steps import step
from contracts.product.inventory import (
    InventoryRestocked,
    RequestedItem,
    ReturnedStock,
    ReturnedStockView,
    StockLine,
)

from .counting import ProductNotFound
from .model import Article, full_name
from .stocking import refresh_in_stock
from .tables import NO_VARIANT, named, stored

# Two with the same return but other goods would share no row of stock to wait at.
_LOCK_RETURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:return_id, 0))").bindparams(
    bindparam("return_id", type_=TEXT)
)
_BACK_ALREADY: Final = text(
    """
    SELECT product_id, variant_id, on_hand_change AS quantity FROM stock_movements
    WHERE cause = :return_id AND kind = 'received' ORDER BY product_id, variant_id
    """
).bindparams(bindparam("return_id", type_=ID))
_LOCK_STOCK: Final = with_arrays(
    """
    SELECT stock.product_id, stock.variant_id, stock.on_hand, stock.reserved,
        (stock.variant_id = :itself) <> products.has_variants AS can_be_had,
        products.name, variants.size, variants.color
    FROM unnest(:product_ids, :variant_ids) AS back (product_id, variant_id)
        JOIN stock ON stock.product_id = back.product_id AND stock.variant_id = back.variant_id
        JOIN products ON products.id = stock.product_id
        LEFT JOIN variants ON variants.id = stock.variant_id
    ORDER BY stock.product_id, stock.variant_id FOR UPDATE OF stock
    """,
    product_ids=TEXT,
    variant_ids=ID,
).bindparams(bindparam("itself", type_=ID))
_PUT_BACK: Final = with_arrays(
    """
    WITH back AS (
        SELECT * FROM unnest(:product_ids, :variant_ids, :quantities) AS back (product_id, variant_id, quantity)
    ), moved AS (
        INSERT INTO stock_movements
            (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor, note)
        SELECT product_id, variant_id, 'received', quantity, 0, :return_id, :actor, 'returned' FROM back
    )
    UPDATE stock SET on_hand = on_hand + back.quantity FROM back
    WHERE stock.product_id = back.product_id AND stock.variant_id = back.variant_id
    """,
    product_ids=TEXT,
    variant_ids=ID,
    quantities=BIGINT,
).bindparams(bindparam("return_id", type_=ID), bindparam("actor", type_=TEXT))


class ReturnMismatch(Conflict):
    code = "RETURN_MISMATCH"

    def __init__(self) -> None:
        message = "The goods of this return are back on the shelf already, and they were others."
        super().__init__(message, [{"field": "items", "message": message}])


@step("InventoryService", "takeBack")
async def take_back(session: AsyncSession, returned: ReturnedStock, by: str) -> ReturnedStockView:
    """Asked again it changes nothing. What is only sold by variant now comes back without one; nobody can have it."""
    wanted = _add_up(returned.items)
    await session.execute(_LOCK_RETURN, {"return_id": str(returned.return_id)})
    rows = await session.execute(_BACK_ALREADY, {"return_id": returned.return_id})
    back = {(row.product_id, named(row.variant_id)): row.quantity for row in rows}
    if not back:
        await _put_back(session, returned.return_id, wanted, by)
    elif back != wanted:
        raise ReturnMismatch
    return ReturnedStockView(return_id=returned.return_id, items=_lines(wanted))


async def _put_back(session: AsyncSession, return_id: UUID, wanted: Mapping[Article, int], by: str) -> None:
    articles = {
        "product_ids": [product_id for product_id, _ in wanted],
        "variant_ids": [stored(variant_id) for _, variant_id in wanted],
    }
    shelves = (await session.execute(_LOCK_STOCK, {**articles, "itself": NO_VARIANT})).all()
    if len(shelves) < len(wanted) or any(variant_id == NO_VARIANT for _, variant_id in wanted):
        raise ProductNotFound
    written = {**articles, "quantities": list(wanted.values()), "return_id": return_id, "actor": by}
    await session.execute(_PUT_BACK, written)
    await failpoint("product.return.written")
    if was_out := {shelf.product_id for shelf in shelves if shelf.on_hand == shelf.reserved}:
        await refresh_in_stock(session, was_out)
    for shelf in shelves:
        article = shelf.product_id, named(shelf.variant_id)
        quantity = wanted[article]
        _note(session, article, shelf.on_hand, quantity, return_id, by)
        if shelf.can_be_had:
            left = shelf.on_hand - shelf.reserved + quantity
            _tell(session, article, full_name(shelf.name, shelf.size, shelf.color), quantity, left)


def _tell(session: AsyncSession, article: Article, name: str, quantity: int, available: int) -> None:
    product_id, variant_id = article
    publish(
        session,
        InventoryRestocked(
            product_id=product_id, variant_id=variant_id, name=name, quantity=quantity, available=available
        ),
    )


def _note(session: AsyncSession, article: Article, on_hand: int, quantity: int, return_id: UUID, by: str) -> None:
    product_id, variant_id = article
    where = {} if variant_id is None else {"variant_id": variant_id}
    after = {**where, "on_hand": on_hand + quantity, "cause": return_id}
    record(session, by, "stock.returned", product_id, before={**where, "on_hand": on_hand}, after=after)


def _add_up(items: Sequence[RequestedItem]) -> dict[Article, int]:
    summed: dict[Article, int] = {}
    for item in items:
        article = item.product_id, item.variant_id
        summed[article] = summed.get(article, 0) + item.quantity
    return summed


def _lines(wanted: Mapping[Article, int]) -> list[StockLine]:
    in_order = sorted(wanted.items(), key=lambda line: (line[0][0], str(line[0][1] or "")))
    return [
        StockLine(product_id=product_id, variant_id=variant_id, quantity=quantity)
        for (product_id, variant_id), quantity in in_order
    ]
