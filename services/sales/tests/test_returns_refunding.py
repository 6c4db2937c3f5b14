"""The money for what came back: as much as it cost and no more, to the card it came from, once."""

import asyncio
from typing import Any

import pytest

from chassis.ids import uuid7
from services.sales.tests.checkout import jobs_run, payment_of, refused
from services.sales.tests.factories import Sales
from services.sales.tests.returning import (
    asked,
    audited,
    delivered,
    delivered_and_paid,
    finished,
    received,
    refund,
    reject,
    stands,
)
from services.sales.tests.till import Till


async def refunds(sales: Sales, return_id: object) -> list[tuple[int, str]]:
    rows = await sales.rows(
        "SELECT amount, state FROM payment_operations WHERE kind = 'refund' AND cause = :id ORDER BY number",
        id=str(return_id),
    )
    return [(row["amount"], row["state"]) for row in rows]


async def went_back(sales: Sales, till: Till, amount: int) -> None:
    """So much, by our books and by the gateway's own."""
    await till.balances()
    [payment] = await sales.rows("SELECT captured, kept, refunded, refunding FROM payments")
    assert (payment["refunded"], payment["kept"], payment["refunding"]) == (amount, payment["captured"] - amount, 0)
    ledger = "SELECT sum(amount) AS sum FROM sandbox_operations WHERE kind = 'refund' AND state = 'done'"
    assert (await sales.rows(ledger))[0]["sum"] == (amount or None)


@pytest.mark.rule("AC-RET-001")
async def test_the_price_of_what_came_back_goes_back_to_the_card(sales: Sales, till: Till) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till), "lamp", "desk")

    answer = await refund(sales, return_id)

    one = answer.json()
    assert (answer.status_code, one["state"], one["under_way"]) == (200, "REFUNDED", None)
    assert one["refund"] == {"amount": "268.99", "currency": "USD", "way": "card", "state": "done"}
    assert one == await stands(sales, return_id)
    await went_back(sales, till, 26899)
    [told] = await sales.published("order.return_refunded")
    assert (told["data"]["amount"], told["data"]["way"], told["data"]["return_id"]) == ("268.99", "card", return_id)
    [row] = await audited(sales, "return.refunded")
    assert (row["actor"], row["before"]) == ("root", {"state": "RECEIVED"})
    assert row["after"] == {"state": "REFUNDED", "amount": 26899, "currency": "USD", "way": "card"}


async def test_for_an_order_on_the_sellers_terms_it_is_settled_outside(sales: Sales) -> None:
    return_id = await received(sales, await delivered(sales))

    answer = await refund(sales, return_id)

    assert (answer.status_code, answer.json()["state"]) == (200, "REFUNDED")
    assert answer.json()["refund"] == {"amount": "19.99", "currency": "USD", "way": "outside", "state": "done"}
    assert await sales.count("payment_operations") == 0
    assert (await sales.published("order.return_refunded"))[0]["data"]["way"] == "outside"


async def test_a_part_of_it_is_enough(sales: Sales, till: Till) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till), "desk")

    answer = await refund(sales, return_id, "100.00")

    assert (answer.json()["state"], answer.json()["refund"]["amount"]) == ("REFUNDED", "100.00")
    await went_back(sales, till, 10000)


@pytest.mark.rule("BR-RET-003")
async def test_no_more_goes_back_than_what_came_back_has_cost(sales: Sales, till: Till) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till), "lamp")

    answer = await refund(sales, return_id, "20.00")

    assert refused(answer) == (400, "REFUND_EXCEEDS_RETURN")
    [detail] = answer.json()["error"]["details"]
    assert (detail["field"], detail["most"]) == ("amount", "19.99")
    assert (await stands(sales, return_id))["refund"] is None
    await went_back(sales, till, 0)


@pytest.mark.parametrize(
    "body",
    [
        {"amount": "0.00"},
        {"amount": "-1.00"},
        {"amount": 5},
        {"amount": "1e3"},
        {"amount": "5.001"},
        {"amount": "99999999999999.00"},
        {"amount": None, "currency": "EUR"},
        [],
    ],
)
async def test_what_is_no_amount_is_refused(sales: Sales, body: Any) -> None:
    return_id = await received(sales, await delivered(sales))

    async with sales.client("root", "admin") as client:
        answer = await client.post(f"/api/v1/returns/{return_id}/refund", json=body)

    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert (await stands(sales, return_id))["state"] == "RECEIVED"


@pytest.mark.parametrize(
    ("by", "role", "status"), [("grace", "customer", 403), ("clerk", "warehouse", 403), (None, "admin", 401)]
)
async def test_only_admins_refund(sales: Sales, by: str | None, role: str, status: int) -> None:
    return_id = await received(sales, await delivered(sales))

    assert (await refund(sales, return_id, by=by, role=role)).status_code == status
    assert (await stands(sales, return_id))["state"] == "RECEIVED"


