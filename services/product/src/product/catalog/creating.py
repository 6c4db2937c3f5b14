"""A new product: with its own id or one of ours, in a category, with its first stock."""

from datetime import UTC, datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.steps import step
from contracts.product.catalog import CreateProduct, ProductCreated, ProductView
from contracts.text import to_decimal_string
from product.categories.commands import validate_category
from product.inventory.stocking import open_stock

from .model import Product
from .reading import view
from .rules import (
    DuplicateProductId,
    in_minor_units,
    refuse,
    wrong_description,
    wrong_initial_stock,
    wrong_name,
    wrong_price,
)


@step("ProductService", "createProduct")
async def create_product(session: AsyncSession, body: CreateProduct, *, by: str, currency: str) -> ProductView:
    """On sale at once; `currency` is that of products that do not say theirs."""
    _validate_product(body)
    await validate_category(session, body.category_id)
    product = await _create(session, body, body.currency or currency)
    await open_stock(session, product.id, None, body.initial_stock, by)
    record(session, by, "product.created", product.id, after=on_record(product, body.initial_stock))
    return await view(session, product)


@step("ProductService", "validateProduct")
def _validate_product(body: CreateProduct) -> None:
    refuse(
        [
            wrong_name(body.name),
            wrong_description(body.description),
            wrong_price(body.price),
            wrong_initial_stock(body.initial_stock),
        ]
    )


@step("ProductAggregate", "create")
async def _create(session: AsyncSession, body: CreateProduct, currency: str) -> Product:
    now = datetime.now(UTC)
    new = {
        "id": body.product_id or str(uuid7()),
        "name": body.name,
        "description": body.description,
        "category_id": body.category_id,
        "price": in_minor_units(body.price),
        "currency": currency,
        "weight_grams": body.weight_grams,
        "created_at": now,
        "updated_at": now,
    }
    # Of two at once the second waits here for the first, and then gets nothing.
    written = insert(Product).values(new).on_conflict_do_nothing().returning(Product)
    product = (await session.scalars(written)).one_or_none()
    if product is None:
        raise DuplicateProductId
    publish(session, created(product, body.initial_stock))
    return product


def created(product: Product, initial_stock: int) -> ProductCreated:
    assert product.category_id is not None, "only those of before there were categories have none"
    return ProductCreated(
        product_id=product.id,
        name=product.name,
        category_id=product.category_id,
        price=product.price,
        currency=product.currency,
        initial_stock=initial_stock,
    )


def on_record(product: Product, initial_stock: int) -> dict[str, object]:
    return {
        "name": product.name,
        "description": product.description,
        "category_id": product.category_id,
        "price": to_decimal_string(product.price),
        "currency": product.currency,
        "weight_grams": product.weight_grams,
        "initial_stock": initial_stock,
    }
