"""The life of a shipment, without anything around it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chassis.ids import uuid7
from contracts.delivery import ShipmentStatus
from contracts.sales.orders import OrderStatus
from delivery.shipments.model import NEXT, BeingDispatched, ImplausibleDelivery, InvalidStatusTransition, Shipment
from delivery.shipments.tracking import new_tracking_number

NOW = datetime(2026, 1, 17, 16, 45, tzinfo=UTC)
SOON = NOW + timedelta(seconds=20)

VERBS: dict[ShipmentStatus, Callable[[Shipment], None]] = {
    ShipmentStatus.READY: lambda shipment: shipment.release(),
    ShipmentStatus.SHIPPED: lambda shipment: shipment.ship(NOW),
    ShipmentStatus.DELIVERED: lambda shipment: shipment.deliver(NOW, None, now=NOW),
    ShipmentStatus.STOPPED: lambda shipment: shipment.stop("lost"),
}


def a_shipment(status: ShipmentStatus = ShipmentStatus.READY) -> Shipment:
    return Shipment(
        id=uuid7(),
        order_id=uuid7(),
        reservation_id=uuid7(),
        status=status,
        order_status=OrderStatus.PENDING_SHIPMENT,
        items=[],
        shipping_address={},
        created_at=NOW,
        traceparent="",
    )


@pytest.mark.parametrize("current", ShipmentStatus)
@pytest.mark.parametrize("wanted", VERBS)
def test_only_what_the_table_allows_can_happen(current: ShipmentStatus, wanted: ShipmentStatus) -> None:
    shipment = a_shipment(current)

    if wanted in NEXT[current]:
        VERBS[wanted](shipment)
        assert shipment.status == wanted
    else:
        with pytest.raises(InvalidStatusTransition, match=f"{current} cannot become {wanted}"):
            VERBS[wanted](shipment)
        assert shipment.status == current


def test_every_status_has_its_place_in_the_table_and_nothing_that_was_ready_becomes_so_again() -> None:
    assert set(NEXT) == set(ShipmentStatus)
    assert [status for status, after in NEXT.items() if ShipmentStatus.READY in after] == [ShipmentStatus.ON_HOLD]
    assert not any(ShipmentStatus.ON_HOLD in after for after in NEXT.values())


def test_what_the_staff_can_do_follows_from_the_table() -> None:
    assert {status: a_shipment(status).allowed_actions for status in ShipmentStatus} == {
        "ON_HOLD": [],
        "READY": ["dispatch"],
        "SHIPPED": ["confirm_delivery"],
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


def test_made_up_tracking_numbers_differ() -> None:
    assert len({new_tracking_number() for _ in range(10_000)}) == 10_000
