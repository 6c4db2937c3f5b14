"""Adding to a cart: what is answered, stored and told, and why not."""

import asyncio
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from sqlalchemy import QueuePool

from chassis import steps
from contracts.text import MAX_QUANTITY
from services.sales.tests.factories import Sales
from services.sales.tests.fake_product import Do, Ware, does_it_late, says
from services.sales.tests.shopping import a_customer, a_guest, refused

RED, BLUE = uuid4(), uuid4()


def with_shirts(sales: Sales) -> None:
    variants = {RED: Ware(3, 1500, "A shirt, red"), BLUE: Ware(0, 1600, "A shirt, blue")}
    sales.product.wares["shirt"] = Ware(0, 1400, "A shirt", variants=variants)


@pytest.mark.rule("AC-CART-001")
async def test_what_is_added_is_in_the_cart_with_its_name_its_price_and_the_new_total(sales: Sales) -> None:
    grace = a_customer(sales)
    await grace.has("lamp", 2)

    answer = await grace.add("desk", 1)

    said = answer.json()
    lamp, desk = said["items"]
    assert answer.status_code == 201
    assert UUID(lamp.pop("item_id")).version == UUID(said["cart_id"]).version == 7
    assert lamp == {
        "product_id": "lamp",
        "variant_id": None,
        "name": "A lamp",
        "quantity": 2,
        "unit_price": "19.99",
        "currency": "USD",
        "subtotal": "39.98",
        "notes": [],
    }
    assert (desk["name"], desk["subtotal"]) == ("A desk", "249.00")
    assert (said["total"], said["currency"]) == ("288.98", "USD")
    assert said["totals"] == [{"currency": "USD", "total": "288.98"}]


async def test_what_was_answered_is_what_is_shown_later(sales: Sales) -> None:
    grace = a_customer(sales)

    answered = (await grace.add("lamp", 2)).json()

    assert await grace.cart() == {**answered, "refreshed": True}
    assert answered["refreshed"] is False


async def test_an_event_tells_what_was_added(sales: Sales) -> None:
    grace = a_customer(sales)
    await grace.add("lamp", 2)

    answer = await grace.add("lamp", 3)

    [_, event] = await sales.published()
    assert (event["event_type"], event["source"]) == ("cart.item_added", "sales-service")
    assert event["data"] == {
        "cart_id": answer.json()["cart_id"],
        "customer_id": "grace",
        "item_id": answer.json()["items"][0]["item_id"],
        "product_id": "lamp",
        "added": 3,
        "quantity": 5,
        "unit_price": "19.99",
        "currency": "USD",
    }


async def test_the_item_and_its_event_are_written_in_one_transaction(sales: Sales) -> None:
    await a_customer(sales).add("lamp", 2)

    [item] = await sales.rows("SELECT *, xmin::text AS tx FROM cart_items")
    [cart] = await sales.rows("SELECT *, xmin::text AS tx FROM carts")
    [event] = await sales.rows("SELECT *, xmin::text AS tx FROM outbox")
    assert (item["quantity"], item["unit_price"], item["cart_id"]) == (2, 1999, cart["id"])
    assert item["tx"] == cart["tx"] == event["tx"]


async def test_the_same_product_adds_up_at_its_newest_price_and_its_variants_are_items_of_their_own(
    sales: Sales,
) -> None:
    with_shirts(sales)
    grace = a_customer(sales)
    await grace.has("lamp", 2)
    await grace.has("shirt", 1, variant=RED)
    sales.product.wares["lamp"] = Ware(150, 2500, "A better lamp")
    sales.product.wares["shirt"].variants[BLUE] = Ware(9, 1600, "A shirt, blue")

    await grace.has("shirt", 2, variant=BLUE)
    said = (await grace.add("lamp", 3)).json()

    assert [(item["name"], item["quantity"], item["unit_price"]) for item in said["items"]] == [
        ("A better lamp", 5, "25.00"),
        ("A shirt, red", 1, "15.00"),
        ("A shirt, blue", 2, "16.00"),
    ]
    assert said["items"][1]["variant_id"] == str(RED)


