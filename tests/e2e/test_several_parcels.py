"""One order in two parcels: each is followed by itself, and the customer sees and hears of both."""

from typing import Any
from uuid import uuid4

import pytest

from tests.harness.platform import LINK, until

from .mailbox import Mailbox
from .people import Carrier, Staff, Visitor


@pytest.mark.rule("BR-ORD-008")
async def test_an_order_in_two_parcels_is_shipped_with_the_first_and_delivered_with_the_last(
    grace: Visitor, mailbox: Mailbox, staff: Staff, carrier: Carrier
) -> None:
    first_number, second_number = (f"TRK-{uuid4().hex[:12]}" for _ in range(2))
    order_id = await grace.places({"product_456": 2, "stoneware-mug": 1})
    first = (await staff.shipment(order_id))["shipment_id"]

    split = await staff.splits(first, {"stoneware-mug": 1})
    second = split.body["shipment_id"]
    await staff.dispatch(first, "FedEx", first_number)
    await grace.sees(order_id, "SHIPPED")
    half = await _tracking(grace, order_id, ["SHIPPED", "PREPARING"])
    cancelled = await grace.ask("POST", "sales", f"/orders/{order_id}/cancellation", json={"reason": "Too slow."})
    await staff.dispatch(second, "FedEx", second_number)
    both = await _tracking(grace, order_id, ["SHIPPED", "SHIPPED"])
    report = {"type": "parcel.delivered", "data": {"tracking_number": first_number, "delivery_location": "Porch"}}
    reported = await carrier.reports("FedEx", report, uuid4().hex)
    one_there = await _tracking(grace, order_id, ["DELIVERED", "SHIPPED"])
    confirmed = await staff.ask("POST", "delivery", f"/shipments/{second}/delivery")
    await grace.sees(order_id, "DELIVERED")
    all_there = await _tracking(grace, order_id, ["DELIVERED", "DELIVERED"])

    assert (split.status, reported.status, confirmed.status) == (201, 200, 200)
    assert (cancelled.status, cancelled.code) == (409, "CANCELLATION_NOT_ALLOWED")
    assert [_contents(parcel) for parcel in half["parcels"]] == [{"product_456": 2}, {"stoneware-mug": 1}]
    assert [parcel["tracking_number"] for parcel in both["parcels"]] == [first_number, second_number]
    assert [parcel["tracking_url"] for parcel in both["parcels"]] == [
        LINK.format(tracking_number=number) for number in (first_number, second_number)
    ]
    assert (one_there["status"], all_there["status"]) == ("SHIPPED", "DELIVERED")
    assert one_there["parcels"][0]["delivery_location"] == "Porch"
    await mailbox.gets(f"Delivered: your order {order_id}")
    assert mailbox.subjects(about=order_id) == [
        f"We have received your order {order_id}",
        f"On its way: your order {order_id}",
        f"Another parcel is on its way: order {order_id}",
        f"Delivered: your order {order_id}",
    ]
    assert first_number in await mailbox.gets(f"On its way: your order {order_id}")
    assert second_number in await mailbox.gets(f"Another parcel is on its way: order {order_id}")


@pytest.mark.rule("BR-PARC-004")
async def test_a_lost_parcel_keeps_the_order_on_its_way_and_operations_are_told(
    grace: Visitor, staff: Staff, operations: Mailbox
) -> None:
    order_id = await grace.places({"product_456": 1})
    parcel = (await staff.shipment(order_id))["shipment_id"]
    await staff.dispatch(parcel, "FedEx", f"TRK-{uuid4().hex[:12]}")
    await grace.sees(order_id, "SHIPPED")

    lost = await staff.ask("POST", "delivery", f"/shipments/{parcel}/loss", json={"reason": "Not seen for 10 days."})
    await operations.gets(f"Parcel lost: order {order_id}")
    missing = await _tracking(grace, order_id, ["LOST"])
    found = await staff.ask("POST", "delivery", f"/shipments/{parcel}/delivery")
    await grace.sees(order_id, "DELIVERED")

    assert (lost.status, found.status) == (200, 200)
    assert missing["status"] == "SHIPPED"


@pytest.mark.rule("AC-PARC-001")
async def test_a_report_on_a_parcel_that_nobody_knows_is_told_to_operations(
    carrier: Carrier, staff: Staff, operations: Mailbox
) -> None:
    number = f"TRK-{uuid4().hex[:12]}"

    heard = await carrier.reports("FedEx", {"type": "parcel.delivered", "data": {"tracking_number": number}}, number)
    await operations.gets(f"Unknown tracking number: {number}")

    assert heard.status == 200
    [report] = (await staff.see("delivery", f"/carrier-reports?tracking_number={number}"))["items"]
    assert report["carrier"] == "FedEx"


async def _tracking(customer: Visitor, order_id: str, statuses: list[str]) -> Any:
    """As soon as Sales has heard that the parcels stand like this."""
    found: dict[str, Any] = {}

    async def stand() -> bool:
        found.update(await customer.see("sales", f"/orders/{order_id}/tracking"))
        return [parcel["status"] for parcel in found["parcels"]] == statuses

    await until(stand, within=60)
    return found


def _contents(parcel: Any) -> dict[str, int]:
    return {item["product_id"]: item["quantity"] for item in parcel["items"]}
