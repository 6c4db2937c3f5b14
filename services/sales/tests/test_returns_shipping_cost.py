"""What sending the order has cost goes back with the return by which all of it is back, and only once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.sales.tests.checkout import payment_of, refused
from services.sales.tests.factories import Sales, running
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.returning import (
    DESK,
    LAMP,
    SHIPPING,
    asked,
    delivered_and_paid,
    received,
    refund,
    reject,
    stands,
)
from services.sales.tests.till import Till

ALL = (("lamp", 2), "desk")
GOODS = 2 * LAMP + DESK


@pytest.fixture
async def sales(database_url: str, product: FakeProduct) -> AsyncIterator[Sales]:
    """Where an order costs 5.00 to send."""
    async with running(database_url, product, shipping=SHIPPING) as one:
        yield one


def money(minor_units: int) -> str:
    return f"{minor_units // 100}.{minor_units % 100:02d}"


def most(answer: Any) -> str:
    assert refused(answer) == (400, "REFUND_EXCEEDS_RETURN")
    return str(answer.json()["error"]["details"][0]["most"])


@pytest.mark.rule("BR-RET-003")
async def test_with_the_whole_order_the_shipping_goes_back_if_the_admin_says_so(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    return_id = await received(sales, order, *ALL)

    too_much = await refund(sales, return_id, money(GOODS + 501))
    answer = await refund(sales, return_id, money(GOODS + 500))

    assert most(too_much) == money(GOODS + 500)
    assert answer.json()["state"] == "REFUNDED"
    assert (await payment_of(sales, order["order_id"]))["state"] == "REFUNDED"
    await till.balances()


async def test_unless_it_is_asked_for_it_stays(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)

    answer = await refund(sales, await received(sales, order, *ALL))

    assert answer.json()["refund"]["amount"] == money(GOODS)
    assert (await payment_of(sales, order["order_id"]))["kept"] == 500


@pytest.mark.rule("BR-RET-003")
async def test_with_a_part_of_the_order_it_does_not(sales: Sales, till: Till) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till), ("lamp", 2))

    assert most(await refund(sales, return_id, money(2 * LAMP + 500))) == money(2 * LAMP)


async def test_it_goes_back_with_the_last_part(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    await refund(sales, await received(sales, order, ("lamp", 2)))

    answer = await refund(sales, await received(sales, order, "desk"), money(DESK + 500))

    assert answer.json()["state"] == "REFUNDED"
    assert (await payment_of(sales, order["order_id"]))["state"] == "REFUNDED"
    await till.balances()


async def test_of_two_parts_only_one_gets_it(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    first, second = await received(sales, order, ("lamp", 2)), await received(sales, order, "desk")
    await refund(sales, first, money(2 * LAMP + 300))

    answer = await refund(sales, second, money(DESK + 500))

    assert most(answer) == money(DESK + 200)
    assert (await refund(sales, second, money(DESK + 200))).json()["state"] == "REFUNDED"


async def test_of_two_parts_at_once_only_one_gets_it(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    first, second = await received(sales, order, ("lamp", 2)), await received(sales, order, "desk")

    async with sales.holding("orders", UUID(order["order_id"])):
        both = [
            asyncio.create_task(refund(sales, first, money(2 * LAMP + 500))),
            asyncio.create_task(refund(sales, second, money(DESK + 500))),
        ]
        assert await sales.waits(*both)

    assert sorted([(await answer).status_code for answer in both]) == [200, 400]
    await till.balances()


@pytest.mark.parametrize("is_rejected", [False, True], ids=["on its way", "rejected"])
async def test_what_is_not_here_does_not_make_it_the_whole_order(sales: Sales, till: Till, is_rejected: bool) -> None:
    order = await delivered_and_paid(sales, till)
    first, second = await received(sales, order, ("lamp", 2)), await asked(sales, order, "desk")
    if is_rejected:
        await reject(sales, second)

    assert most(await refund(sales, first, money(2 * LAMP + 1))) == money(2 * LAMP)
    assert (await stands(sales, first))["state"] == "RECEIVED"