@pytest.mark.rule("BR-CART-001")
async def test_what_there_is_none_left_of_is_refused(sales: Sales) -> None:
    with_shirts(sales)
    grace = a_customer(sales)

    answer = await grace.add("shirt", 1, variant=BLUE)

    assert refused(answer) == (400, "OUT_OF_STOCK")
    assert answer.json()["error"]["details"] == [
        {
            "field": "quantity",
            "message": "There is none left of it.",
            "product_id": "shirt",
            "variant_id": str(BLUE),
            "requested": 1,
            "available": 0,
        }
    ]


@pytest.mark.rule("BR-CART-001")
async def test_more_than_there_are_is_refused_and_said_how_many_there_are(sales: Sales) -> None:
    answer = await a_customer(sales).add("desk", 51)

    assert refused(answer) == (400, "QUANTITY_EXCEEDS_STOCK")
    assert answer.json()["error"]["details"] == [
        {
            "field": "quantity",
            "message": "50 available, 51 asked for.",
            "product_id": "desk",
            "requested": 51,
            "available": 50,
        }
    ]


@pytest.mark.rule("BR-CART-001")
async def test_what_is_in_the_cart_already_counts(sales: Sales) -> None:
    grace = a_customer(sales)
    await grace.has("desk", 30)

    answer = await grace.add("desk", 21)
    just_enough = await grace.add("desk", 20)

    [detail] = answer.json()["error"]["details"]
    assert refused(answer) == (400, "QUANTITY_EXCEEDS_STOCK")
    assert (detail["requested"], detail["available"]) == (51, 50)
    assert just_enough.json()["items"][0]["quantity"] == 50


@pytest.mark.rule("BR-CART-002")
async def test_of_what_comes_in_variants_one_has_to_be_chosen(sales: Sales) -> None:
    with_shirts(sales)

    answer = await a_customer(sales).add("shirt")

    assert refused(answer) == (400, "VARIANT_REQUIRED")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["variant_id"]


@pytest.mark.parametrize("what", ["inactive", "unknown", "unknown variant", "variant of what has none"])
async def test_what_is_not_sold_is_refused(sales: Sales, what: str) -> None:
    with_shirts(sales)
    sales.product.wares["relic"] = Ware(9, on_sale=False)
    product_id = {"inactive": "relic", "unknown": "unicorn", "unknown variant": "shirt"}.get(what, "lamp")

    answer = await a_customer(sales).add(product_id, variant=uuid4() if "variant" in what else None)

    assert refused(answer) == (400, "PRODUCT_NOT_AVAILABLE")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["product_id"]


@pytest.mark.parametrize("product_id", ["unicorn", "desk"])
async def test_what_is_refused_changes_nothing_and_tells_nobody(sales: Sales, product_id: str) -> None:
    grace = a_customer(sales)
    await grace.has("desk", 30)
    told, [cart] = await sales.published(), await sales.rows("SELECT * FROM carts")

    assert (await grace.add(product_id, 30)).status_code == 400

    assert await sales.published() == told
    assert await sales.rows("SELECT * FROM carts") == [cart]
    assert await grace.quantities() == {"desk": 30}


async def test_the_first_refusal_does_not_even_open_a_cart(sales: Sales) -> None:
    assert (await a_customer(sales).add("desk", 51)).status_code == 400

    assert await sales.count("carts") == 0


async def test_a_cart_takes_fifty_things_and_ten_thousand_of_each(sales: Sales) -> None:
    sales.product.everything_else = Ware(10**9)
    grace = a_customer(sales)
    for number in range(50):
        await grace.has(f"thing-{number}")

    one_more = await grace.add("thing-50")
    more_of_one = await grace.add("thing-7", MAX_QUANTITY - 1)
    too_many = await grace.add("thing-7", 1)

    assert refused(one_more) == refused(too_many) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in too_many.json()["error"]["details"]] == ["quantity"]
    assert more_of_one.status_code == 201
    assert (await grace.quantities())["thing-7"] == MAX_QUANTITY
    assert await sales.count("cart_items") == 50


