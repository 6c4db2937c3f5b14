"""What others see of Sales: how an order is placed and shown, and the events of its life."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Event
from contracts.text import Body, Currency, Money, Note, ProductId, Quantity, View

from .addresses import ShippingAddress

TIMELINE_KEPT: Final = timedelta(days=60)
"""So long after its end, at least, an order's timeline is whole: longer than events are kept that tell of it."""
FORGOTTEN: Final = "forgotten"


class OrderStatus(StrEnum):
    PENDING = "PENDING"
    PENDING_SHIPMENT = "PENDING_SHIPMENT"
    CONFIRMED = "CONFIRMED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"


class OrderItem(Body):
    product_id: ProductId
    variant_id: UUID | None = None
    quantity: Quantity


class PlaceOrder(Body):
    """The customer, the prices and the order id are ours to say, never the client's."""

    items: Annotated[list[OrderItem], Field(min_length=1, max_length=50)]
    shipping_address: ShippingAddress | None = None
    note: Note | None = None


class CancelOrder(Body):
    reason: Note | None = None


class OrderLineView(View):
    product_id: str
    variant_id: UUID | None = None
    name: str
    quantity: int
    unit_price: Money
    subtotal: Money


class OrderView(View):
    order_id: UUID
    customer_id: str
    status: OrderStatus
    items: list[OrderLineView]
    subtotal: Money
    shipping_cost: Money
    total: Money
    currency: Currency
    shipping_address: ShippingAddress
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


class StuckAttempt(View):
    """An attempt to order that has neither become one nor been undone, though it had its time."""

    attempt_id: UUID
    """Also of its hold at Product, and of its payment."""
    customer_id: str
    state: Literal["open", "undoing"]
    is_checkout: bool
    begun_at: datetime
    lease_until: datetime


class TimelineEntry(View):
    """One change of an order, or one that was refused: what, when, and who or which event wanted it.

    Long after an order's end it may not be known any more who it was (`forgotten`), and what was refused.
    """

    at: datetime
    kind: Literal["changed", "refused"]
    from_status: OrderStatus | None = None
    to_status: OrderStatus
    actor: str
    event_id: str | None = None
    reason: str | None = None


class Timeline(View):
    order_id: UUID
    entries: list[TimelineEntry]


class ParcelItem(View):
    product_id: str
    variant_id: UUID | None = None
    name: str | None = None
    quantity: int


class ParcelStatus(StrEnum):
    """A parcel as its customer sees it."""

    PREPARING = "PREPARING"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    LOST = "LOST"
    RETURNED = "RETURNED"
    STOPPED = "STOPPED"


class ParcelTracking(View):
    number: int
    status: ParcelStatus
    items: list[ParcelItem]
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_location: str | None = None


class OrderTracking(View):
    """Where each of the order's parcels is, as far as Sales has heard."""

    order_id: UUID
    status: OrderStatus
    parcels: list[ParcelTracking]


class OrderedItem(View):
    product_id: str
    variant_id: UUID | None = None
    name: str | None = None
    quantity: int
    unit_price: Money


class SalesEvent(Event):
    source = "sales-service"


class OrderCreated(SalesEvent):
    """The order stands and its stock is held. Nothing is packed yet."""

    event_type = "order.created"
    domain_name = "OrderPlaced"
    heard_by = frozenset({"delivery", "notification"})

    order_id: UUID
    reservation_id: UUID
    customer_id: str
    status: OrderStatus
    items: list[OrderedItem]
    shipping_cost: Money | None = None
    total: Money
    currency: Currency
    shipping_address: ShippingAddress
    created_at: datetime


class OrderConfirmed(SalesEvent):
    """The order is paid for: its parcel may leave. It has not left yet."""

    event_type = "order.confirmed"
    domain_name = "OrderConfirmed"
    heard_by = frozenset({"delivery", "notification"})

    order_id: UUID
    customer_id: str
    total: Money
    currency: Currency
    confirmed_at: datetime


class OrderCancelled(SalesEvent):
    """The order will never be shipped and its stock is free again. What was paid may still be on its way back."""

    event_type = "order.cancelled"
    domain_name = "OrderCancelled"
    heard_by = frozenset({"delivery", "notification"})

    order_id: UUID
    customer_id: str
    reason: str | None = None
    cancelled_at: datetime


class OrderShipped(SalesEvent):
    """The parcel, or the first of several, is with the carrier, and the order says so. Nobody has got it yet."""

    event_type = "order.shipped"
    domain_name = "OrderShipped"
    heard_by = frozenset({"notification"})

    order_id: UUID
    customer_id: str
    tracking_number: str | None = None
    carrier: str | None = None
    tracking_url: str | None = None
    shipped_at: datetime


class OrderParcelShipped(SalesEvent):
    """A further parcel of an order that is SHIPPED already is with the carrier, too."""

    event_type = "order.parcel_shipped"
    domain_name = "OrderParcelShipped"
    heard_by = frozenset({"notification"})

    order_id: UUID
    customer_id: str
    shipment_id: UUID
    items: list[ParcelItem]
    tracking_number: str | None = None
    carrier: str | None = None
    tracking_url: str | None = None
    shipped_at: datetime


class OrderDelivered(SalesEvent):
    """The customer has the parcel; the order's life is over."""

    event_type = "order.delivered"
    domain_name = "OrderDelivered"
    heard_by = frozenset({"notification"})

    order_id: UUID
    customer_id: str
    delivered_at: datetime
    delivery_location: str | None = None
