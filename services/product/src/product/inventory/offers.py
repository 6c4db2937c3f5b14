"""What is offered, at which name and price, and how much of it there is."""

from collections.abc import Iterable
from typing import Final

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
_OFFERS_LOCKED: Final = with_arrays(
    f"{_LOOK} ORDER BY stock.product_id, stock.variant_id FOR UPDATE OF stock", product_ids=TEXT, variant_ids=ID
)


async def find_offers(
    session: AsyncSession, items: Iterable[RequestedItem], *, lock: bool
) -> dict[Article, Offer | Unavailable]:
    """Of all that exists, on sale or not: it has a row of stock from its beginning. Locked, that stays as it is."""
    articles = {(item.product_id, item.variant_id) for item in items}
    asked = {
        "product_ids": [product_id for product_id, _ in articles],
        "variant_ids": [stored(variant_id) for _, variant_id in articles],
    }
    rows = await session.execute(_OFFERS_LOCKED if lock else _OFFERS, asked)
    offers: dict[Article, Offer | Unavailable] = {}
    for product_id, variant_id, is_active, has_variants, name, size, color, *rest in rows:
        article = product_id, named(variant_id)
        if not is_active:
            offers[article] = Unavailable.NOT_ON_SALE
        elif has_variants and article[1] is None:
            offers[article] = Unavailable.VARIANT_REQUIRED
        else:
            offers[article] = Offer(full_name(name, size, color), *rest)
    return offers
