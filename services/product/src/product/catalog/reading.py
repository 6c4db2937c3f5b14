"""Finds products: to show them with their variants and what can be had, to change them, and what they have cost."""

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.paging import Keyset
from contracts.product.catalog import PriceChange, ProductView, VariantView
from product.inventory.counting import ProductNotFound
from product.inventory.reading import available

from .model import PriceChangeRow, Product, Variant

_latest_first = Keyset(Annotated[int, Field(ge=1, lt=2**63)])


async def show_product(session: AsyncSession, product_id: str) -> ProductView:
    """Also one that is off sale, because it stands in old orders; of that nothing can be had."""
    product = await session.get(Product, product_id)
    if product is None:
        raise ProductNotFound
    return await view(session, product)


async def take(session: AsyncSession, product_id: str) -> Product:
    """To change it: nobody else changes it, its variants or their prices until we are done."""
    product = await session.get(Product, product_id, with_for_update=True)
    if product is None:
        raise ProductNotFound
    return product


async def view(session: AsyncSession, product: Product) -> ProductView:
    left = await available(session, product.id) if product.is_active else {}
    variants = await _variants(session, product) if product.has_variants else []
    return ProductView(
        product_id=product.id,
        name=product.name,
        description=product.description,
        category_id=product.category_id,
        unit_price=product.price,
        currency=product.currency,
        weight_grams=product.weight_grams,
        available=sum(left.values()),
        is_active=product.is_active,
        variants=[view_of_variant(variant, product, left.get(variant.id, 0)) for variant in variants],
        created_at=product.created_at,
        updated_at=product.updated_at,
    )


def view_of_variant(variant: Variant, product: Product, available: int) -> VariantView:
    return VariantView(
        variant_id=variant.id,
        sku=variant.sku,
        size=variant.size,
        color=variant.color,
        unit_price=variant.costs(product),
        has_own_price=variant.price is not None,
        weight_grams=variant.weighs(product),
        available=available,
    )


async def page_of_price_changes(
    session: AsyncSession, product_id: str, cursor: str | None, limit: int
) -> dict[str, Any]:
    """Its own and its variants', the latest first."""
    if await session.get(Product, product_id) is None:
        raise ProductNotFound
    query = select(PriceChangeRow).where(PriceChangeRow.product_id == product_id)
    if (before := _latest_first.read(cursor)) is not None:
        query = query.where(PriceChangeRow.id < before)
    found = (await session.scalars(query.order_by(PriceChangeRow.id.desc()).limit(limit + 1))).all()
    page = _latest_first.page(found, limit, lambda change: change.id)
    return {**page, "items": [PriceChange.model_validate(change) for change in page["items"]]}


async def _variants(session: AsyncSession, product: Product) -> list[Variant]:
    """In the order in which they were added, which their ids are."""
    found = await session.scalars(select(Variant).where(Variant.product_id == product.id).order_by(Variant.id))
    return list(found)
