"""What others see of shipments: each is one parcel, with its own tracking; together they make the order's status."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from contracts.envelope import Event
from contracts.sales.addresses import ShippingAddress
from contracts.sales.orders import OrderStatus
from contracts.text import Body, Line, Note, ProductId, Quantity, ShortLine, View

TrackingNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{4,40}$")]
ImageReference = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,500}$")]
"""A URL, or the name that an image has where it is kept. Nothing of ours ever opens it."""
TrackingUrl = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,500}$")]
Carrier = ShortLine


class ShipmentStatus(StrEnum):
    ON_HOLD = "ON_HOLD"
    """The order is not paid for yet."""
    READY = "READY"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    STOPPED = "STOPPED"
    LOST = "LOST"
    """The carrier cannot find it. It may still turn up."""
    RETURNED = "RETURNED"
    """The carrier has brought it back to us; it may be sent again."""


class Dispatch(Body):
    """Without a carrier the house's own is used; without a tracking number the carrier gives one, if it can."""

    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None


class ProofOfDelivery(Body):
    """What shows that it arrived: what the driver wrote down, or where a picture of it lies."""

    note: Note | None = None
    image: ImageReference | None = None


class ConfirmDelivery(Body):
    delivered_at: AwareDatetime | None = None
    delivery_location: Line | None = None
    proof: ProofOfDelivery | None = None


class ReportTrouble(Body):
    """Of a parcel that was lost or has come back."""

    reason: Line


class PackedItem(Body):
    product_id: ProductId
    variant_id: UUID | None = None
    quantity: Quantity


class SplitShipment(Body):
    """What goes into a parcel of its own; the rest stays in this one."""

    items: Annotated[list[PackedItem], Field(min_length=1, max_length=50)]


class ShipmentItem(View):
    product_id: str
    variant_id: UUID | None = None
    quantity: int


class ShipmentView(View):
    shipment_id: UUID
    order_id: UUID
    number: int
    """Which of its order's parcels it is, from 1."""
    status: ShipmentStatus
    items: list[ShipmentItem]
    shipping_address: ShippingAddress
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    created_at: datetime
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_location: str | None = None
    proof: ProofOfDelivery | None = None
    stop_reason: str | None = None
    allowed_actions: list[str]


class ShipmentEntry(View):
    """One change of a parcel, or what a carrier has said of it: with or without effect, or refused."""

    at: datetime
    kind: Literal["changed", "reported", "refused"]
    actor: str
    action: str | None = None
    """Of a change: "shipment.dispatched", "shipment.split"."""
    from_status: ShipmentStatus | None = None
    to_status: ShipmentStatus | None = None
    """What it became, or what the carrier says that it is."""
    happened_at: datetime | None = None
    """By the carrier's clock."""
    reason: str | None = None
    code: str | None = None
    """Why it was refused."""
    report_id: UUID | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class ShipmentTimeline(View):
    shipment_id: UUID
    entries: list[ShipmentEntry]


class DeliveryEvent(Event):
    source = "delivery-service"


class OrderStatusUpdated(DeliveryEvent):
    """The first parcel is with the carrier (SHIPPED), or the customer has the last one (DELIVERED).

    Sales may not have heard of it yet. The tracking is that of the parcel that made it so.
    """

    event_type = "order.status_updated"
    domain_name = "OrderStatusUpdated"
    heard_by = frozenset({"sales"})

    order_id: UUID
    previous_status: OrderStatus
    current_status: OrderStatus
    tracking_number: TrackingNumber | None = None
    carrier: Carrier | None = None
    tracking_url: TrackingUrl | None = None
    shipped_at: AwareDatetime | None = None
    delivered_at: AwareDatetime | None = None
    delivery_location: Line | None = None


class ShipmentUpdated(DeliveryEvent):
    """A parcel stands as this says, where the order's own status does not tell it: one of several, lost, or come back.

    Each tells the parcel whole; of two, the higher `version` is the later one.
    """

    event_type = "shipment.updated"
    domain_name = "ShipmentUpdated"
    heard_by = frozenset({"sales", "notification"})

    shipment_id: UUID
    order_id: UUID
    number: int
    version: int
    status: ShipmentStatus
    items: list[ShipmentItem]
    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None
    tracking_url: TrackingUrl | None = None
    shipped_at: AwareDatetime | None = None
    delivered_at: AwareDatetime | None = None
    delivery_location: Line | None = None
    is_first_to_leave: bool = False
    """Told because it has left, and none of the order's parcels had before: the order is SHIPPED by this one."""
