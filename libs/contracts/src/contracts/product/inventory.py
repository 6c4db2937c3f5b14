"""What others see of the inventory: availability, quotes, reservations, stock with its movements, and its events."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.envelope import Event
from contracts.text import Body, Currency, Line, Money, ProductId, Quantity, View


class RequestedItem(Body):
    product_id: ProductId
    variant_id: UUID | None = None
    quantity: Quantity


class CheckAvailability(Body):
    items: Annotated[list[RequestedItem], Field(min_length=1, max_length=50)]


class Unavailable(StrEnum):
    """Why nothing can be had of an item, however few are asked for."""

    UNKNOWN = "UNKNOWN"
    NOT_ON_SALE = "NOT_ON_SALE"
    VARIANT_REQUIRED = "VARIANT_REQUIRED"
    """It comes in variants, and none was named."""


class ItemAvailability(View):
    product_id: str
    variant_id: UUID | None = None
    requested: int
    available: int
    is_available: bool
    reason: Unavailable | None = None
    """Not said where it is only a matter of how many there are."""


class Availability(View):
    all_available: bool
    items: list[ItemAvailability]


class QuotedItem(ItemAvailability):
    """With the name and price of this moment, which are what an order is made of."""

    name: str | None = None
    unit_price: Money | None = None
    currency: Currency | None = None
    weight_grams: int | None = None


class Quote(View):
    """What a reservation of these items would be told now. It holds nothing, and promises nothing for later."""

    all_available: bool
    items: list[QuotedItem]


class ReservationState(StrEnum):
    HELD = "HELD"
    REFUSED = "REFUSED"
    RELEASED = "RELEASED"
    DEDUCTED = "DEDUCTED"


class Reservation(Body):
    """All items or none, under an id that the caller chose: the same id again gets the first answer again."""

    reservation_id: UUID
    items: Annotated[list[RequestedItem], Field(min_length=1, max_length=50)]


class Reserve(Body):
    reservations: Annotated[list[Reservation], Field(min_length=1, max_length=100)]


class ReservationView(View):
    reservation_id: UUID
    state: ReservationState
    all_available: bool
    items: list[QuotedItem]


class Reservations(View):
    reservations: list[ReservationView]


class Settle(Body):
    """Which reservations to deduct (the parcels leave) or to release (the orders do not come about)."""

    reservation_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]


class Settled(View):
    """The state that the reservation is in now; `done` when that is the one that was asked for."""

    reservation_id: UUID
    state: ReservationState | None
    done: bool


class Settlements(View):
    reservations: list[Settled]


class Restock(Body):
    """Goods have come in; `reference` is the delivery note or whatever finds them again."""

    variant_id: UUID | None = None
    quantity: int = Field(strict=True)
    reference: Line | None = None


class CorrectStock(Body):
    """Counted again: what is on the shelf is this many more, or less if negative; `reason` says why."""

    variant_id: UUID | None = None
    quantity: int = Field(strict=True)
    reason: Line


class ReturnedStock(Body):
    """Goods that a customer has sent back go on the shelf again: once, under an id that the caller chose."""

    return_id: UUID
    items: Annotated[list[RequestedItem], Field(min_length=1, max_length=50)]


class StockView(View):
    product_id: str
    variant_id: UUID | None = None
    on_hand: int
    reserved: int
    available: int


class Stock(View):
    """All of a product: one line, or one for each of its variants."""

    product_id: str
    lines: list[StockView]


class MovementKind(StrEnum):
    RECEIVED = "received"
    RESERVED = "reserved"
    RELEASED = "released"
    DEDUCTED = "deducted"
    CORRECTED = "corrected"
    FOLDED = "folded"
    """What was reserved and has left, or was given back, so long ago that nobody asks any more for which order."""


class Movement(View):
    """One change of a stock row; the changes of all its movements add up to the row."""

    at: datetime
    variant_id: UUID | None = None
    kind: MovementKind
    on_hand_change: int
    reserved_change: int
    cause: UUID
    """The reservation, the receipt, the return or the correction; zeros, where many were folded."""
    actor: str
    note: str | None = None


class StockLine(View):
    product_id: str
    variant_id: UUID | None = None
    quantity: int


class ReturnedStockView(View):
    """What is back on the shelf under this id, each article once; the same whenever it is asked."""

    return_id: UUID
    items: list[StockLine]


class ProductEvent(Event):
    source = "product-service"


class InventoryReserved(ProductEvent):
    """The items are held for an attempt to order. They are still on the shelf."""

    event_type = "inventory.reserved"
    domain_name = "InventoryReserved"

    reservation_id: UUID
    items: list[StockLine]


class InventoryReleased(ProductEvent):
    """The hold is over and the items can be had again."""

    event_type = "inventory.released"
    domain_name = "InventoryReleased"
    heard_by = frozenset({"sales"})

    reservation_id: UUID
    items: list[StockLine]


class InventoryDeducted(ProductEvent):
    """The items have left the shelf for good."""

    event_type = "inventory.deducted"
    domain_name = "InventoryDeducted"

    reservation_id: UUID
    items: list[StockLine]


class InventoryRestocked(ProductEvent):
    """More of it is on the shelf, and can be had."""

    event_type = "inventory.restocked"
    domain_name = "InventoryRestocked"
    heard_by = frozenset({"notification"})

    product_id: str
    variant_id: UUID | None = None
    name: str | None = None
    quantity: int
    available: int


class OutOfStock(ProductEvent):
    """The last piece that could be had is gone or held; some may still be on the shelf for those who hold them.

    Told once each time, and not again before there was some.
    """

    event_type = "inventory.out_of_stock"
    domain_name = "OutOfStock"
    heard_by = frozenset({"notification"})

    product_id: str
    variant_id: UUID | None = None
    name: str
