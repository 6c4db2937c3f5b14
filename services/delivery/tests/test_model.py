"""The life of a shipment, without anything around it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chassis.ids import uuid7
from contracts.delivery.shipments import PackedItem, ShipmentStatus
from contracts.sales.orders import OrderStatus
from delivery.shipments.model import NEXT, BeingDispatched, ImplausibleDelivery, InvalidStatusTransition, Shipment

NOW = datetime(2026, 1, 17, 16, 45, tzinfo=UTC)
SOON = NOW + timedelta(seconds=20)

VERBS: dict[str, tuple[ShipmentStatus, Callable[[Shipment], object]]] = {
    "release": (ShipmentStatus.READY, lambda shipment: shipment.release()),
    "ship": (ShipmentStatus.SHIPPED, lambda shipment: shipment.ship(NOW)),
    "deliver": (ShipmentStatus.DELIVERED, lambda shipment: shipment.deliver(NOW, None, now=NOW)),
    "lose": (ShipmentStatus.LOST, lambda shipment: shipment.lose()),
    "come back": (ShipmentStatus.RETURNED, lambda shipment: shipment.come_back()),
    "send again": (ShipmentStatus.READY, lambda shipment: shipment.send_again()),
    "stop": (ShipmentStatus.STOPPED, lambda shipment: shipment.stop("lost")),
}
# Two ways to be ready: each has its own beginning.
BEGINNINGS = {"release": {ShipmentStatus.ON_HOLD}, "send again": {ShipmentStatus.RETURNED}}


def a_shipment(status: ShipmentStatus = ShipmentStatus.READY) -> Shipment:
    return Shipment(
        id=uuid7(),
        order_id=uuid7(),
        reservation_id=uuid7(),
        status=status,
        order_status=OrderStatus.PENDING_SHIPMENT,
        items=[{"product_id": "product_456", "quantity": 2}],
        shipping_address={},
        created_at=NOW,
        traceparent="",
    )


@pytest.mark.parametrize("current", ShipmentStatus)
@pytest.mark.parametrize("verb", VERBS)
def test_only_what_the_table_allows_can_happen(current: ShipmentStatus, verb: str) -> None:
    shipment = a_shipment(current)
    wanted, does = VERBS[verb]

    if wanted in NEXT[current] and current in BEGINNINGS.get(verb, {current}):
        does(shipment)
        assert shipment.status == wanted
    else:
        with pytest.raises(InvalidStatusTransition, match=f"that is {current} cannot be"):
            does(shipment)
        assert shipment.status == current


def test_the_table_is_the_one_that_was_agreed() -> None:
    assert {str(current): sorted(map(str, wanted)) for current, wanted in NEXT.items()} == {
        "ON_HOLD": ["READY", "STOPPED"],
        "READY": ["SHIPPED", "STOPPED"],
        "SHIPPED": ["DELIVERED", "LOST", "RETURNED"],
        "LOST": ["DELIVERED", "RETURNED"],
        "RETURNED": ["READY"],
        "DELIVERED": [],
        "STOPPED": [],
    }
    assert {wanted for wanted, _ in VERBS.values()} == set(ShipmentStatus) - {ShipmentStatus.ON_HOLD}


def test_what_the_staff_can_do_follows_from_the_table() -> None:
    assert {status: a_shipment(status).allowed_actions for status in ShipmentStatus} == {
        "ON_HOLD": ["split"],
        "READY": ["dispatch", "split"],
        "SHIPPED": ["confirm_delivery", "report_loss", "report_return"],
        "LOST": ["confirm_delivery", "report_return"],
        "RETURNED": ["send_again"],
        "DELIVERED": [],
        "STOPPED": [],
    }


@pytest.mark.parametrize("status", set(ShipmentStatus) - {ShipmentStatus.READY})
def test_only_what_is_ready_can_be_claimed(status: ShipmentStatus) -> None:
    with pytest.raises(InvalidStatusTransition):
        a_shipment(status).claim("FedEx", "TRK1", by="clerk", now=NOW, until=SOON)


def test_a_claim_holds_until_its_lease_ends() -> None:
    shipment = a_shipment()
    shipment.claim("FedEx", "TRK1", by="first", now=NOW, until=SOON)

    with pytest.raises(BeingDispatched):
        shipment.claim("UPS", "TRK2", by="second", now=SOON - timedelta(microseconds=1), until=SOON)
    shipment.claim("UPS", "TRK2", by="second", now=SOON, until=SOON + timedelta(seconds=20))

    assert (shipment.carrier, shipment.tracking_number, shipment.dispatched_by) == ("UPS", "TRK2", "second")


@pytest.mark.parametrize(
    ("at", "plausible"),
    [
        (NOW - timedelta(hours=1), True),
        (NOW - timedelta(hours=1, seconds=59), True),  # clocks differ, and some count whole seconds only
        (NOW - timedelta(hours=1, seconds=61), False),
        (NOW + timedelta(seconds=59), True),
        (NOW + timedelta(seconds=61), False),
    ],
)
def test_a_parcel_is_delivered_after_it_was_shipped_and_not_in_the_future(at: datetime, plausible: bool) -> None:
    shipment = a_shipment()
    shipment.ship(NOW - timedelta(hours=1))

    if plausible:
        shipment.deliver(at, "Front door", now=NOW)
        assert shipment.delivered_at == at
    else:
        with pytest.raises(ImplausibleDelivery):
            shipment.deliver(at, "Front door", now=NOW)


def test_what_is_split_off_begins_anew() -> None:
    """Also from a parcel that has once left, and came back."""
    shipment = a_shipment()
    shipment.version, shipment.shipped_at = 4, NOW - timedelta(days=9)
    new_id = uuid7()

    new = shipment.split([PackedItem(product_id="product_456", quantity=1)], new_id, NOW)

    assert (new.id, new.number, new.parcels, new.version) == (new_id, 2, 2, 1)
    assert (new.created_at, new.shipped_at) == (NOW, None)
    assert (shipment.number, shipment.parcels, shipment.shipped_at) == (1, 2, NOW - timedelta(days=9))
    assert list(new.items) == list(shipment.items) == [{"product_id": "product_456", "quantity": 1}]
