"""Product is down, slow or wrong: nothing gets into a cart, and what is in it can still be seen and taken out."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from services.sales.tests.factories import Sales, running
from services.sales.tests.fake_product import (
    Do,
    FakeProduct,
    Trouble,
    Ware,
    does_it_but,
    does_it_late,
    loses_the_answer,
    says,
)
from services.sales.tests.shopping import a_customer, refused


def with_item(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda said: said["items"][0].update(values)


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda said: said["items"][0].pop(name)


TROUBLES: dict[str, Trouble] = {
    "slow": does_it_late(),
    "answer lost": loses_the_answer,
    "500": says(500),
    "503": says(503),
    "502 of a proxy": says(502, "<html>", "text/html"),
    "400": says(400, {"error": {"code": "VALIDATION_ERROR"}}),
    "401": says(401, {"error": {"code": "UNAUTHENTICATED", "message": "Who?"}}),
    "404": says(404, "nothing here", "text/plain"),
    "redirect": says(302),
    "204": says(204, ""),
    "empty": says(200, ""),
    "no JSON": says(200, "plenty"),
    "JSON of another kind": says(200, "[]"),
    "a number": says(200, "7"),
    "deep": says(200, b"[" * 100_000),
    "nothing for us": says(200, {"all_available": True, "items": []}),
    "other items": does_it_but(with_item(product_id="desk")),
    "another variant": does_it_but(with_item(variant_id="550e8400-e29b-41d4-a716-446655440000")),
    "another quantity": does_it_but(with_item(requested=7)),
    "more items": does_it_but(lambda said: said["items"].append(said["items"][0])),
    "no price": does_it_but(without("unit_price")),
    "no name": does_it_but(without("name")),
    "no currency": does_it_but(without("currency")),
    "a currency that is none": does_it_but(with_item(currency="dollars")),
    "a price below zero": does_it_but(with_item(unit_price="-1.00")),
    "a price that is a float": does_it_but(with_item(unit_price=19.99)),
    "a name with NUL": does_it_but(with_item(name="A\x00lamp")),
    "an empty name": does_it_but(with_item(name=" ")),
    "a lone surrogate": does_it_but(with_item(name="\ud800")),
    "available and on nobody's shelf": does_it_but(with_item(available=0)),
    "there, but not available": does_it_but(with_item(is_available=False)),
    "available, but for a reason not": does_it_but(with_item(reason="NOT_ON_SALE")),
    "a reason that is none": does_it_but(with_item(reason="TUESDAY", is_available=False)),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
async def test_nothing_is_added_or_changed_and_the_cart_is_shown_as_it_was(sales: Sales, trouble: Trouble) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    sales.product.wares["lamp"] = Ware(150, 2500, "A better lamp")
    told = await sales.published()

    with sales.product.having(trouble):
        changes = await asyncio.gather(grace.add("lamp", 1), grace.change(lamp, 3))
        shown = await grace.cart()

    assert {refused(answer) for answer in changes} == {(503, "SERVICE_UNAVAILABLE")}
    assert {answer.headers["retry-after"] for answer in changes} == {"1"}
    [item] = shown["items"]
    assert (item["name"], item["quantity"], item["unit_price"], item["notes"]) == ("A lamp", 2, "19.99", [])
    assert (shown["total"], shown["currency"], shown["refreshed"]) == ("39.98", "USD", False)
    assert await sales.published() == told


async def test_while_product_is_down_things_can_be_taken_out(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    await grace.has("desk", 1)
    await sales.product.stop()

    assert refused(await grace.add("lamp", 1)) == (503, "SERVICE_UNAVAILABLE")
    assert (await grace.remove(lamp)).status_code == 200
    assert [item["product_id"] for item in (await grace.cart())["items"]] == ["desk"]
    assert (await grace.clear()).status_code == 200


async def test_who_looks_has_less_patience_than_who_adds(database_url: str, product: FakeProduct) -> None:
    enough = asyncio.Event()

    async def silent(_: web.Request, do: Do) -> web.Response:
        await enough.wait()
        return await do()

    async with running(database_url, product, product_timeout=timedelta(minutes=10)) as sales:
        grace = a_customer(sales)
        await grace.has("lamp", 2)

        try:
            # Far longer than the patience, and far shorter than those who add would wait.
            with product.having(silent):
                async with asyncio.timeout(30):
                    shown = await grace.cart()
        finally:
            enough.set()

        assert shown["refreshed"] is False


async def test_who_looks_stops_asking_after_a_while_and_who_adds_does_not(
    database_url: str, product: FakeProduct
) -> None:
    asked = 0

    async def slow(_: web.Request, do: Do) -> web.Response:
        nonlocal asked
        asked += 1
        await asyncio.sleep(1)
        return await do()

    async with running(database_url, product, product_timeout=timedelta(minutes=1)) as sales:
        grace = a_customer(sales)
        await grace.has("lamp", 2)
        with product.having(slow):
            looks = [(await grace.cart())["refreshed"] for _ in range(20)]
            tries = asked

            assert (await grace.add("lamp", 1)).status_code == 201
        assert looks == [False] * 20
        assert tries < 20


async def test_prices_of_this_moment_are_back_when_product_is(sales: Sales) -> None:
    grace = a_customer(sales)
    await grace.has("lamp", 2)
    with sales.product.having(says(500)):
        assert (await grace.cart())["refreshed"] is False

    assert (await grace.cart())["refreshed"] is True
