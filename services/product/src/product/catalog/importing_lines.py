"""What a line of a file means for the catalogue: a product or variant that is new, is changed, or is refused.

The rules and the events are those of the other modules; here they meet what stands in the cells.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.errors import Invalid
from chassis.explain import INVALID, explain
from chassis.ids import uuid7
from chassis.outbox import publish
from contracts.product.catalog import Attribute, Sku, Weight
from contracts.text import Body, Currency, PlainText, ProductId
from product.inventory.counting import ProductNotFound
from product.inventory.stocking import Opening

from . import creating, variants
from .category_paths import CategoryPaths
from .changing import change, put_on_sale, take_off_sale, updated
from .csv_form import Line, cells_of_product, cells_of_variant
from .model import Product, Variant
from .pricing import log_price_change, reprice, reprice_variant
from .rules import (
    DuplicateSku,
    VariantAttributeRequired,
    in_minor_units,
    refuse,
    wrong_description,
    wrong_initial_stock,
    wrong_name,
    wrong_price,
)

M = TypeVar("M", bound=BaseModel)

_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")
_NUMBERS: Final = frozenset({"weight_grams", "initial_stock"})


class Outcome(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class _Id(Body):
    product_id: ProductId


class _Sku(_Id):
    sku: Sku


class _ProductCells(Body):
    name: PlainText | None = None
    description: PlainText | None = None
    category: str | None = None
    price: PlainText | None = None
    currency: Currency | None = None
    weight_grams: Weight | None = None
    active: bool | None = None
    initial_stock: Annotated[int, Field(strict=True)] = 0


class _VariantCells(Body):
    size: Attribute = None
    color: Attribute = None
    variant_price: PlainText | None = None
    weight_grams: Weight | None = None
    initial_stock: Annotated[int, Field(strict=True)] = 0


@dataclass(frozen=True)
class Batch:
    """What is known of those whom some lines are about; what is new is added to it, and to the session by its owner."""

    by: str
    currency: str
    categories: CategoryPaths
    products: dict[str, Product]
    paths: Mapping[UUID, str]
    """Of the categories that the products stand in."""
    variants: dict[str, Variant]
    new: list[Product | Variant] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)


def key_of(line: Line) -> tuple[str, str]:
    """What the line is about: ("product_id", …) or ("sku", …)."""
    cells = line.cells
    if cells["sku"]:
        return "sku", _read(_Sku, {name: cells[name] for name in ("product_id", "sku")}).sku
    return "product_id", _read(_Id, {"product_id": cells["product_id"]}).product_id


async def take_in(session: AsyncSession, batch: Batch, line: Line) -> Outcome:
    """What is refused has changed nothing."""
    product = batch.products.get(line.cells["product_id"])
    if not line.cells["sku"]:
        return await (_create(session, batch, line) if product is None else _change(session, batch, line, product))
    if product is None:
        raise ProductNotFound
    variant = batch.variants.get(line.cells["sku"])
    if variant is None:
        return _add_variant(session, batch, line, product)
    return _change_variant(session, batch, line, product, variant)


async def _create(session: AsyncSession, batch: Batch, line: Line) -> Outcome:
    cells = _read(_ProductCells, _filled(line, _ProductCells))
    refuse(
        [
            wrong_name(cells.name or ""),
            wrong_description(cells.description),
            wrong_price(cells.price or ""),
            wrong_initial_stock(cells.initial_stock),
        ]
    )
    now = datetime.now(UTC)
    product = Product(
        id=line.cells["product_id"],
        name=cells.name,
        description=cells.description or "",
        category_id=await batch.categories.find(session, cells.category or ""),
        price=in_minor_units(cells.price or ""),
        currency=cells.currency or batch.currency,
        weight_grams=cells.weight_grams or 0,
        is_active=True,
        has_variants=False,
        in_stock=False,
        created_at=now,
        updated_at=now,
    )
    batch.products[product.id] = product
    batch.new.append(product)
    batch.openings.append(Opening(product.id, None, cells.initial_stock))
    publish(session, creating.created(product, cells.initial_stock))
    record(session, batch.by, "product.created", product.id, after=creating.on_record(product, cells.initial_stock))
    if cells.active is False:
        take_off_sale(session, product, batch.by)
    return Outcome.CREATED


async def _change(session: AsyncSession, batch: Batch, line: Line, product: Product) -> Outcome:
    path = batch.paths.get(product.category_id, "") if product.category_id else ""
    cells = _read(_ProductCells, _different(line, cells_of_product(product, path)))
    refuse([wrong_name(cells.name), wrong_description(cells.description), wrong_price(cells.price)])
    if cells.currency not in (None, product.currency):
        raise _stays("currency", "product")
    category = None if cells.category is None else await batch.categories.find(session, cells.category)
    wanted = {
        "name": cells.name,
        "description": cells.description,
        "category_id": category,
        "weight_grams": cells.weight_grams,
    }
    changes = [change(session, product, {name: value for name, value in wanted.items() if value is not None}, batch.by)]
    if cells.price is not None and (price := in_minor_units(cells.price)) != product.price:
        log_price_change(session, reprice(session, product, price, batch.by))
        changes.append(True)
    if cells.active is not None:
        changes.append((put_on_sale if cells.active else take_off_sale)(session, product, batch.by))
    return Outcome.CHANGED if any(changes) else Outcome.UNCHANGED


def _add_variant(session: AsyncSession, batch: Batch, line: Line, product: Product) -> Outcome:
    cells = _read(_VariantCells, _filled(line, _VariantCells))
    refuse(
        [
            VariantAttributeRequired() if cells.size is None and cells.color is None else None,
            wrong_price(cells.variant_price),
            wrong_initial_stock(cells.initial_stock),
        ]
    )
    variant = Variant(
        id=uuid7(),
        product_id=product.id,
        sku=line.cells["sku"],
        size=cells.size,
        color=cells.color,
        price=None if cells.variant_price is None else in_minor_units(cells.variant_price),
        weight_grams=cells.weight_grams,
        created_at=datetime.now(UTC),
    )
    product.has_variants, product.updated_at = True, variant.created_at
    batch.variants[variant.sku] = variant
    batch.new.append(variant)
    batch.openings.append(Opening(product.id, variant.id, cells.initial_stock))
    publish(session, updated(product, ["variants"], variant=variant))
    record(session, batch.by, "variant.added", variant.id, after=variants.on_record(variant, cells.initial_stock))
    return Outcome.CREATED


def _change_variant(session: AsyncSession, batch: Batch, line: Line, product: Product, variant: Variant) -> Outcome:
    if variant.product_id != product.id:
        raise DuplicateSku
    cells = _read(_VariantCells, _different(line, cells_of_variant(variant)))
    refuse([wrong_price(cells.variant_price)])
    for name in ("size", "color"):
        if getattr(cells, name) not in (None, getattr(variant, name)):
            raise _stays(name, "variant")
    changed = False
    if cells.variant_price is not None and (price := in_minor_units(cells.variant_price)) != variant.price:
        log_price_change(session, reprice_variant(session, product, variant, price, batch.by))
        changed = True
    if cells.weight_grams is not None and cells.weight_grams != variant.weight_grams:
        before, after = {"weight_grams": variant.weight_grams}, {"weight_grams": cells.weight_grams}
        variant.weight_grams, product.updated_at = cells.weight_grams, datetime.now(UTC)
        publish(session, updated(product, ["weight_grams"], variant=variant))
        record(session, batch.by, "variant.updated", variant.id, before=before, after=after)
        changed = True
    return Outcome.CHANGED if changed else Outcome.UNCHANGED


def _filled(line: Line, model: type[BaseModel]) -> dict[str, str]:
    return {name: line.cells[name] for name in model.model_fields if line.cells[name]}


def _different(line: Line, current: Mapping[str, str]) -> dict[str, str]:
    """What would be written the same stays, even if a rule has come since that forbids it; so does what is empty."""
    return {
        name: cell for name, now in current.items() if name not in _KEYS and (cell := line.cells[name]) not in ("", now)
    }


_KEYS: Final = frozenset({"product_id", "sku"})


def _read(model: type[M], cells: Mapping[str, str]) -> M:
    values: dict[str, Any] = {
        name: int(cell) if name in _NUMBERS and _WHOLE_NUMBER.fullmatch(cell) else cell for name, cell in cells.items()
    }
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Invalid(INVALID, explain(error.errors(include_url=False, include_input=False))) from None


def _stays(name: str, whose: str) -> Invalid:
    message = f"The {name} of a {whose} that exists stays what it is."
    return Invalid(message, [{"field": name, "message": message}])
