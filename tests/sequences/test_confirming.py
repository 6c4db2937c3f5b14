"""The money of an order is taken: by itself, or when an admin says so."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from sales.settings import PaymentSettings

from .cast import Answer, Cast
from .test_checkout import checks_out, puts_in, settled


async def order(cast: Cast, order_id: str) -> Answer:
    return await cast.customer.get("sales", f"/orders/{order_id}")


async def ordered(cast: Cast, card: str = "tok_ok") -> str:
    await puts_in(cast)
    return str((await checks_out(cast, card))["order_id"])


async def an_hour_passes(cast: Cast) -> None:
    async with cast.platform.services["sales"].database.begin() as session:
        due = "UPDATE payment_operations SET next_try_at = now() WHERE next_try_at IS NOT NULL"
        await session.execute(text(due))


async def confirms(cast: Cast, order_id: str) -> Answer:
    return await cast.admin.post("sales", f"/orders/{order_id}/confirmation")


class TestByItself:
    @pytest.fixture
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        return {"sales": {"payments": PaymentSettings(first_retry=timedelta(hours=1))}}

    @pytest.mark.sequence("SEQ-ORD-002")
    async def test_an_order_is_confirmed_once_its_money_is_taken(self, cast: Cast) -> None:
        order_id = await ordered(cast)

        await settled(cast, order_id)

        assert (await order(cast, order_id))["status"] == "CONFIRMED"

    @pytest.mark.sequence("SEQ-ORD-002", exception="CAPTURE_FAILED")
    @pytest.mark.sequence("SEQ-ORD-002")
    async def test_money_that_cannot_be_taken_is_tried_again_and_operations_are_told(self, cast: Cast) -> None:
        order_id = await ordered(cast, "tok_capture_fails_1")

        await cast.is_told("Payment not captured")
        await an_hour_passes(cast)

        await settled(cast, order_id)
        assert (await order(cast, order_id))["status"] == "CONFIRMED"


class TestByHand:
    @pytest.fixture
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        return {"sales": {"payments": PaymentSettings(capture="manual", first_retry=timedelta(hours=1))}}

    @pytest.mark.sequence("SEQ-ORD-002", exception="BY_HAND")
    async def test_an_admin_confirms_and_the_money_is_taken(self, cast: Cast) -> None:
        order_id = await ordered(cast)
        before = await order(cast, order_id)

        confirmed = await confirms(cast, order_id)

        assert before["status"] == "PENDING"
        assert (confirmed.status, confirmed["status"]) == (200, "CONFIRMED")
        await settled(cast, order_id)

    @pytest.mark.sequence("SEQ-ORD-002", exception="CAPTURE_FAILED_BY_HAND")
    async def test_an_admin_hears_that_the_money_could_not_be_taken_yet(self, cast: Cast) -> None:
        order_id = await ordered(cast, "tok_capture_fails_1")

        refused = await confirms(cast, order_id)

        assert (refused.status, refused.code) == (503, "SERVICE_UNAVAILABLE")
        await cast.is_told("Payment not captured")
        await an_hour_passes(cast)
        await settled(cast, order_id)

    @pytest.mark.sequence("SEQ-ORD-002", exception="INVALID_STATUS_TRANSITION")
    async def test_what_is_confirmed_cannot_be_confirmed_again(self, cast: Cast) -> None:
        order_id = await ordered(cast)
        await confirms(cast, order_id)
        await settled(cast, order_id)

        again = await confirms(cast, order_id)

        assert (again.status, again.code) == (409, "INVALID_STATUS_TRANSITION")
