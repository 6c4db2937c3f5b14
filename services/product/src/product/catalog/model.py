"""What is sold: products, their variants, and what they have cost. How many there are is the inventory's."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from contracts.text import MAX_MINOR_UNITS
from product.db import ProductTable

from .words import WORDS


class Product(ProductTable):
    __tablename__ = "products"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default=text("''"))
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id"))
    """None only for what was there before there were categories."""
    price: Mapped[int] = mapped_column(BigInteger)
    """In minor units of the currency."""
    currency: Mapped[str] = mapped_column(Text)
    weight_grams: Mapped[int] = mapped_column(server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    has_variants: Mapped[bool] = mapped_column(server_default=text("false"))
    """Then it is sold by variant only."""
    in_stock: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether any of it can be had. Written by the inventory, when that changes and not on every order."""
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))

    __table_args__ = (
        CheckConstraint("id ~ '^[A-Za-z0-9_-]{1,64}$'", name="id"),
        CheckConstraint("length(name) BETWEEN 2 AND 200", name="name"),
        CheckConstraint("length(description) <= 5000", name="description"),
        CheckConstraint(f"price BETWEEN 1 AND {MAX_MINOR_UNITS}", name="price"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("weight_grams BETWEEN 0 AND 1000000", name="weight"),
        # How lists are read in their order, see `listing`.
        Index("ix_products_newest", "is_active", "in_stock", "created_at", "id", postgresql_include=["price"]),
        Index("ix_products_price", "is_active", "in_stock", "price", "id"),
        Index(
            "ix_products_category_newest",
            *("category_id", "is_active", "in_stock", "created_at", "id"),
            postgresql_include=["price"],
        ),
        Index("ix_products_category_price", "category_id", "is_active", "in_stock", "price", "id"),
        Index("ix_products_words", text(WORDS), postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )

    def change(self, now: datetime, **wanted: Any) -> dict[str, Any]:
        """Becomes what is wanted; what that was before, where it was something else."""
        before = {name: old for name, value in wanted.items() if (old := getattr(self, name)) != value}
        for name in before:
            setattr(self, name, wanted[name])
        if before:
            self.updated_at = now
        return before


class Variant(ProductTable):
    __tablename__ = "variants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(Text, ForeignKey("products.id"), index=True)
    sku: Mapped[str] = mapped_column(Text, unique=True)
    size: Mapped[str | None] = mapped_column(Text)
    color: Mapped[str | None] = mapped_column(Text)
    price: Mapped[int | None] = mapped_column(BigInteger)
    """None: what the product costs."""
    weight_grams: Mapped[int | None]
    """None: what the product weighs."""
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))

    __table_args__ = (
        CheckConstraint("sku ~ '^[A-Za-z0-9._-]{1,64}$'", name="sku"),
        CheckConstraint("size IS NOT NULL OR color IS NOT NULL", name="attribute"),
        CheckConstraint("length(size) BETWEEN 1 AND 40 AND length(color) BETWEEN 1 AND 40", name="lengths"),
        CheckConstraint(f"price BETWEEN 1 AND {MAX_MINOR_UNITS}", name="price"),
        CheckConstraint("weight_grams BETWEEN 0 AND 1000000", name="weight"),
    )

    def costs(self, product: Product) -> int:
        return product.price if self.price is None else self.price

    def weighs(self, product: Product) -> int:
        return product.weight_grams if self.weight_grams is None else self.weight_grams


class PriceChangeRow(ProductTable):
    """Never changed, never deleted. Written under the product's lock: in the order of their ids."""

    __tablename__ = "price_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    product_id: Mapped[str] = mapped_column(Text)
    variant_id: Mapped[UUID | None]
    at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    previous_price: Mapped[int | None] = mapped_column(BigInteger)
    price: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index("ix_price_changes_product_id_id", "product_id", "id"),)
