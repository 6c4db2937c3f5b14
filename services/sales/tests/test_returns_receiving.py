"""The goods are here: on the shelf again where they are any good, once, whatever becomes of Product meanwhile."""

import asyncio
from typing import Any

import pytest

from chassis.ids import uuid7
from services.sales.tests.checkout import refused
from services.sales.tests.factories import Sales
from services.sales.tests.fake_product import does_it_but, does_it_late, loses_the_answer, says
from services.sales.tests.returning import (
    asked,
    audited,
    back,
    delivered,
    finished,
    finished_at_last,
    receive,
    received,
    refund,
    reject,
    stands,
)


def restocks(answer: Any) -> list[bool | None]:
    return [item["restock"] for item in answer.json()["items"]]


@pytest.mark.rule("BR-RET-002")
async def test_the_goods_are_back_on_the_shelf(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales), ("lamp", 2), "desk")

    answer = await receive(sales, return_id, by="clerk", role="warehouse")

    assert (answer.status_code, answer.json()["state"], restocks(answer)) == (200, "RECEIVED", [True, True])
    assert answer.json()["under_way"] is None
    assert answer.json() == await stands(sales, return_id)
    assert back(sales.product) == {"lamp": 2, "desk": 1}
    [told] = await sales.published("order.return_received")
    assert told["data"]["return_id"] == return_id
    assert told["data"]["restocked"] == [{"product_id": "lamp", "quantity": 2}, {"product_id": "desk", "quantity": 1}]
    [row] = await audited(sales, "return.received")
    assert (row["actor"], row["before"]) == ("clerk", {"state": "REQUESTED"})
    assert row["after"] == {"state": "RECEIVED", "restocked": 3}


@pytest.mark.rule("BR-RET-002")
async def test_what_is_no_good_does_not_go_back(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales), ("lamp", 2), "desk")

    answer = await receive(sales, return_id, {"items": [{"product_id": "lamp", "restock": False}], "restock": True})

    assert restocks(answer) == [False, True]
    assert back(sales.product) == {"desk": 1}


async def test_product_is_not_asked_where_nothing_goes_back(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales))
    await sales.product.stop()

    answer = await receive(sales, return_id, {"restock": False})

    assert (answer.status_code, answer.json()["state"], restocks(answer)) == (200, "RECEIVED", [False])
    assert (await sales.published("order.return_received"))[0]["data"]["restocked"] == []


async def test_each_item_can_be_named(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales), "lamp", "desk")
    choices = [{"product_id": "desk", "restock": False}, {"product_id": "lamp", "restock": True}]

    assert restocks(await receive(sales, return_id, {"items": choices})) == [True, False]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"restock": "yes"},
        {"restock": 1},
        {"restock": None},
        {"items": []},
        {"items": [{"product_id": "lamp", "restock": True}]},
        {"restock": True, "items": [{"product_id": "sofa", "restock": True}]},
        {"restock": True, "items": [{"product_id": "lamp", "restock": True}] * 2},
        {"restock": True, "items": [{"product_id": "lamp", "restock": True, "quantity": 1}]},
        {"restock": True, "refund": True},
        {"restock": True, "items": [{"product_id": "lamp", "restock": False}] * 51},
        [],
    ],
)
async def test_what_is_no_receipt_is_refused(sales: Sales, body: Any) -> None:
    return_id = await asked(sales, await delivered(sales), "lamp", "desk")

    assert refused(await receive(sales, return_id, body)) == (400, "VALIDATION_ERROR")
    assert (await stands(sales, return_id))["state"] == "REQUESTED"
    assert back(sales.product) == {}


async def test_what_is_no_return_is_not_received(sales: Sales) -> None:
    assert refused(await receive(sales, uuid7())) == (404, "NOT_FOUND")
    assert refused(await receive(sales, "none")) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(("by", "role", "status"), [("grace", "customer", 403), (None, "admin", 401)])
async def test_only_the_warehouse_and_admins_receive(sales: Sales, by: str | None, role: str, status: int) -> None:
    return_id = await asked(sales, await delivered(sales))

    assert (await receive(sales, return_id, by=by, role=role)).status_code == status
    assert back(sales.product) == {}


