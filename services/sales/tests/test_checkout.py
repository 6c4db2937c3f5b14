"""Checking out: the cart becomes an order that is paid by card, or nothing at all has happened."""

import asyncio

import pytest

from services.sales.tests.checkout import becomes, buyer_with, check_out, fields, paid, payment_of, refused, seen
from services.sales.tests.factories import ADDRESS, Sales, running
from services.sales.tests.fake_product import FakeProduct, Ware
from services.sales.tests.shopping import a_customer
from services.sales.tests.till import Till


@pytest.mark.rule("AC-ORD-001", "BR-ORD-005")
async def test_the_cart_becomes_an_order_that_waits_for_its_money(sales: Sales) -> None:
    await buyer_with(sales, {"lamp": 2, "desk": 1})

    answer = await check_out(sales, note="Ring twice.")

    assert answer.status_code == 201
    order = answer.json()
    assert (order["status"], order["customer_id"], order["note"]) == ("PENDING", "grace", "Ring twice.")
    assert [(item["product_id"], item["quantity"], item["unit_price"]) for item in order["items"]] == [
        ("lamp", 2, "19.99"),
        ("desk", 1, "249.00"),
    ]
    assert (order["subtotal"], order["shipping_cost"], order["total"]) == ("288.98", "0.00", "288.98")
    assert order["shipping_address"] == {**ADDRESS, "line2": None}
    assert order["allowed_actions"] == ["cancel"]
    assert (sales.product.held("lamp"), sales.product.held("desk")) == (2, 1)
    assert (await a_customer(sales).cart())["items"] == []
    [created] = await sales.published("order.created")
    assert (created["data"]["order_id"], created["data"]["status"]) == (order["order_id"], "PENDING")
    assert [event["data"]["item_count"] for event in await sales.published("cart.cleared")] == [2]
    payment = await payment_of(sales, order["order_id"])
    assert (payment["amount"], payment["authorised"], payment["currency"]) == (28898, 28898, "USD")


@pytest.mark.rule("AC-ORD-002", "BR-ORD-005")
async def test_its_money_is_taken_and_it_is_confirmed(sales: Sales, till: Till) -> None:
    await buyer_with(sales)
    order = await paid(sales)

    confirmed = await becomes(sales, order["order_id"], "CONFIRMED")

    assert confirmed["allowed_actions"] == ["cancel"]
    payment = await payment_of(sales, order["order_id"])
    assert (payment["state"], payment["captured"], payment["kept"]) == ("CAPTURED", 3998, 3998)
    [event] = await sales.published("order.confirmed")
    assert (event["data"]["order_id"], event["data"]["total"]) == (order["order_id"], "39.98")
    timeline = (await sales.get(f"/{order['order_id']}/timeline")).json()["entries"]
    assert [(entry["to_status"], entry["actor"]) for entry in timeline] == [
        ("PENDING", "grace"),
        ("CONFIRMED", "payments"),
    ]
    [audited] = await sales.rows("SELECT * FROM audit_log WHERE action = 'order.confirmed'")
    assert (audited["before"], audited["after"]) == ({"status": "PENDING"}, {"status": "CONFIRMED"})
    await till.balances()


@pytest.mark.rule("BR-ORD-002")
async def test_it_is_charged_what_things_cost_now_and_not_when_they_were_put_into_the_cart(sales: Sales) -> None:
    await buyer_with(sales)
    sales.product.wares["lamp"].price = 2500

    order = await paid(sales)

    assert order["total"] == "50.00"
    assert (await payment_of(sales, order["order_id"]))["amount"] == 5000


async def test_it_goes_to_the_address_on_file_or_to_a_chosen_one(sales: Sales) -> None:
    await buyer_with(sales)
    async with sales.client() as client:
        home = await client.post("/api/v1/customers/me/addresses", json={**ADDRESS, "line1": "1 Home Street"})
        work = await client.post("/api/v1/customers/me/addresses", json={**ADDRESS, "line1": "2 Work Street"})
    assert (home.status_code, work.status_code) == (201, 201)

    first = await paid(sales, shipping_address=None)
    await a_customer(sales).has("lamp")
    second = await paid(sales, shipping_address=None, address_id=work.json()["address_id"])

    assert first["shipping_address"]["line1"] == "1 Home Street"
    assert second["shipping_address"]["line1"] == "2 Work Street"


async def test_what_is_sold_out_meanwhile_is_named_and_nothing_is_charged(sales: Sales, till: Till) -> None:
    await buyer_with(sales, {"lamp": 2, "desk": 3})
    sales.product.wares["desk"].stock = 1

    answer = await check_out(sales)

    assert refused(answer) == (400, "INSUFFICIENT_STOCK")
    [detail] = answer.json()["error"]["details"]
    assert (detail["product_id"], detail["requested"], detail["available"]) == ("desk", 3, 1)
    assert await sales.count("payments") == 0
    assert await sales.count("orders") == 0
    assert sales.product.held() == 0
    assert await a_customer(sales).quantities() == {"lamp": 2, "desk": 3}


