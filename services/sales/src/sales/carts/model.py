"""A cart: what is in it, how that may change, and what it comes to. Rules only: no I/O, no clock."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chassis.errors import Invalid, NotFound
from chassis.ids import uuid7
from contracts.text import MAX_QUANTITY
from sales.db import SalesTable

MAX_LINES: Final = 50

Product = tuple[str, UUID | None]
"""Which one, and which variant of it."""


class OutOfStock(Invalid):
    code = "OUT_OF_STOCK"


class QuantityExceedsStock(Invalid):
    code = "QUANTITY_EXCEEDS_STOCK"


class CartLimit(Invalid):
    """More than one cart takes."""


class ItemNotFound(NotFound):
    code = "ITEM_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("This is not in the cart.")


@dataclass(frozen=True, slots=True)
class Offer:
    """What Product says of a product, or of a variant of it, at this moment."""

    product_id: str
    variant_id: UUID | None
    name: str
    unit_price: int
    currency: str
    available: int


class CartItem(SalesTable):
    """With the name and the price that it had when it was last changed."""

    __tablename__ = "cart_items"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cart_id: Mapped[UUID] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"))
    product_id: Mapped[str] = mapped_column(Text)
    variant_id: Mapped[UUID | None]
    quantity: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    unit_price: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        Index(
            "uq_cart_items_product",
            "cart_id",
            "product_id",
            "variant_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint(f"quantity BETWEEN 1 AND {MAX_QUANTITY} AND unit_price >= 0", name="amounts"),
    )

    @property
    def product(self) -> Product:
        return self.product_id, self.variant_id

    @property
    def subtotal(self) -> int:
        return self.quantity * self.unit_price

    def _becomes(self, quantity: int, offer: Offer) -> None:
        _check(quantity, offer)
        self.quantity = quantity
        self.name, self.unit_price, self.currency = offer.name, offer.unit_price, offer.currency


class Cart(SalesTable):
    """A customer's, of whom each has one at most, or a guest's, which whoever has its token may use."""

    __tablename__ = "carts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(Text)
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    touched_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    """When it was last changed, or was to be."""
    items: Mapped[list[CartItem]] = relationship(
        order_by=CartItem.id, cascade="all, delete-orphan", passive_deletes=True, lazy="raise"
    )

    __table_args__ = (
        CheckConstraint("(customer_id IS NULL) <> (token_hash IS NULL)", name="owner"),
        Index("uq_carts_customer_id", "customer_id", unique=True),
        Index("uq_carts_token_hash", "token_hash", unique=True),
        # One for each of the two times after which a cart is over.
        Index("ix_carts_of_customers", "touched_at", "id", postgresql_where=customer_id.is_not(None)),
        Index("ix_carts_of_guests", "touched_at", "id", postgresql_where=customer_id.is_(None)),
    )

    @property
    def totals(self) -> dict[str, int]:
        """At the prices that the items had when they were last changed, by currency."""
        return sums((item.currency, item.subtotal) for item in self.items)

    def item(self, item_id: UUID) -> CartItem:
        found = next((item for item in self.items if item.id == item_id), None)
        if found is None:
            raise ItemNotFound
        return found

    def add(self, offer: Offer, quantity: int) -> CartItem:
        """What is there already adds up, and the sum is what has to be available."""
        if offer.available < 1:
            message = "There is none left of it."
            raise OutOfStock(message, [_shortage(quantity, offer, message)])
        item = self._of(offer.product_id, offer.variant_id)
        if item is not None:
            item._becomes(item.quantity + quantity, offer)
            return item
        if len(self.items) >= MAX_LINES:
            raise CartLimit(f"A cart holds {MAX_LINES} different things at most.")
        item = CartItem(id=uuid7(), product_id=offer.product_id, variant_id=offer.variant_id)
        item._becomes(quantity, offer)
        self.items.append(item)
        return item

    def change(self, item: CartItem, offer: Offer, quantity: int) -> bool:
        """Whether that is another quantity than before."""
        if quantity == item.quantity:
            _check(quantity, offer)
            return False
        item._becomes(quantity, offer)
        return True

    def remove(self, item: CartItem) -> None:
        self.items.remove(item)

    def reduce(self, item: CartItem, quantity: int) -> bool:
        """By as many as have been ordered; whether there are any left."""
        if item.quantity <= quantity:
            self.remove(item)
            return False
        item.quantity -= quantity
        return True

    def clear(self) -> list[CartItem]:
        gone = list(self.items)
        self.items.clear()
        return gone

    def take_over(self, other: CartItem) -> tuple[CartItem, int] | None:
        """Of a guest's item as many as this cart still takes; the item, and how many have come to it."""
        item = self._of(*other.product)
        if item is not None:
            more = min(other.quantity, MAX_QUANTITY - item.quantity)
            item.quantity += more
            return (item, more) if more else None
        if len(self.items) >= MAX_LINES:
            return None
        kept = ("product_id", "variant_id", "quantity", "name", "unit_price", "currency")
        item = CartItem(id=uuid7(), **{name: getattr(other, name) for name in kept})
        self.items.append(item)
        return item, item.quantity

    def _of(self, product_id: str, variant_id: UUID | None) -> CartItem | None:
        return next((item for item in self.items if item.product == (product_id, variant_id)), None)


def sums(costs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """One for each currency: nobody can add euros to dollars."""
    added: Counter[str] = Counter()
    for currency, cost in costs:
        added[currency] += cost
    return dict(added)


def _check(quantity: int, offer: Offer) -> None:
    if quantity > MAX_QUANTITY:
        message = f"There can be {MAX_QUANTITY} of it in a cart at most."
        raise CartLimit(message, [{"field": "quantity", "message": message}])
    if quantity > offer.available:
        message = f"{offer.available} available, {quantity} asked for."
        raise QuantityExceedsStock("There are fewer than that.", [_shortage(quantity, offer, message)])


def _shortage(quantity: int, offer: Offer, message: str) -> dict[str, Any]:
    detail = {"field": "quantity", "message": message, "product_id": offer.product_id}
    if offer.variant_id is not None:
        detail["variant_id"] = str(offer.variant_id)
    return {**detail, "requested": quantity, "available": offer.available}
