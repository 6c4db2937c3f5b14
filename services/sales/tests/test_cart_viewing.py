"""Looking into a cart: names, prices and stock of this moment, and what is different from before."""

from typing import Any
from uuid import uuid4

import pytest

from services.sales.tests.factories import Sales
from services.sales.tests.fake_product import Ware
from services.sales.tests.shopping import a_customer, a_guest


def notes(cart: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {
        item["product_id"]: [
            {name: value for name, value in note.items() if value is not None} for note in item["notes"]
        ]
        for item in cart["items"]
    }


async def test_who_has_put_nothing_in_sees_an_empty_cart_and_none_is_made(sales: Sales) -> None:
    shown = await a_customer(sales).cart()

    assert shown == {
        "cart_id": None,
        "items": [],
        "total": None,
        "currency": None,
        "totals": [],
        "refreshed": True,
    }
    assert (await (await a_guest(sales)).cart())["items"] == []
    assert sales.product.quoted == 0
    assert await sales.rows("SELECT 1 FROM carts WHERE customer_id IS NOT NULL") == []


@pytest.mark.rule("BR-CART-003", "AC-PRICE-001")
async def test_names_and_prices_are_those_of_now_asked_for_at_once(sales: Sales) -> None:
    grace = a_customer(sales)
    await grace.has("lamp", 2)
    await grace.has("desk", 1)
    sales.product.wares["lamp"] = Ware(150, 2500, "A better lamp")
    quoted = sales.product.quoted

    shown = await grace.cart()

    assert sales.product.quoted == quoted + 1
    assert shown["refreshed"] is True
    assert (shown["items"][0]["name"], shown["items"][0]["unit_price"]) == ("A better lamp", "25.00")
    assert (shown["total"], shown["currency"]) == ("299.00", "USD")
    assert notes(shown) == {
        "lamp": [{"code": "PRICE_CHANGED", "previous_price": "19.99", "previous_currency": "USD"}],
        "desk": [],
    }


async def test_looking_changes_nothing_and_so_it_is_noted_again(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    sales.product.wares["lamp"] = Ware(150, 2500)
    stored = await sales.rows("SELECT * FROM cart_items, carts")

    assert notes(await grace.cart()) == notes(await grace.cart()) != {"lamp": []}
    assert await sales.rows("SELECT * FROM cart_items, carts") == stored
    await grace.change(lamp, 3)
    assert notes(await grace.cart()) == {"lamp": []}


@pytest.mark.rule("BR-CART-003")
async def test_what_cannot_be_had_is_noted_and_costs_nothing(sales: Sales) -> None:
    grace = a_customer(sales)
    sales.product.wares |= {name: Ware(9, 1000) for name in ("relic", "legend", "shirt", "bread", "scarce")}
    for name in ("lamp", "relic", "legend", "shirt", "bread", "scarce"):
        await grace.has(name, 3)
    sales.product.wares["relic"].on_sale = False
    del sales.product.wares["legend"]
    sales.product.wares["shirt"].variants[uuid4()] = Ware(9)
    sales.product.wares["bread"] = Ware(0, 1200)
    sales.product.wares["scarce"] = Ware(2, 1000)

    shown = await grace.cart()

    assert notes(shown) == {
        "lamp": [],
        "relic": [{"code": "NOT_AVAILABLE"}],
        "legend": [{"code": "NOT_AVAILABLE"}],
        "shirt": [{"code": "NOT_AVAILABLE"}],
        "bread": [
            {"code": "PRICE_CHANGED", "previous_price": "10.00", "previous_currency": "USD"},
            {"code": "OUT_OF_STOCK", "available": 0},
        ],
        "scarce": [{"code": "QUANTITY_EXCEEDS_STOCK", "available": 2}],
    }
    assert [item["subtotal"] for item in shown["items"]] == ["59.97", "0.00", "0.00", "0.00", "0.00", "20.00"]
    assert [item["quantity"] for item in shown["items"]] == [3] * 6
    assert [item["unit_price"] for item in shown["items"]] == ["19.99", "10.00", "10.00", "10.00", "12.00", "10.00"]
    assert shown["total"] == "79.97"


async def test_what_all_cannot_be_had_has_no_total(sales: Sales) -> None:
    grace = a_customer(sales)
    await grace.has("lamp", 3)
    sales.product.wares["lamp"] = Ware(0)

    shown = await grace.cart()

    assert (shown["total"], shown["currency"], shown["totals"]) == (None, None, [])


async def test_less_than_nothing_is_nothing(sales: Sales) -> None:
    grace = a_customer(sales)
    await grace.has("lamp", 3)
    sales.product.wares["lamp"].stock = -3

    shown = await grace.cart()

    assert notes(shown) == {"lamp": [{"code": "OUT_OF_STOCK", "available": 0}]}
    assert shown["items"][0]["subtotal"] == "0.00"


async def test_each_currency_has_a_total_of_its_own_and_together_they_have_none(sales: Sales) -> None:
    grace = a_customer(sales)
    sales.product.wares["tisch"] = Ware(9, 100, "Ein Tisch", "EUR")
    await grace.has("lamp", 1)
    await grace.has("tisch", 2)

    answered = (await grace.add("lamp", 1)).json()
    shown = await grace.cart()
    sales.product.wares["lamp"] = Ware(0)
    without_lamps = await grace.cart()

    for each in (answered, shown):
        assert (each["total"], each["currency"]) == (None, None)
        assert each["totals"] == [{"currency": "USD", "total": "39.98"}, {"currency": "EUR", "total": "2.00"}]
    assert (without_lamps["total"], without_lamps["currency"]) == ("2.00", "EUR")


async def test_a_price_in_another_currency_is_another_price(sales: Sales) -> None:
    grace = a_customer(sales)
    await grace.has("lamp", 1)
    sales.product.wares["lamp"] = Ware(9, 1999, currency="EUR")

    shown = await grace.cart()

    assert notes(shown) == {"lamp": [{"code": "PRICE_CHANGED", "previous_price": "19.99", "previous_currency": "USD"}]}
    assert shown["currency"] == "EUR"


async def test_variants_have_their_own_prices_and_stock(sales: Sales) -> None:
    red, blue = uuid4(), uuid4()
    shirt = Ware(0, variants={red: Ware(3, 1500, "Red"), blue: Ware(3, 1600, "Blue")})
    sales.product.wares["shirt"] = shirt
    grace = a_customer(sales)
    await grace.add("shirt", 2, variant=red)
    await grace.add("shirt", 2, variant=blue)
    shirt.variants[blue].stock = 1

    shown = await grace.cart()

    assert [(item["variant_id"], item["name"], item["subtotal"]) for item in shown["items"]] == [
        (str(red), "Red", "30.00"),
        (str(blue), "Blue", "16.00"),
    ]
    assert [[note["code"] for note in item["notes"]] for item in shown["items"]] == [[], ["QUANTITY_EXCEEDS_STOCK"]]


async def test_the_fullest_cart_is_asked_for_at_once(sales: Sales) -> None:
    sales.product.everything_else = Ware(10**6)
    grace = a_customer(sales)
    for number in range(50):
        await grace.has(f"{number:02d}".ljust(64, "x"), 10_000)
    quoted = sales.product.quoted

    shown = await grace.cart()

    assert len(shown["items"]) == 50
    assert shown["refreshed"] is True
    assert sales.product.quoted == quoted + 1
