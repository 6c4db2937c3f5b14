"""A customer thinks better of it before the parcel leaves."""

from tests.harness.platform import until

from .people import Customer, Staff, ids


async def test_a_cancelled_order_gives_its_stock_back_and_its_parcel_never_leaves(
    customer: Customer, staff: Staff
) -> None:
    before = await customer.available("product_456")
    [order_id] = ids([await customer.order({"product_456": 2})])
    shipment = await staff.shipment(order_id)

    cancelled = await customer.cancel(order_id, "Ordered twice.")
    again = await customer.cancel(order_id, "Ordered twice.")

    assert (cancelled.status, cancelled.body["status"]) == (200, "CANCELLED")
    assert (again.status, again.body) == (200, cancelled.body)
    assert await customer.available("product_456") == before

    async def stopped() -> bool:
        return bool((await staff.shipment(order_id))["status"] == "STOPPED")

    await until(stopped, 60)
    dispatched = await staff.dispatch(shipment["shipment_id"], "FedEx", "TRK-TOO-LATE")
    assert (dispatched.status, dispatched.code) == (409, "INVALID_STATUS_TRANSITION")


async def test_what_is_on_its_way_cannot_be_cancelled(customer: Customer, staff: Staff) -> None:
    [order_id] = ids([await customer.order({"product_456": 1})])
    shipment = await staff.shipment(order_id)
    dispatched = await staff.dispatch(shipment["shipment_id"], "FedEx", f"TRK-{order_id[-12:]}")

    refused = await customer.cancel(order_id)

    assert dispatched.status == 200
    assert (refused.status, refused.code) == (409, "CANCELLATION_NOT_ALLOWED")
    await customer.sees("SHIPPED", [order_id])
