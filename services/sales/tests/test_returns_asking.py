"""Asking to send something back: of what was delivered, in time, and never more than was ordered."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from chassis.ids import uuid7
from contracts.sales.orders import OrderStatus
from services.sales.tests.checkout import refused
from services.sales.tests.factories import Sales, an_order, wanted
from services.sales.tests.profiles import customer
from services.sales.tests.returning import (
    a_shirt,
    arrived,
    ask,
    asked,
    audited,
    delivered,
    goods,
    received,
    refund,
    reject,
    stands,
)


async def test_what_was_delivered_can_be_sent_back(sales: Sales) -> None:
    order = await delivered(sales)

    answer = await ask(sales, order, "lamp", "desk", reason="Too bright.")

    assert answer.status_code == 201
    one = answer.json()
    assert (one["state"], one["order_id"], one["customer_id"]) == ("REQUESTED", order["order_id"], "grace")
    assert [(item["product_id"], item["name"], item["quantity"], item["subtotal"]) for item in one["items"]] == [
        ("lamp", "A lamp", 1, "19.99"),
        ("desk", "A desk", 1, "249.00"),
    ]
    assert (one["price"], one["currency"], one["reason"], one["refund"]) == ("268.99", "USD", "Too bright.", None)
    assert await stands(sales, one["return_id"]) == one
    [told] = await sales.published("order.return_requested")
    assert told["data"] == {
        "return_id": one["return_id"],
        "order_id": order["order_id"],
        "customer_id": "grace",
        "items": [{"product_id": "lamp", "quantity": 1}, {"product_id": "desk", "quantity": 1}],
        "requested_at": one["created_at"],
    }


async def test_it_is_on_record_without_the_customers_words(sales: Sales) -> None:
    order = await delivered(sales)

    answer = await ask(sales, order, ("lamp", 2), reason="My name is Grace Example.")

    [row] = await audited(sales, "return.requested")
    assert (row["actor"], row["entity_id"]) == ("grace", answer.json()["return_id"])
    assert row["after"] == {"order_id": order["order_id"], "pieces": 2}
    assert await sales.rows("SELECT 1 FROM outbox WHERE body LIKE '%Grace Example.%'") == []


async def test_an_admin_asks_for_the_customer(sales: Sales) -> None:
    order = await delivered(sales)

    answer = await ask(sales, order, by="root", roles=("admin",))

    assert (answer.status_code, answer.json()["customer_id"]) == (201, "grace")
    assert (await audited(sales, "return.requested"))[0]["actor"] == "root"


@pytest.mark.parametrize(
    ("by", "roles", "status"),
    [
        ("mallory", ("customer",), 404),
        ("clerk", ("warehouse",), 403),
        (None, (), 401),
    ],
)
async def test_nobody_else_does(sales: Sales, by: str | None, roles: Any, status: int) -> None:
    order = await delivered(sales)

    answer = await ask(sales, order, by=by, roles=roles)

    assert answer.status_code == status
    assert await sales.count("returns") == 0


async def test_of_an_order_that_is_none_nothing_comes_back(sales: Sales) -> None:
    assert refused(await ask(sales, {"order_id": uuid7()})) == (404, "NOT_FOUND")
    assert refused(await ask(sales, {"order_id": "none"})) == (400, "VALIDATION_ERROR")


async def test_an_erased_customer_asks_for_nothing_any_more(sales: Sales) -> None:
    order = await delivered(sales)
    await customer(sales, "grace")
    await sales.rows("UPDATE customers SET status = 'ERASED', name = '', email = id RETURNING 1")

    assert refused(await ask(sales, order)) == (401, "UNAUTHENTICATED")
    assert await sales.count("returns") == 0


@pytest.mark.rule("BR-RET-001")
@pytest.mark.parametrize("status", sorted(set(OrderStatus) - {OrderStatus.DELIVERED, OrderStatus.CANCELLED}))
async def test_only_what_was_delivered_comes_back(sales: Sales, status: OrderStatus) -> None:
    order = an_order(status=status)
    await sales.write(order)

    assert refused(await ask(sales, {"order_id": order.id})) == (409, "RETURN_NOT_ALLOWED")


async def test_a_cancelled_order_is_not_returned(sales: Sales) -> None:
    order = (await sales.order()).json()
    async with sales.client() as client:
        await client.post(f"/api/v1/orders/{order['order_id']}/cancellation")

    assert refused(await ask(sales, order)) == (409, "RETURN_NOT_ALLOWED")


@pytest.mark.rule("BR-RET-001")
@pytest.mark.parametrize(("days", "status"), [("29 days 23 hours", 201), ("30 days 1 minute", 409)])
async def test_it_has_thirty_days(sales: Sales, days: str, status: int) -> None:
    order = await delivered(sales)
    await sales.rows(f"UPDATE orders SET delivered_at = now() - interval '{days}' RETURNING 1")

    answer = await ask(sales, order)

    assert answer.status_code == status
    assert status == 201 or refused(answer) == (409, "RETURN_NOT_ALLOWED")


async def test_it_has_as_long_as_the_merchant_says(database_url: str, sales: Sales) -> None:
    assert sales.settings_like(shipping={"returns_within": "P3D"}).shipping.returns_within.days == 3


@pytest.mark.rule("BR-RET-001")
async def test_no_more_comes_back_than_was_ordered(sales: Sales) -> None:
    order = await delivered(sales, ("lamp", 3))

    answer = await ask(sales, order, ("lamp", 4))

    assert refused(answer) == (400, "QUANTITY_EXCEEDS_ORDER")
    [detail] = answer.json()["error"]["details"]
    assert (detail["field"], detail["product_id"], detail["left"]) == ("items.0.quantity", "lamp", 3)
    assert await sales.count("returns") == 0


async def test_the_same_item_twice_adds_up(sales: Sales) -> None:
    order = await delivered(sales, ("lamp", 3))

    answer = await ask(sales, order, ("lamp", 2), ("lamp", 2))
    fits = await ask(sales, order, ("lamp", 2), ("lamp", 1))

    assert refused(answer) == (400, "QUANTITY_EXCEEDS_ORDER")
    assert answer.json()["error"]["details"][0]["field"] == "items.1.quantity"
    assert [item["quantity"] for item in fits.json()["items"]] == [3]


async def test_what_other_returns_hold_is_not_left(sales: Sales) -> None:
    order = await delivered(sales, ("lamp", 4))
    await asked(sales, order)
    await received(sales, order)
    await refund(sales, await received(sales, order))

    answer = await ask(sales, order, ("lamp", 2))

    assert refused(answer) == (400, "QUANTITY_EXCEEDS_ORDER")
    assert answer.json()["error"]["details"][0]["left"] == 1
    assert (await ask(sales, order, ("lamp", 1))).status_code == 201


async def test_what_was_rejected_can_be_asked_for_again(sales: Sales) -> None:
    order = await delivered(sales, ("lamp", 2))
    await reject(sales, await asked(sales, order, ("lamp", 2)))

    assert (await ask(sales, order, ("lamp", 2))).status_code == 201


async def test_other_orders_are_not_counted(sales: Sales) -> None:
    first, second = await delivered(sales, "lamp"), await delivered(sales, "lamp")
    await asked(sales, first)

    assert (await ask(sales, second)).status_code == 201


async def test_what_is_not_part_of_the_order_is_refused(sales: Sales) -> None:
    variant = uuid7()
    a_shirt(sales.product, variant)
    body = {**wanted(), "items": [{"product_id": "shirt", "variant_id": str(variant), "quantity": 1}]}
    order = await arrived(sales, (await sales.order(body)).json())

    stranger = await ask(sales, order, "lamp")
    without = await ask(sales, order, "shirt")
    right = await ask(sales, order, items=body["items"])

    assert refused(stranger) == refused(without) == (400, "VALIDATION_ERROR")
    assert stranger.json()["error"]["details"][0]["field"] == "items.0.product_id"
    assert right.json()["items"][0]["variant_id"] == str(variant)


@pytest.mark.parametrize(
    "body",
    [
        {"items": []},
        {"items": goods("lamp") * 51},
        {"items": [{"product_id": "lamp", "quantity": 0}]},
        {"items": [{"product_id": "lamp", "quantity": -1}]},
        {"items": [{"product_id": "lamp", "quantity": 10_001}]},
        {"items": [{"product_id": "lamp", "quantity": 1.5}]},
        {"items": [{"product_id": "la\x00mp", "quantity": 1}]},
        {"items": [{"product_id": "lamp", "quantity": 1, "unit_price": "1000.00"}]},
        {"items": [{"product_id": "lamp", "variant_id": "L", "quantity": 1}]},
        {"reason": "\x00"},
        {"reason": "x" * 1001},
        {"reason": 5},
        {"customer_id": "mallory"},
    ],
)
async def test_what_is_no_return_is_refused(sales: Sales, body: dict[str, Any]) -> None:
    order = await delivered(sales, "lamp")

    assert refused(await ask(sales, order, **body)) == (400, "VALIDATION_ERROR")
    assert await sales.count("returns") == 0


async def test_the_same_key_asks_once(sales: Sales) -> None:
    order = await delivered(sales, ("lamp", 2))

    first = await ask(sales, order, key="k")
    again = await ask(sales, order, key="k")
    other = await ask(sales, order, ("lamp", 2), key="k")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert refused(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await sales.count("returns") == 1


@pytest.mark.rule("BR-RET-001")
async def test_of_many_who_want_the_last_piece_back_at_once_one_does(sales: Sales) -> None:
    order = await delivered(sales, ("lamp", 3))

    answers = await asyncio.gather(*(ask(sales, order, ("lamp", 2)) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7
    assert {refused(answer)[1] for answer in answers if answer.status_code == 400} == {"QUANTITY_EXCEEDS_ORDER"}
    assert await sales.rows("SELECT sum(quantity) AS pieces FROM return_items") == [{"pieces": 2}]


async def test_who_asks_waits_for_whoever_has_the_order(sales: Sales) -> None:
    order = await delivered(sales, "lamp")

    async with sales.holding("orders", UUID(order["order_id"])):
        asking = asyncio.create_task(ask(sales, order))
        assert await sales.waits(asking)

    assert (await asking).status_code == 201
