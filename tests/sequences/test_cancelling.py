"""An order is cancelled before it leaves."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from sales.settings import PaymentSettings

from .cast import Answer, Cast
from .test_checkout import LAMP, available, parcel_is, settled
from .test_confirming import order, ordered


async def cancels(cast: Cast, order_id: str) -> Answer:
    return await cast.customer.post("sales", f"/orders/{order_id}/cancellation", {"reason": "Found it cheaper."})


async def payment_is(cast: Cast, order_id: str, state: str) -> None:
    async def is_so() -> bool:
        [payment] = (await cast.admin.get("sales", f"/payments?order_id={order_id}"))["items"]
        return bool(payment["state"] == state)

    await cast.eventually(is_so)


@pytest.mark.sequence("SEQ-ORD-005")
async def test_a_cancelled_order_gives_stock_and_money_back(cast: Cast) -> None:
    order_id = await ordered(cast)
    await settled(cast, order_id)

    cancelled = await cancels(cast, order_id)

    assert (cancelled.status, cancelled["status"]) == (200, "CANCELLED")
    assert await available(cast) == 50
    await payment_is(cast, order_id, "REFUNDED")
    await parcel_is(cast, order_id, "STOPPED")
    await cast.is_told("Cancelled: your order")


@pytest.mark.sequence("SEQ-ORD-005", exception="NOT_PAID")
async def test_an_order_on_the_sellers_terms_has_no_money_to_give_back(cast: Cast) -> None:
    placed = await cast.customer.post("sales", "/orders", {"items": [{"product_id": LAMP, "quantity": 2}]})
    await parcel_is(cast, placed["order_id"], "READY")

    cancelled = await cancels(cast, placed["order_id"])

    assert (cancelled.status, cancelled["status"], await available(cast)) == (200, "CANCELLED", 50)
    await parcel_is(cast, placed["order_id"], "STOPPED")
    await cast.is_told("Cancelled: your order")


@pytest.mark.sequence("SEQ-ORD-005", exception="CANCELLATION_NOT_ALLOWED")
async def test_what_has_left_cannot_be_cancelled(cast: Cast) -> None:
    order_id = await ordered(cast)
    await settled(cast, order_id)
    [parcel] = (await cast.staff.get("delivery", f"/shipments?order_id={order_id}"))["items"]
    await cast.staff.post("delivery", f"/shipments/{parcel['shipment_id']}/dispatch")

    async def is_shipped() -> bool:
        return bool((await order(cast, order_id))["status"] == "SHIPPED")

    await cast.eventually(is_shipped)

    refused = await cancels(cast, order_id)

    assert (refused.status, refused.code) == (409, "CANCELLATION_NOT_ALLOWED")


class TestWhatTheGatewayRefuses:
    @pytest.fixture
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        soon = timedelta(milliseconds=50)
        return {"sales": {"payments": PaymentSettings(refund_tries=2, first_retry=soon)}}

    @pytest.mark.sequence("SEQ-ORD-005", exception="REFUND_FAILED")
    async def test_to_give_back_is_kept_for_people_and_the_customer_told(self, cast: Cast) -> None:
        order_id = await ordered(cast, "tok_refund_fails")
        await settled(cast, order_id)

        cancelled = await cancels(cast, order_id)

        assert (cancelled.status, cancelled["status"]) == (200, "CANCELLED")
        await cast.is_told("Cancelled: your order")
        await cast.is_told("takes longer than usual")
        await parcel_is(cast, order_id, "STOPPED")
        [refund] = (await cast.admin.get("sales", "/refunds?state=manual"))["items"]
        assert refund["payment_id"]
