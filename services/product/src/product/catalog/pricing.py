"""What products and variants cost, from now on: earlier prices stay on record, and orders keep theirs."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import put_on_record
from chassis.outbox import publish
from chassis.steps import step
from contracts.product.catalog import ChangePrice, ChangeVariantPrice, ProductView
from contracts.text import to_decimal_string
from product.inventory.counting import ProductNotFound

from .changing import updated
from .model import PriceChangeRow, Product, Variant
from .reading import take, view
from .rules import in_minor_units, refuse, wrong_price


@step("ProductService", "updatePrice")
async def change_price(session: AsyncSession, product_id: str, body: ChangePrice, *, by: str) -> ProductView:
    """The price that it has already: nothing happens."""
    _validate_price(body.price)
    product = await _with_previous_price(session, product_id)
    if (price := in_minor_units(body.price)) != product.price:
        log_price_change(session, reprice(session, product, price, by))
    return await view(session, product)


@step("ProductService", "updateVariantPrice")
async def change_variant_price(
    session: AsyncSession, product_id: str, variant_id: UUID, body: ChangeVariantPrice, *, by: str
) -> ProductView:
    """Without a price of its own it costs what the product costs, also when that changes."""
    _validate_price(body.price)
    product = await _with_previous_price(session, product_id)
    variant = await session.get(Variant, variant_id)
    if variant is None or variant.product_id != product.id:
        raise ProductNotFound
    if (price := None if body.price is None else in_minor_units(body.price)) != variant.price:
        log_price_change(session, reprice_variant(session, product, variant, price, by))
    return await view(session, product)


@step("ProductService", "validatePrice")
def _validate_price(price: str | None) -> None:
    refuse([wrong_price(price)])


@step("ProductAggregate", "getPreviousPrice")
async def _with_previous_price(session: AsyncSession, product_id: str) -> Product:
    """It stays the previous one: whoever else wants to change it, or a variant's, waits."""
    return await take(session, product_id)


@step("ProductAggregate", "update")
def reprice(session: AsyncSession, product: Product, price: int, by: str) -> PriceChangeRow:
    change = _change(product, None, (product.price, price), by)
    previous, product.price, product.updated_at = product.price, price, change.at
    session.add(change)
    publish(session, updated(product, ["price"], previous_price=previous))
    return change


@step("ProductAggregate", "update")
def reprice_variant(
    session: AsyncSession, product: Product, variant: Variant, price: int | None, by: str
) -> PriceChangeRow:
    change = _change(product, variant.id, (variant.price, price), by)
    previous = variant.costs(product)
    variant.price, product.updated_at = price, change.at
    session.add(change)
    publish(session, updated(product, ["price"], variant=variant, previous_price=previous))
    return change


@step("AuditLog", "logPriceChange")
def log_price_change(session: AsyncSession, change: PriceChangeRow) -> None:
    entity, entity_id = ("variant", change.variant_id) if change.variant_id else ("product", change.product_id)
    before = {"price": _shown(change.previous_price), "currency": change.currency}
    after = {"price": _shown(change.price), "currency": change.currency}
    put_on_record(session, change.actor, f"{entity}.price_changed", entity_id, before=before, after=after)


def _change(
    product: Product, variant_id: UUID | None, prices: tuple[int | None, int | None], by: str
) -> PriceChangeRow:
    previous_price, price = prices
    return PriceChangeRow(
        product_id=product.id,
        variant_id=variant_id,
        # The clock's, and not the transaction's, which may have begun before that of a change that it waited for.
        at=datetime.now(UTC),
        previous_price=previous_price,
        price=price,
        currency=product.currency,
        actor=by,
    )


def _shown(price: int | None) -> str | None:
    return None if price is None else to_decimal_string(price)
