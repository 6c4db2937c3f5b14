"""The life of a shipment. Rules only: no I/O, no clock, no framework."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from chassis.errors import Conflict, Invalid
from contracts.delivery import ShipmentStatus
from contracts.sales.orders import OrderStatus

ON_HOLD, READY, SHIPPED, DELIVERED, STOPPED = (
    ShipmentStatus.ON_HOLD,
    ShipmentStatus.READY,
    ShipmentStatus.SHIPPED,
    ShipmentStatus.DELIVERED,
    ShipmentStatus.STOPPED,
)

NEXT: Final[Mapping[ShipmentStatus, set[ShipmentStatus]]] = {
    ON_HOLD: {READY, STOPPED},
    READY: {SHIPPED, STOPPED},
    SHIPPED: {DELIVERED},
    DELIVERED: set(),
    STOPPED: set(),
}
ACTIONS: Final = {SHIPPED: "dispatch", DELIVERED: "confirm_delivery"}
"""What the staff can do to bring a shipment there; a stop, or the end of a hold, is not theirs to decide."""

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far the clocks of carriers and clerks may be from ours."""


class InvalidStatusTransition(Conflict):
    code = "INVALID_STATUS_TRANSITION"

    def __init__(self, current: ShipmentStatus, wanted: ShipmentStatus) -> None:
        super().__init__(f"A shipment that is {current} cannot become {wanted}.")


class BeingDispatched(InvalidStatusTransition):
    def __init__(self) -> None:
        Conflict.__init__(self, "The shipment is being dispatched at this moment.")


class ImplausibleDelivery(Invalid):
    def __init__(self, message: str) -> None:
        super().__init__(
            "The request is not valid. The details say why.", [{"field": "delivered_at", "message": message}]
        )


@dataclass(slots=True)
class Shipment:
    id: UUID
    order_id: UUID
    reservation_id: UUID
    status: ShipmentStatus
    order_status: OrderStatus
    """What the order was when we last heard of it."""
    items: Sequence[Mapping[str, Any]]
    shipping_address: Mapping[str, Any]
    created_at: datetime
    traceparent: str
    """The trace in which the order was placed: what happens to the parcel by itself belongs to it."""
    carrier: str | None = None
    tracking_number: str | None = None
    dispatching_until: datetime | None = None
    """Somebody is dispatching it, and has until then to finish. No two claims of one shipment end at the same time."""
    dispatched_by: str | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_location: str | None = None
    stop_reason: str | None = None

    @property
    def allowed_actions(self) -> list[str]:
        return [action for status, action in ACTIONS.items() if status in NEXT[self.status]]

    def release(self) -> None:
        """The order is paid for."""
        self._become(READY)
        self.order_status = OrderStatus.CONFIRMED

    def claim(self, carrier: str, tracking_number: str, *, by: str, now: datetime, until: datetime) -> None:
        """Writes down what is about to be done, so that it can be finished whatever happens to whoever does it."""
        if SHIPPED not in NEXT[self.status]:
            raise InvalidStatusTransition(self.status, SHIPPED)
        if self.dispatching_until is not None and self.dispatching_until > now:
            raise BeingDispatched
        self.carrier, self.tracking_number = carrier, tracking_number
        self.dispatched_by, self.dispatching_until = by, until

    def take_up(self, until: datetime) -> None:
        """Somebody else goes on with the dispatch that was written down."""
        self.dispatching_until = until

    def is_claimed_by(self, claim: "Shipment") -> bool:
        """Whether that claim still holds: its lease may have ended, and somebody else have taken over."""
        return self.status == READY and self.dispatching_until == claim.dispatching_until

    def give_back(self) -> None:
        self.carrier = self.tracking_number = self.dispatched_by = self.dispatching_until = None

    def ship(self, at: datetime) -> None:
        self._become(SHIPPED)
        self.shipped_at, self.dispatching_until = at, None

    def deliver(self, at: datetime, location: str | None, *, now: datetime) -> None:
        self._become(DELIVERED)
        if self.shipped_at is not None and at < self.shipped_at - CLOCKS_DIFFER:
            raise ImplausibleDelivery("This is before the parcel was shipped.")
        if at > now + CLOCKS_DIFFER:
            raise ImplausibleDelivery("This is in the future.")
        self.delivered_at, self.delivery_location = at, location

    def stop(self, reason: str) -> None:
        self._become(STOPPED)
        self.give_back()
        self.stop_reason = reason

    def _become(self, status: ShipmentStatus) -> None:
        if status not in NEXT[self.status]:
            raise InvalidStatusTransition(self.status, status)
        self.status = status