async def test_repeating_it_changes_nothing(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales), ("lamp", 2))
    first = await receive(sales, return_id)

    again = await receive(sales, return_id, {"items": [{"product_id": "lamp", "restock": True}]})

    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await sales.published("order.return_received")) == 1
    assert back(sales.product) == {"lamp": 2}


async def test_once_decided_it_is_not_decided_otherwise(sales: Sales) -> None:
    return_id = await received(sales, await delivered(sales))

    assert refused(await receive(sales, return_id, {"restock": False})) == (409, "CONFLICT")
    assert (await stands(sales, return_id))["items"][0]["restock"] is True


async def test_repeating_it_after_the_refund_changes_nothing_either(sales: Sales) -> None:
    return_id = await received(sales, await delivered(sales))
    await refund(sales, return_id)

    answer = await receive(sales, return_id)

    assert (answer.status_code, answer.json()["state"]) == (200, "REFUNDED")


async def test_what_was_rejected_is_not_received(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales))
    await reject(sales, return_id)

    assert refused(await receive(sales, return_id)) == (409, "INVALID_STATUS_TRANSITION")
    assert back(sales.product) == {}


@pytest.mark.rule("BR-RET-002")
async def test_of_many_at_once_one_receives_it(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales), ("lamp", 2))

    answers = await asyncio.gather(*(receive(sales, return_id) for _ in range(8)))

    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(200, "RECEIVED")] * 8
    assert len(await sales.published("order.return_received")) == 1
    assert len(await audited(sales, "return.received")) == 1
    assert back(sales.product) == {"lamp": 2}


async def test_of_two_who_decide_otherwise_at_once_one_does(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales), ("lamp", 2))

    answers = await asyncio.gather(*(receive(sales, return_id, {"restock": bool(n % 2)}) for n in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [409] * 4
    one = await stands(sales, return_id)
    assert back(sales.product) == ({"lamp": 2} if one["items"][0]["restock"] else {})


async def test_while_product_is_away_nothing_is_half_done_and_the_job_finishes_it(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales))
    await sales.product.stop()

    answer = await receive(sales, return_id)
    meanwhile = await stands(sales, return_id)
    rejected = await reject(sales, return_id)
    waited = await finished(sales, "receipts")
    await sales.product.start()
    await finished_at_last(sales, "receipts")

    assert refused(answer) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"]
    assert (meanwhile["state"], meanwhile["under_way"], waited) == ("REQUESTED", "receipt", 0)
    assert refused(rejected) == (409, "CONFLICT")
    assert await sales.published("order.return_rejected") == []
    after = await stands(sales, return_id)
    assert (after["state"], after["under_way"]) == ("RECEIVED", None)
    assert back(sales.product) == {"lamp": 1}
    assert len(await sales.published("order.return_received")) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        says(500),
        says(403, {"error": {"code": "FORBIDDEN", "message": "No."}}),
        says(200, "no JSON"),
        does_it_but(lambda said: said.update(return_id=str(uuid7()))),
        does_it_but(lambda said: said["items"][0].update(quantity=7)),
        does_it_but(lambda said: said.pop("items")),
        loses_the_answer,
        does_it_late(),
    ],
    ids=["fails", "forbids", "babbles", "answers another", "counts wrong", "says little", "is cut off", "is slow"],
)
async def test_an_answer_that_is_none_is_asked_for_again(sales: Sales, trouble: Any) -> None:
    return_id = await asked(sales, await delivered(sales))

    with sales.product.having(trouble):
        answer = await receive(sales, return_id)
    before = await stands(sales, return_id)
    await finished_at_last(sales, "receipts")

    assert refused(answer) == (503, "SERVICE_UNAVAILABLE")
    assert before["state"] == "REQUESTED"
    assert (await stands(sales, return_id))["state"] == "RECEIVED"
    assert back(sales.product) == {"lamp": 1}


async def test_the_job_takes_up_nothing_that_is_being_done(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales))
    await sales.product.stop()
    await receive(sales, return_id)

    assert await sales.run("finish_receipts") == 0
    assert (await stands(sales, return_id))["under_way"] == "receipt"
