"""What admins see of payments and do about them; to everybody else they are closed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from chassis.ids import uuid7
from services.sales.tests.factories import Sales, running
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.till import PRICE, SECRET, Till


@pytest.fixture
async def sales(database_url: str, product: FakeProduct) -> AsyncIterator[Sales]:
    async with running(database_url, product, payments={"webhook_secret": SECRET, "refund_tries": 3}) as one:
        yield one


async def ask(sales: Sales, method: str, path: str, *roles: Any, **request: Any) -> httpx.Response:
    async with sales.client("boss", *(roles or ("admin",))) as client:
        return await client.request(method, f"/api/v1{path}", **request)


async def a_manual_refund(till: Till) -> tuple[UUID, UUID]:
    taken = await till.captured("tok_refund_fails")
    await till.give_back(taken)
    await till.quiet()
    [row] = await till.rows("SELECT id FROM payment_operations WHERE state = 'manual' AND payment_id = :id", id=taken)
    return taken, row["id"]


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


async def test_a_payment_is_shown_with_all_that_was_asked_for_it(sales: Sales, till: Till) -> None:
    held, order_id = await till.authorised("tok_capture_fails_1"), uuid7()
    await till.order(held, order_id)
    await till.payments.capture(held, "grace")

    answer = await ask(sales, "GET", f"/payments/{held}")

    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["order_id"], shown["customer_id"], shown["state"]) == (
        str(held),
        str(order_id),
        "grace",
        "CAPTURING",
    )
    assert (shown["amount"], shown["open"], shown["captured"], shown["currency"]) == ("19.99", "19.99", "0.00", "USD")
    assert [(each["kind"], each["number"], each["state"], each["error"]) for each in shown["operations"]] == [
        ("authorise", 1, "done", None),
        ("capture", 1, "refused", "declined"),
    ]
    assert "tok_" not in answer.text


async def test_the_pages_have_every_payment_once_newest_first(sales: Sales, till: Till) -> None:
    made = [str(await till.authorised()) for _ in range(7)]
    seen: list[str] = []
    cursor: dict[str, str] = {}

    for size in (3, 3, 1):
        page = (await ask(sales, "GET", "/payments", params={"limit": 3, **cursor})).json()
        assert len(page["items"]) == size
        seen += [each["id"] for each in page["items"]]
        cursor = {"cursor": page["next_cursor"]}

    assert seen == made[::-1]
    assert cursor == {"cursor": None}


async def test_a_list_is_narrowed_by_state_order_customer_and_time(sales: Sales, till: Till) -> None:
    taken, order_id = await till.captured(), uuid7()
    held = await till.authorised()
    await till.order(held, order_id)
    moment = (await till.payment(held))["created_at"].isoformat()

    async def found(**wanted: Any) -> set[str]:
        return {each["id"] for each in (await ask(sales, "GET", "/payments", params=wanted)).json()["items"]}

    assert await found(state="CAPTURED") == {str(taken)}
    assert await found(order_id=str(order_id)) == {str(held)}
    assert await found(customer_id="grace") == {str(taken), str(held)}
    assert await found(customer_id="ada") == set()
    assert await found(created_from=moment) == {str(held)}
    assert await found(created_before=moment) == {str(taken)}


@pytest.mark.parametrize(
    "wanted",
    [
        {"state": "PAID"},
        {"order_id": "1"},
        {"customer_id": ""},
        {"limit": 101},
        {"cursor": "x"},
        {"created_from": "yesterday"},
        {"created_from": "9999-12-31T23:59:59-14:00"},
    ],
)
async def test_a_list_that_cannot_be_is_refused(sales: Sales, wanted: dict[str, Any]) -> None:
    answer = await ask(sales, "GET", "/payments", params=wanted)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


async def test_an_admin_captures_what_is_held(sales: Sales, till: Till) -> None:
    held = await till.authorised()

    answer = await ask(sales, "POST", f"/payments/{held}/capture")
    again = await ask(sales, "POST", f"/payments/{held}/capture")

    assert [(each.status_code, each.json()["state"]) for each in (answer, again)] == [(200, "CAPTURED")] * 2
    [audit] = await till.rows("SELECT actor FROM audit_log WHERE action = 'payment.captured'")
    assert audit["actor"] == "boss"
    await till.balances()


@pytest.mark.parametrize("card", ["tok_capture_fails", "tok_capture_timeout_after"])
async def test_an_admin_is_told_that_it_is_not_captured_yet(sales: Sales, till: Till, card: str) -> None:
    held = await till.authorised(card)

    answer = await ask(sales, "POST", f"/payments/{held}/capture")

    assert (answer.status_code, answer.json()["state"]) == (202, "CAPTURING")


async def test_what_is_to_be_given_back_is_not_captured(sales: Sales, till: Till) -> None:
    given_back, failed = await till.authorised(), (await till.authorise("tok_decline")).payment_id
    await till.give_back(given_back)

    for payment_id in (given_back, failed):
        answer = await ask(sales, "POST", f"/payments/{payment_id}/capture")
        assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")


async def test_a_refund_that_a_person_has_made_is_completed(sales: Sales, till: Till) -> None:
    taken, refund = await a_manual_refund(till)
    listed = (await ask(sales, "GET", "/refunds", params={"state": "manual"})).json()["items"]
    assert [(each["id"], each["amount"], each["currency"]) for each in listed] == [(str(refund), "19.99", "USD")]

    answer = await ask(sales, "POST", f"/refunds/{refund}/completion", json={"reference": "transfer 4711"})

    assert (answer.status_code, answer.json()["state"], answer.json()["reference"]) == (200, "done", "transfer 4711")
    assert await till.state(taken) == "REFUNDED"
    assert (await ask(sales, "GET", "/refunds", params={"state": "manual"})).json()["items"] == []
    audited = await till.rows("SELECT actor, after FROM audit_log WHERE action = 'refund.completed'")
    assert audited == [{"actor": "boss", "after": {"reference": "transfer 4711"}}]
    await till.balances()


async def test_a_refund_is_completed_once(sales: Sales, till: Till) -> None:
    taken, refund = await a_manual_refund(till)

    answers = await asyncio.gather(
        *(
            ask(sales, "POST", f"/refunds/{refund}/completion", json={"reference": f"transfer {number}"})
            for number in range(6)
        )
    )

    assert sorted(each.status_code for each in answers) == [200] + [409] * 5
    assert {code(each) for each in answers if each.status_code == 409} == {"INVALID_STATUS_TRANSITION"}
    assert (await till.payment(taken))["refunded"] == PRICE
    [done] = [each.json()["reference"] for each in answers if each.status_code == 200]
    again = await ask(sales, "POST", f"/refunds/{refund}/completion", json={"reference": done})
    assert (again.status_code, again.json()["reference"]) == (200, done)
    await till.balances()


async def test_only_what_is_left_to_people_is_completed(sales: Sales, till: Till) -> None:
    taken = await till.captured()
    done = await till.payments.refund(taken, 500, "return-1", "admin")
    [capture] = await till.rows("SELECT id FROM payment_operations WHERE kind = 'capture'")

    answer = await ask(sales, "POST", f"/refunds/{done.id}/completion", json={"reference": "transfer"})
    assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")
    for unknown in (capture["id"], uuid4()):
        answer = await ask(sales, "POST", f"/refunds/{unknown}/completion", json={"reference": "transfer"})
        assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reference": ""},
        {"reference": " x"},
        {"reference": "x" * 101},
        {"reference": "ada@example.org"},
        {"reference": "a\nb"},
        {"reference": 1},
        {"reference": "transfer", "amount": "1.00"},
    ],
)
async def test_a_completion_that_says_something_else_is_refused(sales: Sales, till: Till, body: dict[str, Any]) -> None:
    _, refund = await a_manual_refund(till)

    answer = await ask(sales, "POST", f"/refunds/{refund}/completion", json=body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


async def test_the_refunds_that_wait_longest_come_first(sales: Sales, till: Till) -> None:
    made = [str((await a_manual_refund(till))[1]) for _ in range(3)]

    first = (await ask(sales, "GET", "/refunds", params={"state": "manual", "limit": 2})).json()
    rest = (
        await ask(sales, "GET", "/refunds", params={"state": "manual", "limit": 2, "cursor": first["next_cursor"]})
    ).json()

    assert [each["id"] for each in first["items"] + rest["items"]] == made
    assert rest["next_cursor"] is None


ROUTES = [
    ("GET", "/payments"),
    ("GET", "/payments/{id}"),
    ("POST", "/payments/{id}/capture"),
    ("GET", "/refunds"),
    ("POST", "/refunds/{id}/completion"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_only_admins_are_let_in(sales: Sales, till: Till, method: str, path: str) -> None:
    held = await till.authorised()
    at = path.format(id=held)

    for roles in (("customer",), ("warehouse",)):
        answer = await ask(sales, method, at, *roles, json={"reference": "transfer"})
        assert (answer.status_code, code(answer)) == (403, "FORBIDDEN")
    async with sales.client(None) as client:
        answer = await client.request(method, f"/api/v1{at}")
    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
    assert await till.state(held) == "AUTHORISED"


@pytest.mark.parametrize("path", ["/payments/{}", "/payments/{}/capture", "/refunds/{}/completion"])
async def test_what_is_not_there_is_not_found(sales: Sales, path: str) -> None:
    method = "POST" if path.endswith(("capture", "completion")) else "GET"

    answer = await ask(sales, method, path.format(uuid4()), json={"reference": "transfer"})
    strange = await ask(sales, method, path.format("1"), json={"reference": "transfer"})

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
    assert (strange.status_code, code(strange)) == (400, "VALIDATION_ERROR")
