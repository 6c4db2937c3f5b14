"""What anyone may ask: is it there, and what does it cost."""

from uuid import uuid4

import httpx
import pytest

from chassis.db import Database
from chassis.steps import record
from services.product.tests.factories import ask, item, published, put_on_sale, reservation, reserved

CHECK = "/api/v1/products/check-availability"
REQUEST = {
    "items": [
        {"product_id": "product_456", "quantity": 2},
        {"product_id": "product_789", "quantity": 1},
    ]
}


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


async def test_unknown_products_products_off_sale_and_variants_cannot_be_had(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "off-sale", 10, is_active=False)
    await put_on_sale(database, "mug", 10)
    wanted = [item("unheard-of"), item("off-sale"), item("mug", 1, variant := uuid4())]

    answer = await client.post(CHECK, json={"items": [each.model_dump(mode="json") for each in wanted]})

    assert answer.json() == {
        "all_available": False,
        "items": [
            {"product_id": "unheard-of", "requested": 1, "available": 0, "is_available": False},
            {"product_id": "off-sale", "requested": 1, "available": 0, "is_available": False},
            {
                "product_id": "mug",
                "variant_id": str(variant),
                "requested": 1,
                "available": 0,
                "is_available": False,
            },
        ],
    }


async def test_a_check_promises_what_a_reservation_then_gets(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 5)
    await put_on_sale(database, "kettle", 1)
    wanted = reservation(("mug", 3), ("kettle", 2), ("mug", 2), ("unheard-of", 1))

    checked = (await client.post(CHECK, json={"items": [each.model_dump(mode="json") for each in wanted.items]})).json()
    held = (await ask(client, [wanted])).json()["reservations"][0]

    assert held["all_available"] == checked["all_available"]
    form = checked["items"][0].keys()
    assert [{key: each[key] for key in form} for each in held["items"]] == checked["items"]


async def test_a_product_is_shown_with_its_price_and_what_can_be_had(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10, name="Stoneware mug, 30 cl", price=14_05)
    await ask(client, [reservation(("mug", 4))])

    answer = await client.get("/api/v1/products/mug")

    assert answer.json() == {
        "product_id": "mug",
        "name": "Stoneware mug, 30 cl",
        "unit_price": "14.05",
        "currency": "EUR",
        "available": 6,
        "is_active": True,
    }


async def test_a_product_off_sale_is_shown_but_cannot_be_had(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10, is_active=False)

    shown = (await client.get("/api/v1/products/mug")).json()

    assert (shown["available"], shown["is_active"]) == (0, False)


@pytest.mark.parametrize("product_id", ["unheard-of", "check-availability"])
async def test_there_is_nothing_at_an_unknown_product(client: httpx.AsyncClient, product_id: str) -> None:
    answer = await client.get(f"/api/v1/products/{product_id}")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"


async def test_the_check_is_a_step_of_the_sequences(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    with record() as recording:
        await client.post(CHECK, json={"items": [{"product_id": "mug", "quantity": 1}]})

    assert [(each.participant, each.action) for each in recording.steps] == [("InventoryService", "checkAvailability")]
