"""What is offered, at which name and price, and how much of it there is."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.statements import ID, TEXT, with_arrays
from contracts.product.inventory import RequestedItem, Unavailable

from .model import Article, Offer, full_name
from .tables import named, stored

_LOOK: Final = """
    SELECT stock.product_id, stock.variant_id, products.is_active, products.has_variants,
        products.name, variants.size, variants.color, coalesce(variants.price, products.price), products.currency,
        coalesce(variants.weight_grams, products.weight_grams), stock.on_hand - stock.reserved
    FROM unnest(:product_ids, :variant_ids) AS asked (product_id, variant_id)
        JOIN stock ON stock.product_id = asked.product_id AND stock.variant_id = asked.variant_id
        JOIN products ON products.id = stock.product_id
        LEFT JOIN variants ON variants.id = stock.variant_id
"""
_OFFERS: Final = with_arrays(_LOOK, product_ids=TEXT, variant_ids=ID)
# What is known is looked up on the way: it needs no lock, and so no statement of its own.
_LOCK: Final = with_arrays(
    f"""
    WITH offered AS ({_LOOK} ORDER BY stock.product_id, stock.variant_id FOR UPDATE OF stock)
    SELECT NULL::uuid, NULL, NULL::jsonb, offered.* FROM offered
    UNION ALL
    SELECT id, state, answer, {", ".join(["NULL"] * 11)} FROM reservations WHERE id = ANY(:ids)
    """,
    product_ids=TEXT,
    variant_ids=ID,
    ids=ID,
)

Offered = dict[Article, Offer | Unavailable]
Known = tuple[UUID, str, list[dict[str, Any]] | None]
"""A reservation's id, its state, and how it was answered."""


async def find_offers(session: AsyncSession, items: Iterable[RequestedItem]) -> Offered:
    """Of all that exists, on sale or not: it has a row of stock from its beginning."""
    rows = await session.execute(_OFFERS, _named(items))
    return dict(_offer(*row) for row in rows)


async def lock_offers(
    session: AsyncSession, items: Iterable[RequestedItem], ids: Iterable[UUID]
) -> tuple[Offered, list[Known]]:
    """Locked, the offers stay as they are; with the reservations that there were before anybody was waited for."""
    offers: Offered = {}
    known: list[Known] = []
    for id, state, answer, *offered in await session.execute(_LOCK, {**_named(items), "ids": [*ids]}):
        if id is None:
            article, offer = _offer(*offered)
            offers[article] = offer
        else:
            known.append((id, state, answer))
    return offers, known


def _named(items: Iterable[RequestedItem]) -> dict[str, Any]:
    articles = {(item.product_id, item.variant_id) for item in items}
    return {
        "product_ids": [product_id for product_id, _ in articles],
        "variant_ids": [stored(variant_id) for _, variant_id in articles],
    }


def _offer(
    product_id: str,
    variant_id: UUID,
    is_active: bool,
    has_variants: bool,
    name: str,
    size: str | None,
    color: str | None,
    *rest: Any,
) -> tuple[Article, Offer | Unavailable]:
    article = product_id, named(variant_id)
    if not is_active:
        return article, Unavailable.NOT_ON_SALE
    if has_variants and article[1] is None:
        return article, Unavailable.VARIANT_REQUIRED
    return article, Offer(full_name(name, size, color), *rest)
