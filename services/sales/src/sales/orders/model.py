"""The life of an order. Rules only: no I/O, no clock, no framework."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from chassis.errors import Conflict, Invalid
from contracts.sales.addresses import ShippingAddress
from contracts.sales.orders import OrderStatus
from contracts.text import MAX_MINOR_UNITS

PENDING, PENDING_SHIPMENT, CONFIRMED, SHIPPED, DELIVERED, CANCELLED = (
    OrderStatus.PENDING,
    OrderStatus.PENDING_SHIPMENT,
    OrderStatus.CONFIRMED,
    OrderStatus.SHIPPED,
    OrderStatus.DELIVERED,
    OrderStatus.CANCELLED,
)

NEXT: dict[OrderStatus, set[OrderStatus]] = {
    PENDING: {CONFIRMED, CANCELLED},
    CONFIRMED: {SHIPPED, CANCELLED},
    PENDING_SHIPMENT: {SHIPPED, CANCELLED},
    SHIPPED: {DELIVERED},
    DELIVERED: set(),
    CANCELLED: set(),
}


class InvalidStatusTransition(Conflict):
    code = "INVALID_STATUS_TRANSITION"

    def __init__(self, current: OrderStatus, wanted: OrderStatus) -> None:
        super().__init__(f"An order that is {current} cannot become {wanted}.")


class CancellationNotAllowed(Conflict):
    code = "CANCELLATION_NOT_ALLOWED"

    def __init__(self) -> None:
        super().__init__("The order is on its way or has arrived; it cannot be cancelled any more.")


class OrderTooLarge(Invalid):
    """The sum is beyond what we can book; no order was made."""

    def __init__(self) -> None:
        super().__init__(
            "The order's total is more than one order can have.", [{"field": "items", "message": "Order less."}]
        )


class MixedCurrencies(Invalid):
    """There is no sum of what is priced in different currencies; no order was made."""

    def __init__(self) -> None:
        message = "The items are priced in different currencies; order them apart."
        super().__init__(message, [{"field": "items", "message": message}])


class TooEarly(Exception):
    """A report that skips a step: its predecessor is still on its way."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who or which event wants a change, and when it was asked for."""

    actor: str
    now: datetime
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A line of the timeline: what became of the order, or what was refused."""

    at: datetime
    kind: Literal["changed", "refused"]
    from_status: OrderStatus | None
    to_status: OrderStatus
    actor: str
    event_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OrderLine:
    product_id: str
    variant_id: UUID | None
    name: str
    quantity: int
    unit_price: int

    @property
    def subtotal(self) -> int:
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class Tracking:
    """Under what the parcel, or the first of several, is on its way."""

    number: str | None
    carrier: str | None
    url: str | None


@dataclass(slots=True)
class Order:
    id: UUID
    customer_id: str
    status: OrderStatus
    reservation_id: UUID
    lines: Sequence[OrderLine]
    subtotal: int
    shipping_cost: int
    currency: str
    shipping_address: ShippingAddress
    created_at: datetime
    updated_at: datetime
    note: str | None = None
    tracking_number: str | None = None
    carrier: str | None = None
    tracking_url: str | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_location: str | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    changes: list[Change] = field(default_factory=list)
    """What this piece of work has added to the timeline."""

    @property
    def total(self) -> int:
        return self.subtotal + self.shipping_cost

    @property
    def allowed_actions(self) -> list[str]:
        """What its customer can do with it now."""
        return ["cancel"] if CANCELLED in NEXT[self.status] else []

    def check_total(self) -> None:
        if self.total > MAX_MINOR_UNITS:
            raise OrderTooLarge

    def confirm(self, origin: Origin) -> None:
        self._become(CONFIRMED, origin)

    def ship(self, origin: Origin, by: Tracking, at: datetime) -> None:
        self._become(SHIPPED, origin)
        self.tracking_number, self.carrier, self.tracking_url = by.number, by.carrier, by.url
        self.shipped_at = at

    def deliver(self, origin: Origin, *, at: datetime, location: str | None) -> None:
        self._become(DELIVERED, origin)
        self.delivered_at, self.delivery_location = at, location

    def check_cancellable(self) -> None:
        if CANCELLED not in NEXT[self.status]:
            raise CancellationNotAllowed

    def cancel(self, origin: Origin, reason: str | None) -> None:
        self._become(CANCELLED, origin, reason)
        self.cancelled_at, self.cancel_reason = origin.now, reason

    def hears_of(self, reported: OrderStatus, origin: Origin) -> bool:
        """Whether a report is news: a repetition is not, and an older or impossible one is recorded as refused."""
        if reported == self.status:
            return False
        if reported in NEXT[self.status]:
            return True
        if reported in _reachable(self.status):
            raise TooEarly(f"The order is {self.status}; what comes before {reported} has not been heard of yet.")
        is_old = self.status in _reachable(reported)
        self.refuse(reported, origin, f"The order is {self.status} already." if is_old else None)
        return False

    def refuse(self, wanted: OrderStatus, origin: Origin, reason: str | None = None) -> None:
        """Leaves it as it is, and says so in the timeline."""
        why = reason or str(InvalidStatusTransition(self.status, wanted))
        self.changes.append(Change(origin.now, "refused", self.status, wanted, origin.actor, origin.event_id, why))

    def _become(self, status: OrderStatus, origin: Origin, reason: str | None = None) -> None:
        if status not in NEXT[self.status]:
            raise InvalidStatusTransition(self.status, status)
        self.changes.append(Change(origin.now, "changed", self.status, status, origin.actor, origin.event_id, reason))
        self.status, self.updated_at = status, origin.now


def _reachable(status: OrderStatus) -> set[OrderStatus]:
    found: set[OrderStatus] = set()
    waiting = [status]
    while waiting:
        new = NEXT[waiting.pop()] - found
        found |= new
        waiting += new
    return found
