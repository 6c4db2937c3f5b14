"""What others see of Delivery: shipments, and the status events that they send back to Sales."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, StringConstraints

from .envelope import Event
from .sales.addresses import ShippingAddress
from .sales.orders import OrderStatus
from .text import Body, Line, ShortLine, View

TrackingNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{4,40}$")]
Carrier = ShortLine


class ShipmentStatus(StrEnum):
    ON_HOLD = "ON_HOLD"
    """The order is not paid for yet."""
    READY = "READY"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    STOPPED = "STOPPED"


class Dispatch(Body):
    """Without a tracking number one is made up; without a carrier the house's own is used."""

    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None


class ConfirmDelivery(Body):
    delivered_at: AwareDatetime | None = None
    delivery_location: Line | None = None


class ShipmentItem(View):
    product_id: str
    variant_id: UUID | None = None
    quantity: int


class ShipmentView(View):
    shipment_id: UUID
    order_id: UUID
    status: ShipmentStatus
    items: list[ShipmentItem]
    shipping_address: ShippingAddress
    carrier: str | None = None
    tracking_number: str | None = None
    created_at: datetime
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_location: str | None = None
    stop_reason: str | None = None
    allowed_actions: list[str]


class OrderStatusUpdated(Event):
    """The parcel is with the carrier (SHIPPED) or the customer (DELIVERED). Sales may not have heard of it yet."""

    event_type = "order.status_updated"
    source = "delivery-service"
    domain_name = "OrderStatusUpdated"
    heard_by = frozenset({"sales"})

    order_id: UUID
    previous_status: OrderStatus
    current_status: OrderStatus
    tracking_number: TrackingNumber | None = None
    carrier: Carrier | None = None
    shipped_at: AwareDatetime | None = None
    delivered_at: AwareDatetime | None = None
    delivery_location: Line | None = None
