"""Whatever fails between two effects of a checkout: a retry makes one paid order of it, without one nothing stays."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from chassis import failpoints
from chassis.failpoints import arm, disarm
from services.sales.tests.checkout import becomes, buyer_with, check_out, nothing_was_charged, refused
from services.sales.tests.factories import Sales, eventually
from services.sales.tests.shopping import a_customer
from services.sales.tests.till import Till

CHECKOUT = ("attempted", "reserved", "authorised", "creating", "created", "answered")
REFUSAL = ("released",)
UNDOING = ("given_back",)
FAULTS = ("raise", "cancel")


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    disarm()


async def struck(sales: Sales, point: str, fault: str, card: str = "tok_ok", key: str | None = None) -> int | None:
    """In a task of its own, as a cancellation would else reach the test; its status, or none when it was cancelled."""
    arm("test", f"{point}={fault}*1")
    asked = asyncio.create_task(check_out(sales, card, key=key))
    await asyncio.wait([asked])
    assert failpoints.hits()[point] == 1
    disarm()
    return None if asked.cancelled() else asked.result().status_code


async def one_paid_order(sales: Sales, till: Till) -> None:
    [order] = await sales.rows("SELECT id FROM orders")
    await becomes(sales, order["id"], "CONFIRMED")
    await till.quiet()
    await till.balances()
    charged = await sales.rows("SELECT state FROM payments WHERE open > 0 OR kept > 0")
    assert [row["state"] for row in charged] == ["CAPTURED"]
    assert sales.product.held() == 2
    assert len(await sales.published("order.created")) == 1
    assert (await a_customer(sales).cart())["items"] == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", CHECKOUT)
async def test_a_retry_makes_one_order_of_it_that_is_paid_once(
    sales: Sales, till: Till, point: str, fault: str
) -> None:
    await buyer_with(sales)

    status = await struck(sales, f"sales.checkout.{point}", fault, key="k")
    answer = await check_out(sales, key="k")

    assert status in (None, 500, 503)
    assert answer.status_code == 201
    await one_paid_order(sales, till)


@pytest.mark.rule("BR-ORD-011", "BR-PAY-001")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", CHECKOUT)
async def test_without_a_retry_it_is_a_paid_order_or_nothing(sales: Sales, till: Till, point: str, fault: str) -> None:
    await buyer_with(sales)

    await struck(sales, f"sales.checkout.{point}", fault)

    if point in ("created", "answered"):
        await one_paid_order(sales, till)
    else:
        await nothing_was_charged(sales, till)
        assert await a_customer(sales).quantities() == {"lamp": 2}


async def test_an_order_that_cannot_be_written_is_undone_at_once_and_says_so(sales: Sales, till: Till) -> None:
    await buyer_with(sales)
    arm("test", "sales.checkout.creating=raise*1")

    answer = await check_out(sales, key="k")

    assert refused(answer) == (503, "ORDER_CREATION_FAILED")
    assert answer.headers["Retry-After"]
    assert sales.product.held() == 0
    assert [row["state"] for row in await sales.rows("SELECT state FROM attempts")] == ["undone"]
    assert [row["state"] for row in await sales.rows("SELECT state FROM payments")] == ["VOIDED"]
    assert (await check_out(sales, key="k")).status_code == 201
    await one_paid_order(sales, till)


async def test_the_database_refusing_the_order_is_a_failed_creation_too(sales: Sales, till: Till) -> None:
    await buyer_with(sales)
    async with sales.service.database.begin() as session:
        await session.execute(text("ALTER TABLE orders ADD CONSTRAINT none CHECK (false) NOT VALID"))

    answer = await check_out(sales)

    assert refused(answer) == (503, "ORDER_CREATION_FAILED")
    await nothing_was_charged(sales, till)


@pytest.mark.parametrize("card", ["tok_timeout_after", "tok_timeout_before"])
async def test_a_gateway_that_does_not_answer_charges_once_with_a_retry_and_never_without(
    sales: Sales, till: Till, card: str
) -> None:
    await buyer_with(sales)

    first = await check_out(sales, f"{card}_1", key="k")
    assert refused(first) == (503, "SERVICE_UNAVAILABLE")
    again = await check_out(sales, f"{card}_1", key="k")

    assert again.status_code == 201
    await one_paid_order(sales, till)


@pytest.mark.rule("BR-ORD-005", "BR-ORD-011")
@pytest.mark.parametrize("card", ["tok_timeout_after", "tok_timeout_before"])
async def test_money_that_comes_after_the_attempt_was_undone_goes_back(sales: Sales, till: Till, card: str) -> None:
    await buyer_with(sales)

    await check_out(sales, card)

    await nothing_was_charged(sales, till)


async def test_a_checkout_that_is_overtaken_by_the_sweep_charges_nothing(sales: Sales, till: Till) -> None:
    await buyer_with(sales)
    arm("test", "sales.checkout.reserved=sleep:1*1")
    asked = asyncio.create_task(check_out(sales, key="k"))
    await eventually(lambda: failpoints.hits().get("sales.checkout.reserved"))

    await sales.leases_end()
    await sales.sweep()
    answer = await asked

    assert answer.status_code == 503
    await nothing_was_charged(sales, till)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_refusal_that_dies_before_it_is_written_is_undone_and_can_be_repeated(
    sales: Sales, till: Till, fault: str
) -> None:
    await buyer_with(sales)

    await struck(sales, "sales.checkout.released", fault, "tok_decline", key="k")
    again = await check_out(sales, "tok_decline", key="k")
    await nothing_was_charged(sales, till)

    assert refused(again) == (503, "SERVICE_UNAVAILABLE")
    assert refused(await check_out(sales, "tok_decline", key="k")) == (402, "PAYMENT_FAILED")
    await nothing_was_charged(sales, till)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_sweep_that_dies_half_way_is_finished_by_the_next(sales: Sales, till: Till, fault: str) -> None:
    await buyer_with(sales)
    await struck(sales, "sales.checkout.authorised", "raise")
    await sales.leases_end()
    arm("test", f"sales.attempts.given_back={fault}*1")

    sweeping = asyncio.create_task(sales.sweep())
    await asyncio.wait([sweeping])
    assert failpoints.hits()["sales.attempts.given_back"] == 1
    disarm()

    await nothing_was_charged(sales, till)


async def test_a_retry_buys_what_was_in_the_cart_when_it_was_begun(sales: Sales, till: Till) -> None:
    await buyer_with(sales)
    await struck(sales, "sales.checkout.reserved", "raise", key="k")

    await a_customer(sales).has("desk", 1)
    answer = await check_out(sales, key="k")

    assert [(item["product_id"], item["quantity"]) for item in answer.json()["items"]] == [("lamp", 2)]
    assert await a_customer(sales).quantities() == {"desk": 1}
