"""A product's life in the catalogue: what it is called and where it stands, taken off sale and put on sale again."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.outbox import publish
from chassis.steps import step
from contracts.product.catalog import ChangeProduct, ProductDeactivated, ProductUpdated, ProductView
from product.categories.commands import validate_category

from .model import Product, Variant
from .reading import take, view
from .rules import refuse, wrong_description, wrong_name


@step("ProductService", "updateProduct")
async def change_product(session: AsyncSession, product_id: str, body: ChangeProduct, *, by: str) -> ProductView:
    """What is as it was already is not changed; if that is everything, nothing happens."""
    refuse([wrong_name(body.name), wrong_description(body.description)])
    if body.category_id is not None:
        await validate_category(session, body.category_id)
    product = await take(session, product_id)
    wanted = {name: value for name, value in dict(body).items() if value is not None}
    change(session, product, wanted, by)
    return await view(session, product)


@step("ProductService", "deactivateProduct")
async def deactivate_product(session: AsyncSession, product_id: str, *, by: str) -> ProductView:
    """Repeating the request changes nothing and publishes nothing. What is held or was ordered stays as it is."""
    product = await take(session, product_id)
    take_off_sale(session, product, by)
    return await view(session, product)


@step("ProductService", "activateProduct")
async def activate_product(session: AsyncSession, product_id: str, *, by: str) -> ProductView:
    product = await take(session, product_id)
    put_on_sale(session, product, by)
    return await view(session, product)


def change(session: AsyncSession, product: Product, wanted: Mapping[str, Any], by: str) -> bool:
    """Whether any of it was otherwise until now. The rules have been asked before."""
    before = product.change(datetime.now(UTC), **wanted)
    if before:
        publish(session, updated(product, before))
        record(session, by, "product.updated", product.id, before=before, after={name: wanted[name] for name in before})
    return bool(before)


def take_off_sale(session: AsyncSession, product: Product, by: str) -> bool:
    """Whether it was on sale until now."""
    if not _deactivate(session, product):
        return False
    record(session, by, "product.deactivated", product.id, before={"is_active": True}, after={"is_active": False})
    return True


def put_on_sale(session: AsyncSession, product: Product, by: str) -> bool:
    """Whether it was off sale until now."""
    if not product.change(datetime.now(UTC), is_active=True):
        return False
    publish(session, updated(product, ["is_active"]))
    record(session, by, "product.activated", product.id, before={"is_active": False}, after={"is_active": True})
    return True


def updated(
    product: Product, changed: Collection[str], *, variant: Variant | None = None, previous_price: int | None = None
) -> ProductUpdated:
    """With the price as it is now: the variant's, if it is one of those that has changed."""
    return ProductUpdated(
        product_id=product.id,
        variant_id=variant.id if variant else None,
        changed=list(changed),
        name=product.name,
        category_id=product.category_id,
        price=variant.costs(product) if variant else product.price,
        previous_price=previous_price,
        currency=product.currency,
    )


@step("ProductAggregate", "deactivate")
def _deactivate(session: AsyncSession, product: Product) -> bool:
    if not product.change(datetime.now(UTC), is_active=False):
        return False
    publish(session, ProductDeactivated(product_id=product.id))
    return True
