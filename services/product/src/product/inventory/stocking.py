"""Where the stock of a product or variant begins, and whether anything of a product can be had at all."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import uuid7
from chassis.statements import BIGINT, ID, TEXT, with_arrays
from chassis.steps import step

from .counting import MOST_AT_ONCE, InvalidQuantity
from .tables import NO_VARIANT, stored

_OPEN: Final = with_arrays(
    """
    WITH opened AS (
        SELECT * FROM unnest(:product_ids, :variant_ids, :quantities, :causes)
            AS opened (product_id, variant_id, quantity, cause)
    ), counted AS (
        INSERT INTO stock_movements
            (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor, note)
        SELECT product_id, variant_id, 'received', quantity, 0, cause, :actor, 'initial stock'
        FROM opened WHERE quantity > 0
    )
    INSERT INTO stock (product_id, variant_id, on_hand) SELECT product_id, variant_id, quantity FROM opened
    """,
    product_ids=TEXT,
    variant_ids=ID,
    quantities=BIGINT,
    causes=ID,
).bindparams(bindparam("actor", type_=TEXT))

_LOCK_PRODUCTS: Final = with_arrays(
    "SELECT id FROM products WHERE id = ANY(:product_ids) ORDER BY id FOR NO KEY UPDATE", product_ids=TEXT
)
_REFRESH: Final = with_arrays(
    f"""
    UPDATE products SET in_stock = now.in_stock
    FROM (
        SELECT products.id, EXISTS (
            SELECT FROM stock
            WHERE stock.product_id = products.id AND on_hand > reserved
                AND (variant_id = '{NO_VARIANT}') <> products.has_variants
        ) AS in_stock
        FROM products WHERE products.id = ANY(:product_ids)
    ) AS now
    WHERE products.id = now.id AND products.in_stock <> now.in_stock
    """,
    product_ids=TEXT,
)


@dataclass(frozen=True, slots=True)
class Opening:
    """A product, or a variant of it, and how many of it there are at first."""

    product_id: str
    variant_id: UUID | None
    quantity: int


@step("InventoryService", "createInventory")
async def open_stock(session: AsyncSession, product_id: str, variant_id: UUID | None, quantity: int, by: str) -> None:
    """For each product and each variant, in the transaction that puts it into the catalogue."""
    await open_stocks(session, [Opening(product_id, variant_id, quantity)], by)


async def open_stocks(session: AsyncSession, openings: Sequence[Opening], by: str) -> None:
    if any(not 0 <= opening.quantity <= MOST_AT_ONCE for opening in openings):
        raise InvalidQuantity(f"This must be from 0 to {MOST_AT_ONCE:,}.", field="initial_stock")
    await session.execute(
        _OPEN,
        {
            "product_ids": [opening.product_id for opening in openings],
            "variant_ids": [stored(opening.variant_id) for opening in openings],
            "quantities": [opening.quantity for opening in openings],
            "causes": [uuid7() for _ in openings],
            "actor": by,
        },
    )
    await refresh_in_stock(session, {opening.product_id for opening in openings})


async def refresh_in_stock(session: AsyncSession, product_ids: Collection[str]) -> None:
    """After something of a product has run out or is there again, or when it comes in variants from now on."""
    asked = {"product_ids": list(product_ids)}
    # Two variants that run out at the same time each see the other as it was, unless the second looks after the first.
    await session.execute(_LOCK_PRODUCTS, asked)
    await session.execute(_REFRESH, asked)