@pytest.mark.rule("BR-ORD-005")
async def test_a_declined_card_leaves_nothing_behind_and_the_cart_as_it_was(sales: Sales, till: Till) -> None:
    await buyer_with(sales)

    answer = await check_out(sales, "tok_decline", key="first")
    again = await check_out(sales, "tok_decline", key="first")
    another_card = await check_out(sales, "tok_ok", key="second")

    assert refused(answer) == (402, "PAYMENT_FAILED")
    assert fields(answer) == ["payment"]
    assert (again.status_code, again.content, again.headers["Idempotency-Replayed"]) == (402, answer.content, "true")
    assert another_card.status_code == 201
    assert sales.product.held() == 2
    await till.quiet()
    await till.balances()


@pytest.mark.rule("BR-ORD-010")
async def test_a_sum_that_the_customer_has_not_seen_is_not_charged(sales: Sales, till: Till) -> None:
    await buyer_with(sales)
    sales.product.wares["lamp"].price = 2500

    answer = await check_out(sales, expected_total="39.98")
    seen_now = await check_out(sales, expected_total="50.00")

    assert refused(answer) == (409, "TOTAL_CHANGED")
    [detail] = answer.json()["error"]["details"]
    assert (detail["field"], detail["total"], detail["currency"]) == ("expected_total", "50.00", "USD")
    assert seen_now.status_code == 201
    assert sales.product.held() == 2
    assert await sales.count("payments") == 1


@pytest.mark.parametrize(
    ("table", "cost"),
    [
        ({"flat": "4.90"}, "4.90"),
        ({"per_kilo": "1.50"}, "4.50"),
        ({"flat": "4.90", "per_kilo": "1.50"}, "9.40"),
        ({"flat": "4.90", "free_from": "39.98"}, "0.00"),
        ({"flat": "4.90", "free_from": "39.99"}, "4.90"),
    ],
)
async def test_shipping_costs_what_the_table_says(
    database_url: str, product: FakeProduct, table: dict[str, str], cost: str
) -> None:
    product.wares["lamp"].weight = 1_001
    async with running(database_url, product, shipping=table) as sales:
        await buyer_with(sales)

        order = await paid(sales)

    assert (order["subtotal"], order["shipping_cost"]) == ("39.98", cost)
    assert float(order["total"]) == pytest.approx(39.98 + float(cost))


async def test_the_same_key_gets_the_first_answer_though_the_cart_is_empty_by_then(sales: Sales) -> None:
    await buyer_with(sales)

    first = await check_out(sales, key="k")
    again = await check_out(sales, key="k")
    other = await check_out(sales, "tok_decline", key="k")

    assert (again.status_code, again.content, again.headers["Idempotency-Replayed"]) == (201, first.content, "true")
    assert refused(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await sales.count("orders") == 1
    assert await sales.count("payments") == 1


@pytest.mark.rule("BR-PAY-001")
async def test_ten_of_the_same_at_once_are_one_order_that_is_paid_once(sales: Sales, till: Till) -> None:
    await buyer_with(sales)

    answers = await asyncio.gather(*(check_out(sales, key="k") for _ in range(10)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert await sales.count("orders") == 1
    assert sales.product.held() == 2
    await till.quiet()
    await till.balances()
    assert len(await sales.rows("SELECT 1 FROM sandbox_operations WHERE kind = 'authorise'")) == 1


async def test_what_is_put_into_the_cart_on_the_way_stays_there(sales: Sales) -> None:
    await buyer_with(sales)
    sales.product.wares["vase"] = Ware(5, 500, "A vase")
    checking_out = asyncio.create_task(check_out(sales, "tok_slow"))
    await until_asked(sales)

    await a_customer(sales).has("vase")
    await a_customer(sales).has("lamp", 3)
    answer = await checking_out

    assert [(item["product_id"], item["quantity"]) for item in answer.json()["items"]] == [("lamp", 2)]
    assert await a_customer(sales).quantities() == {"vase": 1, "lamp": 3}
    assert await sales.published("cart.cleared") == []


async def until_asked(sales: Sales) -> None:
    for _ in range(200):
        if await sales.rows("SELECT 1 FROM payments"):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("No payment was begun.")


async def test_while_product_is_away_nothing_is_charged(sales: Sales) -> None:
    await buyer_with(sales)
    await sales.product.stop()

    answer = await check_out(sales)

    assert refused(answer) == (503, "SERVICE_UNAVAILABLE")
    assert await sales.count("payments") == 0


@pytest.mark.rule("BR-PAY-002")
async def test_the_cards_token_is_written_down_nowhere_but_at_the_gateway(sales: Sales, till: Till) -> None:
    await buyer_with(sales)
    card = "tok_ok__slow_0"

    order = await paid(sales, card, key="k")
    await becomes(sales, order["order_id"], "CONFIRMED")

    tables = await sales.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in {row["tablename"] for row in tables} - {"sandbox_operations"}:
        assert card not in str(await sales.rows(f"SELECT * FROM {table}")), table
    assert card not in str(await seen(sales, order["order_id"]))
