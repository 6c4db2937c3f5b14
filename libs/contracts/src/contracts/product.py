"""What others see of Product: availability, reservations, and the events of stock."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from .envelope import Event
from .text import Body, Currency, Money, ProductId, Quantity, View


class RequestedItem(Body):
    product_id: ProductId
    variant_id: UUID | None = None
    quantity: Quantity


class CheckAvailability(Body):
    items: Annotated[list[RequestedItem], Field(min_length=1, max_length=50)]


class ItemAvailability(View):
    product_id: str
    variant_id: UUID | None = None
    requested: int
    available: int
    is_available: bool


class Availability(View):
    all_available: bool
    items: list[ItemAvailability]


class ProductView(View):
    product_id: str
    name: str
    unit_price: Money
    currency: Currency
    available: int
    is_active: bool


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


class ReservedItem(ItemAvailability):
    """With the name and price of this moment, which are what the order is made of."""

    name: str | None = None
    unit_price: Money | None = None
    currency: Currency | None = None


class ReservationView(View):
    reservation_id: UUID
    state: ReservationState
    all_available: bool
    items: list[ReservedItem]


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


class StockLine(View):
    product_id: str
    variant_id: UUID | None = None
    quantity: int


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

    reservation_id: UUID
    items: list[StockLine]


class InventoryDeducted(ProductEvent):
    """The items have left the shelf for good."""

    event_type = "inventory.deducted"
    domain_name = "InventoryDeducted"

    reservation_id: UUID
    items: list[StockLine]
