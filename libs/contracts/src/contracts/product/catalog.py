"""What others see of the catalogue: categories, products with their variants and prices, and what happens to them."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.envelope import Event
from contracts.text import Body, Currency, Line, Money, PlainText, ProductId, ShortLine, View


def is_one_line(text: str) -> bool:
    """Names stand in lists, in CSV and in the subjects of mails."""
    return not any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in text)


def _one_line(text: str) -> str:
    if not is_one_line(text):
        raise ValueError("must be one line of text")
    return text


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


CategoryName = Annotated[Line, AfterValidator(_one_line)]
Sku = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Weight = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
"""In grams."""
Attribute = Annotated[
    Annotated[ShortLine, AfterValidator(_one_line)] | None,
    BeforeValidator(_blank_is_none),
]
"""A field that was left blank says nothing."""


class CreateCategory(Body):
    """Without a parent it stands at the top."""

    name: CategoryName
    parent_id: UUID | None = None


class RenameCategory(Body):
    name: CategoryName


class CategoryView(View):
    category_id: UUID
    name: str
    parent_id: UUID | None = None
    depth: int
    """1 at the top."""


class CreateProduct(Body):
    """What a product's name, description, price and stock must be like, its rules say; refused by a code for each."""

    product_id: ProductId | None = None
    name: PlainText
    description: PlainText = ""
    category_id: UUID
    price: PlainText
    currency: Currency | None = None
    weight_grams: Weight = 0
    initial_stock: int = Field(default=0, strict=True)


class ChangeProduct(Body):
    """What is left out stays as it is."""

    name: PlainText | None = None
    description: PlainText | None = None
    category_id: UUID | None = None
    weight_grams: Weight | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "ChangeProduct":
        if not any(value is not None for value in dict(self).values()):
            raise ValueError("must change something")
        return self


class ChangePrice(Body):
    price: PlainText


class ChangeVariantPrice(Body):
    """Null: it costs what the product costs."""

    price: PlainText | None


class AddVariant(Body):
    """Of size and colour one is needed at least."""

    sku: Sku
    size: Attribute = None
    color: Attribute = None
    price: PlainText | None = None
    weight_grams: Weight | None = None
    initial_stock: int = Field(default=0, strict=True)


class VariantView(View):
    variant_id: UUID
    sku: str
    size: str | None = None
    color: str | None = None
    unit_price: Money
    has_own_price: bool
    weight_grams: int
    available: int


class ProductSummary(View):
    """A product as it stands in a list."""

    product_id: str
    name: str
    category_id: UUID | None = None
    unit_price: Money
    currency: Currency
    in_stock: bool
    has_variants: bool
    is_active: bool


class ProductView(View):
    product_id: str
    name: str
    description: str
    category_id: UUID | None = None
    unit_price: Money
    currency: Currency
    weight_grams: int
    available: int
    """Of all its variants together, where it has any."""
    is_active: bool
    variants: Sequence[VariantView] = ()
    created_at: datetime
    updated_at: datetime


class PriceChange(View):
    """A price that was asked before, until when, and who changed it; null where a variant had none of its own."""

    at: datetime
    variant_id: UUID | None = None
    previous_price: Money | None
    price: Money | None
    currency: Currency
    actor: str


class CatalogEvent(Event):
    source = "product-service"


class CategoryCreated(CatalogEvent):
    """The category stands in the tree. Nothing is in it yet."""

    event_type = "category.created"
    domain_name = "CategoryCreated"

    category_id: UUID
    name: str
    parent_id: UUID | None = None


class ProductCreated(CatalogEvent):
    """The product is in the catalogue and can be bought, as far as there is stock."""

    event_type = "product.created"
    domain_name = "ProductCreated"

    product_id: str
    name: str
    category_id: UUID
    price: Money
    currency: Currency
    initial_stock: int


class ProductUpdated(CatalogEvent):
    """Something that the catalogue shows of it is different from now on: `changed` names the fields.

    What was ordered before stays as it was.
    """

    event_type = "product.updated"
    domain_name = "ProductUpdated"

    product_id: str
    variant_id: UUID | None = None
    """Where it is about one of its variants; so are the prices then."""
    changed: list[str]
    name: str
    category_id: UUID | None = None
    price: Money
    previous_price: Money | None = None
    """Where the price is what changed."""
    currency: Currency


class ProductDeactivated(CatalogEvent):
    """It is no longer shown nor sold. What is held of it or was ordered is not touched."""

    event_type = "product.deactivated"
    domain_name = "ProductDeactivated"

    product_id: str
