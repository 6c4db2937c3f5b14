"""The staff dispatches a parcel, or may not."""

import pytest
from sqlalchemy import text

from tests.harness.ports import free_ports

from .cast import ADDRESS, Cast
from .parcels import dispatches, parcel, places_order, status


async def on_hand(cast: Cast) -> int:
    stock = await cast.staff.get("product", "/products/product_456/stock")
    return int(stock["lines"][0]["on_hand"])


@pytest.mark.sequence("SEQ-ORD-003")
async def test_a_dispatched_order_is_shipped_and_its_customer_told(cast: Cast) -> None:
    order_id = await places_order(cast)

    shipped = await dispatches(cast, order_id)
    await cast.is_told(f"On its way: your order {order_id}")

    order = await cast.customer.get("sales", f"/orders/{order_id}")
    assert (shipped.status, shipped["status"], order["status"]) == (200, "SHIPPED", "SHIPPED")
    assert order["tracking_number"] == shipped["tracking_number"]
    assert await on_hand(cast) == 148


@pytest.mark.sequence("SEQ-ORD-003", exception="INVALID_STATUS_TRANSITION")
async def test_an_order_that_is_not_paid_for_does_not_leave(cast: Cast) -> None:
    await cast.customer.post("sales", "/cart/items", {"product_id": "product_456", "quantity": 2})
    unpaid = await cast.customer.post(
        "sales", "/checkout", {"card_token": "tok_capture_fails", "shipping_address": ADDRESS}
    )

    refused = await dispatches(cast, unpaid["order_id"])

    assert (refused.status, refused.code) == (409, "INVALID_STATUS_TRANSITION")
    assert await status(cast, unpaid["order_id"]) == "PENDING"


@pytest.mark.sequence("SEQ-ORD-003", exception="RESERVATION_RELEASED")
async def test_a_parcel_whose_stock_was_given_back_does_not_leave(cast: Cast) -> None:
    order_id = await places_order(cast)
    async with cast.platform.services["sales"].database.begin() as session:
        held = await session.scalar(text("SELECT reservation_id FROM orders WHERE id = :id"), {"id": order_id})
    released = await cast.sales_at_product.post("product", "/reservations/releases", {"reservation_ids": [str(held)]})

    refused = await dispatches(cast, order_id)

    assert released["reservations"][0]["state"] == "RELEASED"
    assert (refused.status, refused.code) == (409, "RESERVATION_RELEASED")
    assert (await parcel(cast, order_id))["status"] == "STOPPED"
    assert await status(cast, order_id) == "PENDING_SHIPMENT"
    assert await on_hand(cast) == 150


NOWHERE = f"http://127.0.0.1:{free_ports(1)[0]}"


@pytest.mark.parametrize("settings", [{"delivery": {"product_url": NOWHERE}}], ids=["alone"])
@pytest.mark.sequence("SEQ-ORD-003", exception="SERVICE_UNAVAILABLE")
async def test_while_product_is_away_no_parcel_leaves(cast: Cast) -> None:
    order_id = await places_order(cast)

    refused = await dispatches(cast, order_id)

    assert (refused.status, refused.code) == (503, "SERVICE_UNAVAILABLE")
    assert (await parcel(cast, order_id))["status"] == "READY"
    assert await status(cast, order_id) == "PENDING_SHIPMENT"
    assert await on_hand(cast) == 150
