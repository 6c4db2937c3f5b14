"""An order's whole way, as its customer, the warehouse and the carrier see it."""

from datetime import UTC, datetime
from uuid import uuid4

from .people import Carrier, Customer, Staff, ids


async def test_an_order_is_placed_shipped_and_delivered(customer: Customer, staff: Staff, carrier: Carrier) -> None:
    before = await customer.available("product_456")
    tracking_number = f"TRK{uuid4().hex[:12]}"
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    placed = await customer.order({"product_456": 2})
    [order_id] = ids([placed])
    shipment = await staff.shipment(order_id)
    dispatched = await staff.dispatch(shipment["shipment_id"], "FedEx", tracking_number)
    await customer.sees("SHIPPED", [order_id])
    parcel = {"tracking_number": tracking_number, "delivered_at": at, "delivery_location": "Front door"}
    reported = await carrier.reports("FedEx", {"type": "parcel.delivered", "data": parcel}, uuid4().hex)
    await customer.sees("DELIVERED", [order_id])

    assert (placed.status, dispatched.status, reported.status) == (201, 200, 200)
    assert placed.body["status"] == "PENDING_SHIPMENT"
    assert (placed.body["items"][0]["unit_price"], placed.body["total"]) == ("34.90", "69.80")
    [order] = await customer.orders()
    assert (order["carrier"], order["tracking_number"]) == ("FedEx", tracking_number)
    assert (order["delivery_location"], order["allowed_actions"]) == ("Front door", [])
    timeline = [(entry["kind"], entry["to_status"]) for entry in await customer.timeline(order_id)]
    assert timeline == [("changed", "PENDING_SHIPMENT"), ("changed", "SHIPPED"), ("changed", "DELIVERED")]
    assert await customer.available("product_456") == before - 2


async def test_the_demo_customer_needs_to_give_no_address(demo_customer: Customer) -> None:
    order = {"items": [{"product_id": "product_456", "quantity": 1}]}

    placed = await demo_customer.ask("POST", "sales", "/orders", json=order, headers={"Idempotency-Key": uuid4().hex})

    assert placed.status == 201
    assert placed.body["shipping_address"]["line1"] == "12 Analytical Row"


async def test_nobody_sees_the_orders_of_another(customer: Customer, demo_customer: Customer) -> None:
    [order_id] = ids([await customer.order({"product_456": 1})])

    asked = await demo_customer.ask("GET", "sales", f"/orders/{order_id}")

    assert (asked.status, asked.code) == (404, "NOT_FOUND")