async def test_only_what_was_received_is_refunded(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    requested, rejected = await asked(sales, order), await asked(sales, order)
    await reject(sales, rejected)

    assert refused(await refund(sales, requested)) == (409, "INVALID_STATUS_TRANSITION")
    assert refused(await refund(sales, rejected)) == (409, "INVALID_STATUS_TRANSITION")
    assert refused(await refund(sales, uuid7())) == (404, "NOT_FOUND")
    await went_back(sales, till, 0)


async def test_repeating_it_changes_nothing(sales: Sales, till: Till) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till))
    first = await refund(sales, return_id, "10.00")

    again = await refund(sales, return_id, "10.00")
    other, default = await refund(sales, return_id, "5.00"), await refund(sales, return_id)

    assert (again.status_code, again.json()) == (200, first.json())
    assert refused(other) == refused(default) == (409, "CONFLICT")
    await went_back(sales, till, 1000)
    assert len(await sales.published("order.return_refunded")) == 1


@pytest.mark.rule("BR-RET-003")
async def test_of_many_at_once_the_money_goes_back_once(sales: Sales, till: Till) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till))

    answers = await asyncio.gather(*(refund(sales, return_id) for _ in range(8)))
    await finished(sales, "refunds")

    assert {answer.status_code for answer in answers} == {200}
    assert (await stands(sales, return_id))["state"] == "REFUNDED"
    await went_back(sales, till, 1999)
    assert len(await sales.published("order.return_refunded")) == 1
    assert len(await audited(sales, "return.refunded")) == 1


async def test_of_many_who_want_other_amounts_at_once_one_has_its_way(sales: Sales, till: Till) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till))

    answers = await asyncio.gather(*(refund(sales, return_id, f"{n + 1}.00") for n in range(8)))
    await finished(sales, "refunds")

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    one = await stands(sales, return_id)
    await went_back(sales, till, int(one["refund"]["amount"].replace(".", "")))


async def test_two_returns_of_an_order_are_refunded_apart(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    first, second = await received(sales, order, "lamp"), await received(sales, order, "lamp", "desk")

    answers = await asyncio.gather(refund(sales, first), refund(sales, second))
    await finished(sales, "refunds")

    assert [answer.status_code for answer in answers] == [200, 200]
    await went_back(sales, till, 3998 + 24900)
    assert (await payment_of(sales, order["order_id"]))["state"] == "REFUNDED"


@pytest.mark.parametrize("tries", [1, 3])
async def test_a_refund_that_the_gateway_refuses_at_first_waits_with_the_goods_received(
    sales: Sales, till: Till, tries: int
) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till, f"tok_refund_fails_{tries}"))

    answer = await refund(sales, return_id)
    looked = await finished(sales, "refunds")
    again, rejected = await refund(sales, return_id), await reject(sales, return_id)

    assert answer.status_code == again.status_code == 200
    assert (again.json()["state"], again.json()["under_way"], looked) == ("RECEIVED", "refund", 0)
    assert again.json()["refund"] == {"amount": "19.99", "currency": "USD", "way": "card", "state": "under_way"}
    assert refused(rejected) == (409, "CONFLICT")
    assert refused(await refund(sales, return_id, "5.00")) == (409, "CONFLICT")
    assert len(await refunds(sales, return_id)) == 1
    assert await sales.published("order.return_refunded") == []

    for _ in range(tries):
        await jobs_run(sales)
    assert await finished(sales, "refunds") == 1
    assert (await stands(sales, return_id))["state"] == "REFUNDED"
    await went_back(sales, till, 1999)


@pytest.mark.parametrize("card", ["tok_refund_timeout_after_1", "tok_refund_timeout_before_1"])
async def test_a_refund_of_which_nobody_knows_is_looked_up_and_made_once(sales: Sales, till: Till, card: str) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till, card))

    answer = await refund(sales, return_id)
    await finished(sales, "refunds")
    before_its_time = await refunds(sales, return_id)
    await jobs_run(sales)
    await finished(sales, "refunds")

    assert (answer.status_code, answer.json()["state"]) == (200, "RECEIVED")
    assert before_its_time == [(1999, "unknown")]
    assert (await stands(sales, return_id))["state"] == "REFUNDED"
    assert await refunds(sales, return_id) == [(1999, "done")]
    await went_back(sales, till, 1999)


async def test_a_refund_that_a_person_made_is_done(sales: Sales, till: Till) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till, "tok_refund_fails"))
    await refund(sales, return_id)
    for _ in range(6):
        await jobs_run(sales)
    left = (await refunds(sales, return_id))[-1]
    waits = await finished(sales, "refunds")

    async with sales.client("root", "admin") as client:
        [manual] = (await client.get("/api/v1/refunds", params={"state": "manual"})).json()["items"]
        await client.post(f"/api/v1/refunds/{manual['id']}/completion", json={"reference": "bank-17"})
    await finished(sales, "refunds")

    assert (left, waits) == ((1999, "manual"), 0)
    assert (await stands(sales, return_id))["state"] == "REFUNDED"
    await till.balances()
