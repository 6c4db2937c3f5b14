"""Cancelling an order that was paid by card: the stock goes back, and so does the money, whatever state it is in."""

import asyncio
from typing import Any

import pytest

from services.sales.tests.checkout import becomes, buyer_with, check_out, jobs_run, paid, payment_of, refused, seen
from services.sales.tests.factories import Sales
from services.sales.tests.test_cancelling import cancel
from services.sales.tests.till import Till


async def confirmed(sales: Sales, till: Till, card: str = "tok_ok") -> dict[str, Any]:
    await buyer_with(sales)
    order = await paid(sales, card)
    return await becomes(sales, order["order_id"], "CONFIRMED")


async def books_balance(sales: Sales, till: Till) -> None:
    for _ in range(10):
        await jobs_run(sales)
    await till.balances()


@pytest.mark.rule("BR-ORD-009", "AC-ORD-005")
async def test_money_that_was_taken_is_refunded(sales: Sales, till: Till) -> None:
    order = await confirmed(sales, till)

    answer = await cancel(sales, order["order_id"])
    await books_balance(sales, till)

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    assert sales.product.held() == 0
    payment = await payment_of(sales, order["order_id"])
    assert (payment["state"], payment["refunded"], payment["kept"]) == ("REFUNDED", 3998, 0)


@pytest.mark.rule("BR-ORD-009")
async def test_money_that_is_only_held_is_let_go(sales: Sales, till: Till) -> None:
    await buyer_with(sales)
    order = await paid(sales, "tok_capture_fails")

    await cancel(sales, order["order_id"])
    await books_balance(sales, till)

    payment = await payment_of(sales, order["order_id"])
    assert (payment["state"], payment["voided"], payment["captured"]) == ("VOIDED", 3998, 0)
    assert (await seen(sales, order["order_id"]))["status"] == "CANCELLED"
    assert await sales.published("order.confirmed") == []


@pytest.mark.parametrize("card", ["tok_capture_timeout_after_1", "tok_capture_timeout_before_1", "tok_slow"])
async def test_money_that_is_being_taken_at_that_moment_comes_back(sales: Sales, till: Till, card: str) -> None:
    await buyer_with(sales)
    order = await paid(sales, card)

    await cancel(sales, order["order_id"])
    await books_balance(sales, till)

    payment = await payment_of(sales, order["order_id"])
    assert (payment["open"], payment["kept"]) == (0, 0)
    assert (await seen(sales, order["order_id"]))["status"] == "CANCELLED"


async def test_a_refund_that_fails_for_good_is_for_people_and_the_customer_hears_of_the_delay(
    sales: Sales, till: Till
) -> None:
    order = await confirmed(sales, till, "tok_refund_fails")

    await cancel(sales, order["order_id"])
    await books_balance(sales, till)

    [delayed] = await sales.published("payment.refund_delayed")
    assert (delayed["data"]["order_id"], delayed["data"]["amount"]) == (order["order_id"], "39.98")
    assert (await seen(sales, order["order_id"]))["status"] == "CANCELLED"
    async with sales.client("root", "admin") as client:
        listed = (await client.get("/api/v1/refunds", params={"state": "manual"})).json()["items"]
        assert [refund["amount"] for refund in listed] == ["39.98"]
        done = await client.post(f"/api/v1/refunds/{listed[0]['id']}/completion", json={"reference": "bank 17"})
        again = await client.get("/api/v1/refunds", params={"state": "manual"})
    assert done.status_code == 200, done.text
    assert again.json()["items"] == []
    assert (await payment_of(sales, order["order_id"]))["state"] == "REFUNDED"


@pytest.mark.rule("BR-ORD-009")
async def test_while_the_gateway_is_away_the_order_is_cancelled_and_the_money_follows(sales: Sales, till: Till) -> None:
    order = await confirmed(sales, till, "tok_refund_timeout_before_2")

    answer = await cancel(sales, order["order_id"])
    await books_balance(sales, till)

    assert answer.status_code == 200
    assert (await payment_of(sales, order["order_id"]))["state"] == "REFUNDED"


async def test_repeating_it_refunds_once(sales: Sales, till: Till) -> None:
    order = await confirmed(sales, till)

    await asyncio.gather(*(cancel(sales, order["order_id"]) for _ in range(5)))
    await books_balance(sales, till)

    refunds = await sales.rows("SELECT amount FROM sandbox_operations WHERE kind = 'refund' AND state = 'done'")
    assert [row["amount"] for row in refunds] == [3998]
    assert len(await sales.published("order.cancelled")) == 1


@pytest.mark.parametrize("number", range(10))
async def test_cancelling_against_confirming_never_keeps_the_money_of_a_cancelled_order(
    sales: Sales, till: Till, number: int
) -> None:
    await buyer_with(sales)
    # The money is being taken while the order is cancelled.
    order = await paid(sales)

    answer = await cancel(sales, order["order_id"])
    await books_balance(sales, till)

    assert answer.status_code == 200
    payment = await payment_of(sales, order["order_id"])
    assert (payment["open"], payment["kept"], payment["refunding"]) == (0, 0, 0)
    statuses = [event["event_type"] for event in await sales.published() if event["event_type"].startswith("order.")]
    assert statuses in (
        ["order.created", "order.cancelled"],
        ["order.created", "order.confirmed", "order.cancelled"],
    )


async def test_who_was_refused_for_want_of_stock_can_buy_what_a_cancelling_gives_back(sales: Sales, till: Till) -> None:
    order = await confirmed(sales, till)
    sales.product.wares["lamp"].stock = 2
    await buyer_with(sales, {"desk": 1}, "ada")

    from services.sales.tests.shopping import a_customer

    sold_out = await a_customer(sales, "ada").add("lamp")
    await cancel(sales, order["order_id"])
    free = await a_customer(sales, "ada").add("lamp")

    assert refused(sold_out) == (400, "OUT_OF_STOCK")
    assert free.status_code == 201
    assert (await check_out(sales, customer="ada")).status_code == 201
