"""An order that is paid by card waits for its money, and is confirmed once that has come: by itself or by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.ids import uuid7
from chassis.signature import sign
from contracts.sales.orders import OrderStatus
from services.sales.tests.checkout import becomes, buyer_with, jobs_run, paid, payment_of, refused, seen
from services.sales.tests.factories import Sales, an_order, running
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.till import SECRET, Till, report

BY_HAND = {"capture": "manual", "webhook_secret": SECRET}


@pytest.fixture
async def sales(database_url: str, product: FakeProduct) -> AsyncIterator[Sales]:
    """Where nobody takes the money by himself."""
    async with running(database_url, product, payments=BY_HAND) as one:
        yield one


async def confirm(sales: Sales, order_id: object, *roles: Any) -> httpx.Response:
    async with sales.client("root", *(roles or ("admin",))) as client:
        return await client.post(f"/api/v1/orders/{order_id}/confirmation")


async def waiting(sales: Sales, card: str = "tok_ok") -> dict[str, Any]:
    await buyer_with(sales)
    return await paid(sales, card)


async def test_an_admin_takes_the_money_and_the_order_is_confirmed(sales: Sales) -> None:
    order = await waiting(sales)
    before = await seen(sales, order["order_id"])

    answer = await confirm(sales, order["order_id"])

    assert before["status"] == "PENDING"
    assert (answer.status_code, answer.json()["status"]) == (200, "CONFIRMED")
    assert (await payment_of(sales, order["order_id"]))["state"] == "CAPTURED"
    assert len(await sales.published("order.confirmed")) == 1


@pytest.mark.parametrize(("roles", "status"), [(("customer",), 403), (("warehouse",), 403)])
async def test_only_admins_do_so(sales: Sales, roles: Any, status: int) -> None:
    order = await waiting(sales)

    assert (await confirm(sales, order["order_id"], *roles)).status_code == status
    assert (await seen(sales, order["order_id"]))["status"] == "PENDING"


async def test_what_is_confirmed_cannot_be_confirmed_again(sales: Sales) -> None:
    order = await waiting(sales)
    await confirm(sales, order["order_id"])

    assert refused(await confirm(sales, order["order_id"])) == (409, "INVALID_STATUS_TRANSITION")
    assert len(await sales.published("order.confirmed")) == 1


@pytest.mark.parametrize("status", sorted(set(OrderStatus) - {OrderStatus.PENDING, OrderStatus.CANCELLED}))
async def test_only_what_waits_for_its_money_can_be_confirmed(sales: Sales, status: OrderStatus) -> None:
    order = an_order(status=status)
    await sales.write(order)

    assert refused(await confirm(sales, order.id)) == (409, "INVALID_STATUS_TRANSITION")
    assert refused(await confirm(sales, uuid7())) == (404, "NOT_FOUND")


async def test_two_admins_at_once_take_the_money_once(sales: Sales, till: Till) -> None:
    order = await waiting(sales)

    answers = await asyncio.gather(*(confirm(sales, order["order_id"]) for _ in range(5)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(await sales.published("order.confirmed")) == 1
    await till.quiet()
    await till.balances()


@pytest.mark.rule("BR-PAY-003")
async def test_money_that_does_not_come_leaves_it_pending_tells_the_admins_and_is_tried_again(
    sales: Sales, till: Till
) -> None:
    order = await waiting(sales, "tok_capture_fails_2")

    answer = await confirm(sales, order["order_id"])
    pending = await seen(sales, order["order_id"])
    told = await sales.published("payment.capture_failed")
    await becomes(sales, order["order_id"], "CONFIRMED")

    assert refused(answer) == (503, "SERVICE_UNAVAILABLE")
    assert pending["status"] == "PENDING"
    assert [event["data"]["order_id"] for event in told] == [order["order_id"]]
    assert len(await sales.published("payment.capture_failed")) == 1
    assert (await payment_of(sales, order["order_id"]))["state"] == "CAPTURED"


async def test_the_gateways_own_word_confirms_it_and_says_so_once(sales: Sales, till: Till) -> None:
    order = await waiting(sales)
    payment = await payment_of(sales, order["order_id"])
    told = report("capture.done", payment["id"], uuid7(), payment["amount"], payment["reference"])

    answers = [await webhook(sales, told, "evt_1") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await seen(sales, order["order_id"]))["status"] == "CONFIRMED"
    assert len(await sales.published("order.confirmed")) == 1


async def webhook(sales: Sales, told: dict[str, Any], event_id: str) -> httpx.Response:
    body = json.dumps(told).encode()
    headers = {**sign(SECRET, event_id, datetime.now(UTC), body), "content-type": "application/json"}
    async with sales.client(None) as client:
        return await client.post("/api/v1/payment-webhooks/sandbox", content=body, headers=headers)


@pytest.mark.rule("BR-PAY-003")
async def test_an_order_whose_money_does_not_come_in_time_is_cancelled_and_gives_all_back(
    database_url: str, product: FakeProduct, till: Till
) -> None:
    async with running(database_url, product, payments={**BY_HAND, "unpaid_after": timedelta(microseconds=1)}) as sales:
        order = await waiting(sales)

        assert await sales.run("cancel_unpaid") == 1
        await jobs_run(sales)

        cancelled = await seen(sales, order["order_id"])
        assert (cancelled["status"], cancelled["cancel_reason"]) == ("CANCELLED", "It was not paid for in time.")
        assert product.held() == 0
        assert (await payment_of(sales, order["order_id"]))["state"] == "VOIDED"
        assert await sales.run("cancel_unpaid") == 0


async def test_what_still_has_time_or_is_paid_is_not_cancelled(sales: Sales) -> None:
    order = await waiting(sales)

    assert await sales.run("cancel_unpaid") == 0
    assert (await seen(sales, order["order_id"]))["status"] == "PENDING"


async def test_money_that_came_before_the_order_was_written_confirms_it_at_once(sales: Sales) -> None:
    await buyer_with(sales)
    from chassis.failpoints import arm, disarm

    arm("test", "sales.checkout.authorised=sleep:0.5*1")
    asked = asyncio.create_task(paid(sales))
    payment = await the_payment(sales)
    told = report("capture.done", payment["id"], uuid7(), payment["amount"], payment["reference"])
    await webhook(sales, told, "evt_1")
    order = await asked
    disarm()

    assert (await seen(sales, order["order_id"]))["status"] == "CONFIRMED"
    assert [event["event_type"] for event in await sales.published() if event["event_type"].startswith("order.")] == [
        "order.created",
        "order.confirmed",
    ]


async def the_payment(sales: Sales) -> dict[str, Any]:
    for _ in range(200):
        if rows := await sales.rows("SELECT * FROM payments WHERE authorised > 0"):
            return rows[0]
        await asyncio.sleep(0.02)
    raise AssertionError("No money was held.")


async def test_a_payment_knows_its_order(sales: Sales) -> None:
    order = await waiting(sales)

    payment = await payment_of(sales, order["order_id"])

    assert payment["order_id"] == UUID(order["order_id"])
