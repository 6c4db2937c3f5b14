"""What others see of carts: how they are filled and shown, and the events of what was put in and taken out."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, PlainSerializer

from contracts.text import MAX_QUANTITY, Body, Currency, Money, ProductId, Quantity, View, to_decimal_string

from .orders import SalesEvent

Sum = Annotated[int, Field(ge=0), PlainSerializer(to_decimal_string, return_type=str, when_used="json")]
"""Without the limit of an order's total: a cart may come to more than can be ordered at once."""


class AddItem(Body):
    """Name and price are Product's to say, never the client's."""

    product_id: ProductId
    variant_id: UUID | None = None
    quantity: Quantity


class ChangeQuantity(Body):
    """Zero takes the item out."""

    quantity: Annotated[int, Field(strict=True, ge=0, le=MAX_QUANTITY)]


class NoteCode(StrEnum):
    PRICE_CHANGED = "PRICE_CHANGED"
    NOT_AVAILABLE = "NOT_AVAILABLE"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    QUANTITY_EXCEEDS_STOCK = "QUANTITY_EXCEEDS_STOCK"


class CartNote(View):
    """What has become different since the item was last changed."""

    code: NoteCode
    previous_price: Money | None = None
    previous_currency: Currency | None = None
    available: int | None = None


class CartItemView(View):
    item_id: UUID
    product_id: str
    variant_id: UUID | None = None
    name: str
    quantity: int
    unit_price: Money
    currency: Currency
    subtotal: Sum
    """Of as many as can be had."""
    notes: Sequence[CartNote] = ()


class CartTotal(View):
    currency: Currency
    total: Sum


class CartView(View):
    cart_id: UUID | None = None
    """Null where nothing was put in yet."""
    items: Sequence[CartItemView]
    total: Sum | None = None
    """Null, with its currency, where nothing can be had, or the prices are in more than one currency."""
    currency: Currency | None = None
    totals: Sequence[CartTotal]
    """One for each currency."""
    refreshed: bool
    """With the names and prices of this moment; otherwise with those of when each item was last changed."""


class GuestCartView(View):
    """The token opens the cart to whoever sends it as `X-Cart-Token`. It is shown this once."""

    cart_id: UUID
    cart_token: str


class CartEvent(SalesEvent):
    cart_id: UUID
    customer_id: str | None = None
    """Null where it is a guest's."""


class ItemAddedToCart(CartEvent):
    """There is more of it in the cart: `quantity` now, of which `added` are new. Nothing is held of it."""

    event_type = "cart.item_added"
    domain_name = "ItemAddedToCart"

    item_id: UUID
    product_id: str
    variant_id: UUID | None = None
    added: int
    quantity: int
    unit_price: Money
    currency: Currency


class CartQuantityUpdated(CartEvent):
    """The customer wants another number of it. Nothing is held of it."""

    event_type = "cart.quantity_updated"
    domain_name = "CartQuantityUpdated"

    item_id: UUID
    product_id: str
    variant_id: UUID | None = None
    previous_quantity: int
    quantity: int
    unit_price: Money
    currency: Currency


class ItemRemovedFromCart(CartEvent):
    """It is not in the cart any more; what else is in it stays."""

    event_type = "cart.item_removed"
    domain_name = "ItemRemovedFromCart"

    item_id: UUID
    product_id: str
    variant_id: UUID | None = None
    quantity: int
    """How many of it there were."""


class CartCleared(CartEvent):
    """The customer has emptied the cart, which had something in it. A cart that expires is not told of."""

    event_type = "cart.cleared"
    domain_name = "CartCleared"

    item_count: int
    """How many different things there were."""
