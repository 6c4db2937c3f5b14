"""A further variant of a product: with its own SKU and stock, and a price or weight of its own if it has one."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.steps import step
from contracts.product.catalog import AddVariant, VariantView
from contracts.text import to_decimal_string
from product.inventory.stocking import Opening, open_stocks

from .changing import updated
from .model import Product, Variant
from .reading import take, view_of_variant
from .rules import DuplicateSku, VariantAttributeRequired, in_minor_units, refuse, wrong_initial_stock, wrong_price


@step("ProductService", "addVariant")
async def add_variant(session: AsyncSession, product_id: str, body: AddVariant, *, by: str) -> VariantView:
    """From its first variant on a product is sold by variant only; what there was of it itself stays on the shelf."""
    refuse(
        [
            VariantAttributeRequired() if body.size is None and body.color is None else None,
            wrong_price(body.price),
            wrong_initial_stock(body.initial_stock),
        ]
    )
    await _validate_sku_uniqueness(session, body.sku)
    product, variant = await _add_variant(session, product_id, body)
    await _create_variant_inventory(session, variant, body.initial_stock, by)
    record(session, by, "variant.added", variant.id, after=on_record(variant, body.initial_stock))
    return view_of_variant(variant, product, body.initial_stock if product.is_active else 0)


@step("ProductAggregate", "validateSkuUniqueness")
async def _validate_sku_uniqueness(session: AsyncSession, sku: str) -> None:
    if await session.scalar(select(Variant.id).where(Variant.sku == sku)) is not None:
        raise DuplicateSku


@step("ProductAggregate", "addVariant")
async def _add_variant(session: AsyncSession, product_id: str, body: AddVariant) -> tuple[Product, Variant]:
    product = await take(session, product_id)
    new = {
        "id": uuid7(),
        "product_id": product.id,
        "sku": body.sku,
        "size": body.size,
        "color": body.color,
        "price": None if body.price is None else in_minor_units(body.price),
        "weight_grams": body.weight_grams,
    }
    # Two at once found the SKU free: whoever writes it second waits here for the first, and then gets nothing.
    written = insert(Variant).values(new).on_conflict_do_nothing().returning(Variant)
    variant = (await session.scalars(written)).one_or_none()
    if variant is None:
        raise DuplicateSku
    product.has_variants, product.updated_at = True, datetime.now(UTC)
    publish(session, updated(product, ["variants"], variant=variant))
    return product, variant


@step("InventoryService", "createVariantInventory")
async def _create_variant_inventory(session: AsyncSession, variant: Variant, quantity: int, by: str) -> None:
    await open_stocks(session, [Opening(variant.product_id, variant.id, quantity)], by)


def on_record(variant: Variant, initial_stock: int) -> dict[str, object]:
    return {
        "product_id": variant.product_id,
        "sku": variant.sku,
        "size": variant.size,
        "color": variant.color,
        "price": None if variant.price is None else to_decimal_string(variant.price),
        "weight_grams": variant.weight_grams,
        "initial_stock": initial_stock,
    }
