"""What the usual way's requests and answers look like: declared bodies, checked by FastAPI."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field


class Address(BaseModel):
    name: str = Field(max_length=200)
    line1: str = Field(max_length=200)
    line2: str | None = None
    city: str = Field(max_length=200)
    state: str | None = None
    postal_code: str = Field(max_length=20)
    country: str = Field(pattern="^[A-Z]{2}$")


class Item(BaseModel):
    product_id: str = Field(pattern="^[A-Za-z0-9_-]{1,64}$")
    quantity: Annotated[int, Field(ge=1, le=10_000)]


class PlaceOrder(BaseModel):
    items: Annotated[list[Item], Field(min_length=1, max_length=50)]
    shipping_address: Address
    note: str | None = None


class OrderItemView(BaseModel):
    product_id: str
    variant_id: UUID | None = None
    name: str
    quantity: int
    unit_price: Decimal
    subtotal: Decimal


class OrderView(BaseModel):
    order_id: UUID
    customer_id: str
    status: str
    items: list[OrderItemView]
    subtotal: Decimal
    shipping_cost: Decimal
    total: Decimal
    currency: str
    shipping_address: Address
    note: str | None = None
    tracking_number: str | None = None
    carrier: str | None = None
    tracking_url: str | None = None
    created_at: datetime
    updated_at: datetime
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_location: str | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    allowed_actions: list[str]


class Reserve(BaseModel):
    reservation_id: UUID
    items: list[Item]


class QuotedItem(BaseModel):
    product_id: str
    requested: int
    available: int
    is_available: bool
    name: str | None = None
    unit_price: Decimal | None = None
    currency: str | None = None
    weight_grams: int = 0


class ReservationView(BaseModel):
    reservation_id: UUID
    state: str
    all_available: bool
    items: list[QuotedItem]


class Settled(BaseModel):
    reservation_id: UUID
    state: str
    done: bool
