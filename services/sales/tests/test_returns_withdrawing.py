"""What cannot be done after it was asked for is asked for anew, and who finds that out late does no harm."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from chassis import failpoints
from chassis.failpoints import arm, disarm
from services.sales.tests.checkout import payment_of, refused
from services.sales.tests.factories import Sales, eventually
from services.sales.tests.fake_product import says
from services.sales.tests.returning import (
    asked,
    audited,
    back,
    delivered,
    delivered_and_paid,
    finished,
    receive,
    received,
    refund,
    stands,
)
from services.sales.tests.till import Till

NOT_FOUND = says(404, {"error": {"code": "PRODUCT_NOT_FOUND", "message": "There is no such product."}})


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    disarm()


async def goodwill(till: Till, order: dict[str, Any], sales: Sales, amount: int) -> None:
    """Somebody gives money back without a return."""
    payment = await payment_of(sales, order["order_id"])
    await till.payments.refund(UUID(str(payment["id"])), amount, "goodwill", "root")


async def withdrawn(sales: Sales, return_id: str) -> dict[str, Any]:
    one = await stands(sales, return_id)
    assert one["under_way"] is None
    return one


async def test_more_than_is_left_of_the_payment_is_refused_and_less_may_be_asked_for(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    return_id = await received(sales, order, ("lamp", 2), "desk")
    await goodwill(till, order, sales, 20000)

    answer = await refund(sales, return_id)
    one = await withdrawn(sales, return_id)
    less = await refund(sales, return_id, "88.98")

    assert refused(answer) == (409, "CONFLICT")
    assert (one["state"], one["refund"]) == ("RECEIVED", None)
    assert (less.status_code, less.json()["state"]) == (200, "REFUNDED")
    assert (await payment_of(sales, order["order_id"]))["kept"] == 0
    await till.balances()
    assert [row["after"] for row in await audited(sales, "return.refund_asked")] == [
        {"amount": 28898, "way": "card"},
        {"amount": 8898, "way": "card"},
    ]
    assert [row["actor"] for row in await audited(sales, "return.refund_withdrawn")] == ["root"]


async def test_the_job_withdraws_it_too_and_goes_on_with_the_others(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    ids = [await received(sales, order, "desk"), await received(sales, order, "lamp")]
    arm("test", "sales.return.refund_asked=raise*2")
    for return_id in ids:
        await refund(sales, return_id)
    disarm()
    await goodwill(till, order, sales, 20000)

    assert await finished(sales, "refunds") == 1

    assert (await withdrawn(sales, ids[0]))["state"] == "RECEIVED"
    assert (await withdrawn(sales, ids[1]))["state"] == "REFUNDED"
    await till.balances()


async def test_who_is_refused_late_leaves_alone_what_was_asked_for_since(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    return_id = await received(sales, order, "desk")
    await goodwill(till, order, sales, 20000)
    arm("test", "sales.return.withdrawing=sleep:1*1;sales.return.refund_asked=raise@3*1")

    late = asyncio.create_task(refund(sales, return_id))
    await eventually(lambda: failpoints.hits().get("sales.return.withdrawing"))
    await refund(sales, return_id)
    less = await refund(sales, return_id, "10.00")
    await late

    assert less.status_code == 500
    assert (await stands(sales, return_id))["refund"]["amount"] == "10.00"
    assert await finished(sales, "refunds") == 1
    assert (await payment_of(sales, order["order_id"]))["refunded"] == 21000


async def test_goods_that_no_shelf_takes_are_received_without_it(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales))

    with sales.product.having(NOT_FOUND):
        answer = await receive(sales, return_id)
    one = await withdrawn(sales, return_id)
    after = await receive(sales, return_id, {"restock": False})

    assert refused(answer) == (409, "CONFLICT")
    assert (one["state"], one["items"][0]["restock"]) == ("REQUESTED", None)
    assert (after.status_code, after.json()["state"]) == (200, "RECEIVED")
    assert back(sales.product) == {}
    assert [row["after"] for row in await audited(sales, "return.receipt_asked")] == [{"restock": 1}, {"restock": 0}]
    assert [row["actor"] for row in await audited(sales, "return.receipt_withdrawn")] == ["root"]


async def test_one_that_no_shelf_takes_does_not_keep_the_job_from_the_others(sales: Sales) -> None:
    ids = [await asked(sales, await delivered(sales)) for _ in range(2)]
    arm("test", "sales.return.receipt_asked=raise*2")
    for return_id in ids:
        await receive(sales, return_id)
    disarm()

    async def trouble(request: Any, do: Any) -> Any:
        return await (NOT_FOUND(request, do) if ids[0] in await request.text() else do())

    with sales.product.having(trouble):
        assert await finished(sales, "receipts") == 1

    assert (await withdrawn(sales, ids[0]))["state"] == "REQUESTED"
    assert (await withdrawn(sales, ids[1]))["state"] == "RECEIVED"


async def test_who_hears_late_that_no_shelf_takes_it_leaves_alone_what_was_decided_since(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales))
    arm("test", "sales.return.withdrawing=sleep:1*1;sales.return.receipt_asked=raise@3*1")

    with sales.product.having(NOT_FOUND):
        late = asyncio.create_task(receive(sales, return_id))
        await eventually(lambda: failpoints.hits().get("sales.return.withdrawing"))
        await receive(sales, return_id)
    otherwise = await receive(sales, return_id, {"restock": False})
    await late

    assert otherwise.status_code == 500
    assert (await stands(sales, return_id))["under_way"] == "receipt"
    assert await finished(sales, "receipts") == 1
    assert (await stands(sales, return_id))["items"][0]["restock"] is False


@pytest.mark.parametrize("fault", ["raise", "cancel"])
async def test_who_dies_before_withdrawing_leaves_it_to_the_job(sales: Sales, till: Till, fault: str) -> None:
    order = await delivered_and_paid(sales, till)
    return_id = await received(sales, order, "desk")
    await goodwill(till, order, sales, 20000)
    arm("test", f"sales.return.withdrawing={fault}*1")

    await asyncio.wait([asyncio.create_task(refund(sales, return_id))])
    disarm()
    await finished(sales, "refunds")

    assert (await withdrawn(sales, return_id))["refund"] is None
