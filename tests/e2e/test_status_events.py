"""Word of a parcel that comes twice, late or in the wrong order: from its carrier, and over the broker."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.harness.platform import until

from .people import Carrier, Customer, Staff, ids
from .stack import Stack


async def test_a_carrier_that_reports_again_and_again_delivers_once(
    customer: Customer, staff: Staff, carrier: Carrier
) -> None:
    [order_id] = ids([await customer.order({"stoneware-mug": 1})])
    shipment = await staff.shipment(order_id)
    tracking_number = f"TRK{uuid.uuid4().hex[:12]}"
    await staff.dispatch(shipment["shipment_id"], "FedEx", tracking_number)
    report = {"type": "parcel.delivered", "data": {"tracking_number": tracking_number}}

    answers = [await carrier.reports("FedEx", report, webhook_id="1" + tracking_number) for _ in range(3)]
    await customer.sees("DELIVERED", [order_id])
    later = await carrier.reports("FedEx", report, webhook_id="2" + tracking_number)

    assert [answer.body["result"] for answer in answers] == ["accepted", "repeated", "repeated"]
    assert later.status < 500
    timeline = [(entry["kind"], entry["to_status"]) for entry in await customer.timeline(order_id)]
    assert timeline == [("changed", "PENDING_SHIPMENT"), ("changed", "SHIPPED"), ("changed", "DELIVERED")]


@pytest.mark.rule("BR-ORD-006")
async def test_duplicate_late_and_reordered_status_events_end_in_the_right_status(
    stack: Stack, customer: Customer
) -> None:
    [order_id] = ids([await customer.order({"stoneware-mug": 1})])
    shipped = _event(order_id, "PENDING_SHIPMENT", "SHIPPED", tracking_number="TRK123456789", carrier="FedEx")
    delivered = _event(order_id, "SHIPPED", "DELIVERED", delivered_at="2026-01-17T16:45:00Z", delivery_location="Door")
    late = _event(order_id, "PENDING_SHIPMENT", "SHIPPED", tracking_number="TRK999999999", carrier="Other")

    await stack.tell(delivered, delivered, shipped, shipped)
    await customer.sees("DELIVERED", [order_id])
    await stack.tell(late)
    await until(lambda: _has_refused(customer, order_id), 60)

    [order] = await customer.orders()
    assert (order["tracking_number"], order["delivery_location"]) == ("TRK123456789", "Door")
    timeline = await customer.timeline(order_id)
    assert [(entry["kind"], entry["to_status"], entry["event_id"]) for entry in timeline] == [
        ("changed", "PENDING_SHIPMENT", None),
        ("changed", "SHIPPED", shipped["event_id"]),
        ("changed", "DELIVERED", delivered["event_id"]),
        ("refused", "SHIPPED", late["event_id"]),
    ]
    assert "DELIVERED" in timeline[-1]["reason"]


def _event(order_id: str, previous: str, current: str, **data: str) -> dict[str, Any]:
    return {
        "event_id": f"evt_{uuid.uuid4().hex}",
        "event_type": "order.status_updated",
        "timestamp": datetime.now(UTC).isoformat(),
        "source": "delivery-service",
        "data": {"order_id": order_id, "previous_status": previous, "current_status": current, **data},
    }


async def _has_refused(customer: Customer, order_id: str) -> bool:
    return any(entry["kind"] == "refused" for entry in await customer.timeline(order_id))
