"""The life of a shipment, which is one parcel of an order. Rules only: no I/O, no clock, no framework."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from chassis.errors import Conflict, Invalid
from contracts.delivery.shipments import PackedItem, ShipmentStatus
from contracts.sales.orders import OrderStatus

from .contents import Lines, pieces, take_out

ON_HOLD, READY, SHIPPED, DELIVERED, STOPPED, LOST, RETURNED = (
    ShipmentStatus.ON_HOLD,
    ShipmentStatus.READY,
    ShipmentStatus.SHIPPED,
    ShipmentStatus.DELIVERED,
    ShipmentStatus.STOPPED,
    ShipmentStatus.LOST,
    ShipmentStatus.RETURNED,
)

NEXT: Final[Mapping[ShipmentStatus, set[ShipmentStatus]]] = {
    ON_HOLD: {READY, STOPPED},
    READY: {SHIPPED, STOPPED},
    SHIPPED: {DELIVERED, LOST, RETURNED},
    LOST: {DELIVERED, RETURNED},
    RETURNED: {READY},
    DELIVERED: set(),
    STOPPED: set(),
}
ACTIONS: Final = {
    SHIPPED: "dispatch",
    DELIVERED: "confirm_delivery",
    LOST: "report_loss",
    RETURNED: "report_return",
}
"""What the staff can do to bring a shipment there; a stop, or the end of a hold, is not theirs to decide."""

MOST_PARCELS: Final = 20
"""Of one order."""
CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far the clocks of carriers and clerks may be from ours."""


class InvalidStatusTransition(Conflict):
    code = "INVALID_STATUS_TRANSITION"

    def __init__(self, current: ShipmentStatus, wanted: ShipmentStatus) -> None:
        super().__init__(f"A shipment that is {current} cannot become {wanted}.")


class NotToBeSplit(InvalidStatusTransition):
    def __init__(self, current: ShipmentStatus) -> None:
        Conflict.__init__(self, f"A shipment that is {current} cannot be split.")


class NotComeBack(InvalidStatusTransition):
    def __init__(self, current: ShipmentStatus) -> None:
        Conflict.__init__(self, f"A shipment that is {current} cannot be sent again.")


class BeingDispatched(InvalidStatusTransition):
    def __init__(self) -> None:
        Conflict.__init__(self, "The shipment is being dispatched at this moment.")


class TooManyParcels(Conflict):
    code = "TOO_MANY_PARCELS"

    def __init__(self) -> None:
        super().__init__(f"An order may be in {MOST_PARCELS} parcels, and this one is.")


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
    items: Lines
    shipping_address: Mapping[str, Any]
    created_at: datetime
    traceparent: str
    """The trace in which the order was placed: what happens to the parcel by itself belongs to it."""
    number: int = 1
    """Which of its order's parcels it is."""
    parcels: int = 1
    """How many of them there are."""
    version: int = 1
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    dispatching_until: datetime | None = None
    """Somebody is dispatching it, and has until then to finish. No two claims of one shipment end at the same time."""
    dispatched_by: str | None = None
    shipped_at: datetime | None = None
    """When it left, the last time: what has come back, and is to be sent again, keeps it."""
    delivered_at: datetime | None = None
    delivery_location: str | None = None
    proof: Mapping[str, Any] | None = None
    stop_reason: str | None = None

    @property
    def allowed_actions(self) -> list[str]:
        actions = [action for status, action in ACTIONS.items() if status in NEXT[self.status]]
        if self.status == RETURNED:
            actions.append("send_again")
        if self._waits and self.parcels < MOST_PARCELS and pieces(self.items) > 1:
            actions.append("split")
        return actions

    @property
    def is_told_of(self) -> bool:
        """The order's own status does not tell how it is, or has once failed to."""
        return self.parcels > 1 or self.version > 1 or self.status in (LOST, RETURNED)

    def release(self) -> None:
        """The order is paid for."""
        if self.status != ON_HOLD:
            raise InvalidStatusTransition(self.status, READY)
        self._become(READY)
        self.order_status = OrderStatus.CONFIRMED

    def split(self, wanted: Sequence[PackedItem], new_id: UUID, now: datetime) -> "Shipment":
        """The new parcel, with what is taken out of this one. The order's others have to be told how many there are."""
        if not self._waits:
            raise NotToBeSplit(self.status)
        # Also when its lease has ended: what was written down is finished with what was in it then.
        if self.dispatching_until is not None:
            raise BeingDispatched
        if self.parcels >= MOST_PARCELS:
            raise TooManyParcels
        taken, self.items = take_out(self.items, wanted)
        self.parcels += 1
        return replace(self, id=new_id, number=self.parcels, version=1, items=taken, created_at=now, shipped_at=None)

    def check_is_free(self, now: datetime) -> None:
        """It may be dispatched, and nobody is at it."""
        if SHIPPED not in NEXT[self.status]:
            raise InvalidStatusTransition(self.status, SHIPPED)
        if self.dispatching_until is not None and self.dispatching_until > now:
            raise BeingDispatched

    def claim(
        self, carrier: str, tracking_number: str, *, url: str | None = None, by: str, now: datetime, until: datetime
    ) -> None:
        """Writes down what is about to be done, so that it can be finished whatever happens to whoever does it."""
        self.check_is_free(now)
        self.carrier, self.tracking_number, self.tracking_url = carrier, tracking_number, url
        self.dispatched_by, self.dispatching_until = by, until

    def take_up(self, until: datetime) -> None:
        """Somebody else goes on with the dispatch that was written down."""
        self.dispatching_until = until

    def is_claimed_by(self, claim: "Shipment") -> bool:
        """Whether that claim still holds: its lease may have ended, and somebody else have taken over."""
        return self.status == READY and self.dispatching_until == claim.dispatching_until

    def give_back(self) -> None:
        self.carrier = self.tracking_number = self.tracking_url = None
        self.dispatched_by = self.dispatching_until = None

    def ship(self, at: datetime) -> None:
        self._become(SHIPPED)
        self.shipped_at, self.dispatching_until = at, None

    def deliver(
        self, at: datetime, location: str | None, proof: Mapping[str, Any] | None = None, *, now: datetime
    ) -> None:
        self._become(DELIVERED)
        if self.shipped_at is not None and at < self.shipped_at - CLOCKS_DIFFER:
            raise ImplausibleDelivery("This is before the parcel was shipped.")
        if at > now + CLOCKS_DIFFER:
            raise ImplausibleDelivery("This is in the future.")
        self.delivered_at, self.delivery_location, self.proof = at, location, proof

    def lose(self) -> None:
        self._become(LOST)

    def come_back(self) -> None:
        self._become(RETURNED)

    def send_again(self) -> None:
        """With a new label: what the carrier still says of the old one is of no parcel that is on its way."""
        if self.status != RETURNED:
            raise NotComeBack(self.status)
        self._become(READY)
        self.give_back()

    def stop(self, reason: str) -> None:
        self._become(STOPPED)
        self.give_back()
        self.stop_reason = reason

    @property
    def _waits(self) -> bool:
        return self.status in (ON_HOLD, READY)

    def _become(self, status: ShipmentStatus) -> None:
        if status not in NEXT[self.status]:
            raise InvalidStatusTransition(self.status, status)
        self.status = status


def has_left(parcels: Collection[Shipment]) -> bool:
    """Something of the order has: from then on the order is SHIPPED, whatever becomes of that parcel."""
    return any(parcel.shipped_at is not None for parcel in parcels)


def has_arrived(parcels: Collection[Shipment]) -> bool:
    """All of the order has."""
    return all(parcel.status == DELIVERED for parcel in parcels)
