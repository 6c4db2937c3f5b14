"""What anyone may ask: is it there, and what does it cost."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest

from chassis.db import Database
from chassis.steps import record
from contracts.product.inventory import ItemAvailability, RequestedItem
from product.inventory.commands import reserve
from product.inventory.reading import available
from product.inventory.tables import NO_VARIANT
from services.product.tests.factories import (
    add_variant,
    ask,
    item,
    published,
    put_on_sale,
    reservation,
    reserved,
)
from services.product.tests.rivals import alone

CHECK = "/api/v1/products/check-availability"
QUOTES = "/api/v1/products/quotes"
REQUEST = {
    "items": [
        {"product_id": "product_456", "quantity": 2},
        {"product_id": "product_789", "quantity": 1},
    ]
}


def as_json(items: Sequence[RequestedItem]) -> dict[str, Any]:
    return {"items": [each.model_dump(mode="json") for each in items]}


async def test_the_documented_request_gets_the_documented_answer(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "product_456", 150)
    await put_on_sale(database, "product_789", 50)

    answer = await client.post(CHECK, json=REQUEST)

    assert answer.status_code == 200
    assert answer.json() == {
        "all_available": True,
        "items": [
            {"product_id": "product_456", "requested": 2, "available": 150, "is_available": True},
            {"product_id": "product_789", "requested": 1, "available": 50, "is_available": True},
        ],
    }


async def test_what_is_sold_out_is_answered_as_documented(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "product_456", 150)
    await put_on_sale(database, "product_789", 0)

    answer = await client.post(CHECK, json=REQUEST)

    assert answer.status_code == 200
    assert answer.json() == {
        "all_available": False,
        "items": [
            {"product_id": "product_456", "requested": 2, "available": 150, "is_available": True},
            {"product_id": "product_789", "requested": 1, "available": 0, "is_available": False},
        ],
    }


async def test_what_is_held_for_others_is_not_available(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    await ask(client, [reservation(("mug", 4))])

    answer = await client.post(CHECK, json={"items": [{"product_id": "mug", "quantity": 7}]})

    assert answer.json()["items"] == [{"product_id": "mug", "requested": 7, "available": 6, "is_available": False}]


async def test_asking_holds_nothing_and_says_nothing(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    await client.post(CHECK, json={"items": [{"product_id": "mug", "quantity": 7}]})

    assert await reserved(database) == {"mug": 0}
    assert await published(database) == []


async def test_lines_of_the_same_product_are_judged_together(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 150)

    line = {"product_id": "mug", "quantity": 100}
    answer = await client.post(CHECK, json={"items": [line, line]})

    assert answer.json() == {
        "all_available": False,
        "items": [
            {"product_id": "mug", "requested": 100, "available": 150, "is_available": True},
            {"product_id": "mug", "requested": 100, "available": 150, "is_available": False},
        ],
    }


async def test_what_cannot_be_had_at_all_is_told_with_the_reason(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "off-sale", 10, is_active=False)
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "shirt", 10)
    large = await add_variant(database, "shirt", 10)
    nobody = uuid4()
    wanted = [
        item("unheard-of"),
        item("mug", 1, nobody),
        item("mug", 1, large),
        item("mug", 1, NO_VARIANT),
        item("off-sale"),
        item("off-sale", 1, nobody),
        item("shirt"),
        item("shirt", 11, large),
    ]

    answer = await client.post(CHECK, json=as_json(wanted))

    none = {"requested": 1, "available": 0, "is_available": False}
    assert answer.json() == {
        "all_available": False,
        "items": [
            {"product_id": "unheard-of", **none, "reason": "UNKNOWN"},
            {"product_id": "mug", "variant_id": str(nobody), **none, "reason": "UNKNOWN"},
            {"product_id": "mug", "variant_id": str(large), **none, "reason": "UNKNOWN"},
            {"product_id": "mug", "variant_id": str(NO_VARIANT), **none, "reason": "UNKNOWN"},
            {"product_id": "off-sale", **none, "reason": "NOT_ON_SALE"},
            {"product_id": "off-sale", "variant_id": str(nobody), **none, "reason": "UNKNOWN"},
            {"product_id": "shirt", **none, "reason": "VARIANT_REQUIRED"},
            {
                "product_id": "shirt",
                "variant_id": str(large),
                "requested": 11,
                "available": 10,
                "is_available": False,
            },
        ],
    }


async def test_a_variant_off_sale_with_its_product_cannot_be_had(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "shirt", 0, is_active=False)
    large = await add_variant(database, "shirt", 10)

    answer = await client.post(CHECK, json=as_json([item("shirt", 1, large), item("shirt")]))

    assert [each["reason"] for each in answer.json()["items"]] == ["NOT_ON_SALE", "NOT_ON_SALE"]


async def test_a_quote_tells_names_prices_and_weights_and_holds_nothing(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10, name="Stoneware mug", price=14_05, weight_grams=350)
    await put_on_sale(database, "shirt", 0, name="Roaster's shirt", price=25_00, weight_grams=180)
    large = await add_variant(database, "shirt", 3, size="L", color="red", price=27_50, weight_grams=210)
    plain = await add_variant(database, "shirt", 3, size="S")
    wanted = [item("mug", 2), item("shirt", 4, large), item("shirt", 1, plain), item("unheard-of")]

    answer = await client.post(QUOTES, json=as_json(wanted))

    assert answer.status_code == 200
    assert answer.json() == {
        "all_available": False,
        "items": [
            {
                "product_id": "mug",
                "requested": 2,
                "available": 10,
                "is_available": True,
                "name": "Stoneware mug",
                "unit_price": "14.05",
                "currency": "EUR",
                "weight_grams": 350,
            },
            {
                "product_id": "shirt",
                "variant_id": str(large),
                "requested": 4,
                "available": 3,
                "is_available": False,
                "name": "Roaster's shirt, L, red",
                "unit_price": "27.50",
                "currency": "EUR",
                "weight_grams": 210,
            },
            {
                "product_id": "shirt",
                "variant_id": str(plain),
                "requested": 1,
                "available": 3,
                "is_available": True,
                "name": "Roaster's shirt, S",
                "unit_price": "25.00",
                "currency": "EUR",
                "weight_grams": 180,
            },
            {
                "product_id": "unheard-of",
                "requested": 1,
                "available": 0,
                "is_available": False,
                "reason": "UNKNOWN",
            },
        ],
    }
    assert await reserved(database) == {"mug": 0, "shirt": 0}
    assert await published(database) == []


async def test_a_quote_for_what_is_there_says_so(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    answer = await client.post(QUOTES, json=as_json([item("mug", 10)]))

    assert answer.json()["all_available"] is True


async def test_checks_and_quotes_promise_what_a_reservation_then_gets(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 5)
    await put_on_sale(database, "kettle", 1)
    await put_on_sale(database, "shirt", 0)
    large = await add_variant(database, "shirt", 2)
    wanted = reservation(
        ("mug", 3), ("kettle", 2), ("mug", 2), ("unheard-of", 1), item("shirt", 2, large), item("shirt", 1, large)
    )

    checked = (await client.post(CHECK, json=as_json(wanted.items))).json()
    quoted = (await client.post(QUOTES, json=as_json(wanted.items))).json()
    held = (await ask(client, [wanted])).json()["reservations"][0]

    assert [each["is_available"] for each in checked["items"]] == [True, False, True, False, True, False]
    assert quoted["items"] == held["items"]
    assert quoted["all_available"] == held["all_available"] == checked["all_available"]
    shown = ItemAvailability.model_fields
    assert [{name: each[name] for name in each if name in shown} for each in quoted["items"]] == checked["items"]


async def test_what_can_be_had_of_a_product_is_told_by_variant_where_it_has_any(database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "shirt", 7)
    large = await add_variant(database, "shirt", 3)
    await alone(database, reserve, [reservation(("mug", 4), item("shirt", 1, large))])

    async with database.begin() as session:
        found = [await available(session, product_id) for product_id in ("mug", "shirt", "unheard-of")]

    assert found == [{None: 6}, {large: 2}, {}]


@pytest.mark.parametrize("path", [CHECK, QUOTES])
async def test_the_check_is_a_step_of_the_sequences(client: httpx.AsyncClient, database: Database, path: str) -> None:
    await put_on_sale(database, "mug", 10)

    with record() as recording:
        await client.post(path, json={"items": [{"product_id": "mug", "quantity": 1}]})

    assert [(each.participant, each.action) for each in recording.steps] == [("InventoryService", "checkAvailability")]
