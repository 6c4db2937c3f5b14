"""A product as it is sold: name, price and whether it is on sale at all. How many there are is the inventory's."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from contracts.text import MAX_MINOR_UNITS
from product.db import ProductTable


class Product(ProductTable):
    __tablename__ = "products"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    price: Mapped[int] = mapped_column(BigInteger)
    """In minor units of the currency."""
    currency: Mapped[str] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))

    __table_args__ = (
        CheckConstraint("id ~ '^[A-Za-z0-9_-]{1,64}$'", name="id"),
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint(f"price BETWEEN 1 AND {MAX_MINOR_UNITS}", name="price"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )
