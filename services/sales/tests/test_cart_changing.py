"""Changing what is in a cart: other quantities, things taken out, everything taken out."""

from uuid import uuid4

import pytest

from chassis import steps
from services.sales.tests.factories import Sales
from services.sales.tests.fake_product import Ware
from services.sales.tests.shopping import a_customer, a_guest, refused


@pytest.mark.rule("AC-CART-002")
@pytest.mark.parametrize("quantity", [1, 7, 50])
async def test_another_quantity_is_answered_with_the_new_total_and_told(sales: Sales, quantity: int) -> None:
    grace = a_customer(sales)
    await grace.has("lamp", 2)
    desk = await grace.has("desk", 3)

    answer = await grace.change(desk, quantity)

    total = 2 * 1999 + quantity * 24900
    told = (await sales.published("cart.quantity_updated"))[0]["data"]
    assert answer.status_code == 200
    assert answer.json()["total"] == f"{total // 100}.{total % 100:02d}"
    assert await grace.quantities() == {"lamp": 2, "desk": quantity}
    assert told == {
        "cart_id": answer.json()["cart_id"],
        "customer_id": "grace",
        "item_id": desk,
        "product_id": "desk",
        "previous_quantity": 3,
        "quantity": quantity,
        "unit_price": "249.00",
        "currency": "USD",
    }


async def test_what_is_changed_has_the_name_and_price_of_then(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    sales.product.wares["lamp"] = Ware(150, 2500, "A better lamp", "EUR")

    [item] = (await grace.change(lamp, 3)).json()["items"]

    assert (item["name"], item["unit_price"], item["currency"]) == ("A better lamp", "25.00", "EUR")


@pytest.mark.rule("BR-CART-001")
@pytest.mark.parametrize("stock", [0, 5])
async def test_more_than_there_are_is_refused_and_said_how_many_there_are(sales: Sales, stock: int) -> None:
    grace = a_customer(sales)
    desk = await grace.has("desk", 3)
    sales.product.wares["desk"] = Ware(stock)

    answer = await grace.change(desk, 6)

    [detail] = answer.json()["error"]["details"]
    assert refused(answer) == (400, "QUANTITY_EXCEEDS_STOCK")
    assert (detail["field"], detail["requested"], detail["available"]) == ("quantity", 6, stock)
    assert await grace.quantities() == {"desk": 3}


async def test_what_is_not_in_the_cart_cannot_be_changed(sales: Sales) -> None:
    grace, ada = a_customer(sales, "grace"), a_customer(sales, "ada")
    adas, gone = await ada.has("lamp", 2), await grace.has("desk")
    await grace.remove(gone)
    quoted = sales.product.quoted

    answers = [await grace.change(item, quantity) for item in (adas, gone, uuid4()) for quantity in (0, 1)]
    without_a_cart = [await a_customer(sales, "linus").change(adas, quantity) for quantity in (0, 1)]

    assert {refused(answer) for answer in answers + without_a_cart} == {(404, "ITEM_NOT_FOUND")}
    assert await ada.quantities() == {"lamp": 2}
    assert sales.product.quoted == quoted + 1


@pytest.mark.rule("BR-PROD-002")
@pytest.mark.parametrize(("ware", "code"), [(None, "PRODUCT_NOT_AVAILABLE"), ("inactive", "PRODUCT_NOT_AVAILABLE")])
async def test_what_is_not_sold_any_more_can_only_be_taken_out(sales: Sales, ware: str | None, code: str) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    if ware is None:
        del sales.product.wares["lamp"]
    else:
        sales.product.wares["lamp"] = Ware(9, on_sale=False)

    assert refused(await grace.change(lamp, 1)) == (400, code)
    assert (await grace.change(lamp, 0)).status_code == 200


async def test_what_comes_in_variants_by_now_can_only_be_taken_out(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    sales.product.wares["lamp"].variants[uuid4()] = Ware(9)

    assert refused(await grace.change(lamp, 1)) == (400, "VARIANT_REQUIRED")
    assert (await grace.remove(lamp)).status_code == 200


async def test_the_same_quantity_again_changes_nothing_and_tells_nobody(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    sales.product.wares["lamp"] = Ware(150, 2500, "A better lamp")
    stored, told = await sales.rows("SELECT * FROM cart_items"), await sales.published()

    answer = await grace.change(lamp, 2)

    assert answer.status_code == 200
    assert await sales.rows("SELECT * FROM cart_items") == stored
    assert await sales.published() == told


async def test_the_same_quantity_again_is_refused_when_there_are_not_so_many_any_more(sales: Sales) -> None:
    grace = a_customer(sales)
    desk = await grace.has("desk", 3)
    sales.product.wares["desk"] = Ware(2)

    assert refused(await grace.change(desk, 3)) == (400, "QUANTITY_EXCEEDS_STOCK")


@pytest.mark.rule("AC-CART-003")
async def test_what_is_taken_out_is_told_and_the_rest_stays(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    await grace.has("desk", 1)

    answer = await grace.remove(lamp)

    told = (await sales.published("cart.item_removed"))[0]["data"]
    assert (answer.status_code, answer.json()["total"]) == (200, "249.00")
    assert await grace.quantities() == {"desk": 1}
    assert told == {
        "cart_id": answer.json()["cart_id"],
        "customer_id": "grace",
        "item_id": lamp,
        "product_id": "lamp",
        "quantity": 2,
    }


async def test_what_is_not_in_the_cart_cannot_be_taken_out(sales: Sales) -> None:
    grace, ada = a_customer(sales, "grace"), a_customer(sales, "ada")
    adas, gone = await ada.has("lamp", 2), await grace.has("desk")
    await grace.remove(gone)
    told = await sales.published()

    answers = [await grace.remove(item) for item in (adas, gone, uuid4())]
    without_a_cart = await a_customer(sales, "linus").remove(adas)

    assert {refused(answer) for answer in [*answers, without_a_cart]} == {(404, "ITEM_NOT_FOUND")}
    assert await ada.quantities() == {"lamp": 2}
    assert await sales.published() == told


async def test_a_quantity_of_zero_takes_it_out_without_asking_product(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    await sales.product.stop()

    answer = await grace.change(lamp, 0)

    assert (answer.status_code, answer.json()["items"], answer.json()["totals"]) == (200, [], [])
    assert [event["data"]["quantity"] for event in await sales.published("cart.item_removed")] == [2]


async def test_clearing_takes_everything_out_at_once(sales: Sales) -> None:
    grace, ada = a_customer(sales, "grace"), a_customer(sales, "ada")
    await grace.has("lamp", 2)
    await grace.has("desk", 1)
    await ada.has("desk", 1)

    answer = await grace.clear()

    told = [event["data"] for event in await sales.published("cart.cleared")]
    assert (answer.status_code, answer.json()["items"], answer.json()["total"]) == (200, [], None)
    assert told == [{"cart_id": answer.json()["cart_id"], "customer_id": "grace", "item_count": 2}]
    assert await sales.published("cart.item_removed") == []
    assert await ada.quantities() == {"desk": 1}


async def test_clearing_an_empty_cart_tells_nobody(sales: Sales) -> None:
    grace = a_customer(sales)

    answers = [await grace.clear(), await grace.clear(), await (await a_guest(sales)).clear()]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert await sales.published() == []


async def test_what_was_taken_out_is_a_new_item_when_it_comes_again(sales: Sales) -> None:
    grace = a_customer(sales)
    first = await grace.has("lamp", 2)
    await grace.remove(first)

    again = await grace.has("lamp", 1)

    assert again != first
    assert await grace.quantities() == {"lamp": 1}


async def test_the_steps_are_those_of_the_sequence_designs(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)

    with steps.record() as recording:
        await grace.change(lamp, 3)
        await grace.change(lamp, 0)
        await grace.has("lamp")
        [item] = (await grace.cart())["items"]
        await grace.remove(item["item_id"])

    walked = [(step.caller, step.participant, step.action, step.emits) for step in recording.steps]
    assert [step for step in walked if "add" not in step[2].lower() and "Total" not in step[2]] == [
        (None, "CartService", "updateQuantity", ()),
        ("CartService", "CartAggregate", "updateQuantity", ("CartQuantityUpdated",)),
        (None, "CartService", "updateQuantity", ()),
        ("CartService", "CartAggregate", "removeItem", ("ItemRemovedFromCart",)),
        (None, "CartService", "removeItem", ()),
        ("CartService", "CartAggregate", "removeItem", ("ItemRemovedFromCart",)),
    ]