async def test_a_cart_may_come_to_more_than_any_order(sales: Sales) -> None:
    sales.product.wares["yacht"] = Ware(10_000, 10**12)

    said = (await a_customer(sales).add("yacht", 10_000)).json()

    assert said["total"] == said["items"][0]["subtotal"] == "100000000000000.00"


async def test_each_has_a_cart_of_their_own(sales: Sales) -> None:
    grace, ada, guest = a_customer(sales, "grace"), a_customer(sales, "ada"), await a_guest(sales)

    await grace.add("lamp", 1)
    await ada.add("lamp", 2)
    await guest.add("lamp", 3)

    assert [(await each.quantities())["lamp"] for each in (grace, ada, guest)] == [1, 2, 3]
    assert [event["data"].get("customer_id") for event in await sales.published()] == ["grace", "ada", None]


async def test_the_same_request_twice_adds_once_and_is_answered_the_same_even_when_nothing_is_left(
    sales: Sales,
) -> None:
    for shopper in (a_customer(sales), await a_guest(sales)):
        sales.product.wares["lamp"] = Ware(5)
        first = await shopper.add("lamp", 5, key="key")
        sales.product.wares["lamp"] = Ware(0)
        quoted = sales.product.quoted

        with sales.product.having(says(500)):
            again = await shopper.add("lamp", 5, key="key")
        other = await shopper.add("lamp", 4, key="key")

        assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert "idempotency-replayed" not in first.headers
        assert refused(other) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert sales.product.quoted == quoted
        assert await shopper.quantities() == {"lamp": 5}


async def test_the_same_key_of_another_guest_is_another_key(sales: Sales) -> None:
    mary, joan = await a_guest(sales), await a_guest(sales)

    marys, joans = await mary.add(key="key"), await joan.add(key="key")

    assert marys.json()["cart_id"] != joans.json()["cart_id"]
    assert "idempotency-replayed" not in joans.headers


async def test_a_refusal_is_not_kept_for_the_key(sales: Sales) -> None:
    grace = a_customer(sales)
    assert refused(await grace.add("desk", 51, key="key")) == (400, "QUANTITY_EXCEEDS_STOCK")
    sales.product.wares["desk"] = Ware(51)

    assert (await grace.add("desk", 51, key="key")).status_code == 201


@pytest.mark.parametrize("key", [None, "key"])
async def test_nothing_is_held_in_the_database_while_product_is_asked(sales: Sales, key: str | None) -> None:
    pool, seen = sales.service.database.engine.pool, []
    assert isinstance(pool, QueuePool)

    async def watching(_: web.Request, do: Do) -> web.Response:
        seen.append(pool.checkedout())
        return await do()

    with sales.product.having(watching):
        assert (await a_customer(sales).add(key=key)).status_code == 201

    assert seen == [0]


async def test_the_steps_are_those_of_the_sequence_design(sales: Sales) -> None:
    with steps.record() as recording:
        await a_customer(sales).add("lamp", 2)

    assert [(step.caller, step.participant, step.action, step.emits) for step in recording.steps] == [
        (None, "CartService", "addToCart", ()),
        ("CartService", "CartAggregate", "addItem", ("ItemAddedToCart",)),
        ("CartService", "CartAggregate", "recalculateTotal", ()),
    ]


async def test_of_two_requests_with_one_key_at_once_one_adds(sales: Sales) -> None:
    grace = a_customer(sales)
    with sales.product.having(does_it_late(0.1)):
        answers = await asyncio.gather(*(grace.add("lamp", 2, key="key") for _ in range(5)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert await grace.quantities() == {"lamp": 2}
