"""Variants have a stock each, from being held to being given back or leaving."""

import httpx
import pytest

from chassis.db import Database
from services.product.tests.factories import (
    Shelf,
    add_variant,
    ask,
    item,
    published,
    put_on_sale,
    reservation,
    settle,
    shelf,
)


async def test_variants_are_held_each_from_its_own_stock(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "shirt", 10, name="Shirt", price=25_00)
    small = await add_variant(database, "shirt", 5, size="S")
    large = await add_variant(database, "shirt", 2, size="L", color="red", price=27_50, weight_grams=210)
    fits, exceeds = reservation(item("shirt", 3, small), item("shirt", 2, large)), reservation(item("shirt", 3, large))

    first, second = (await ask(client, [fits, exceeds])).json()["reservations"]

    assert (first["state"], second["state"]) == ("HELD", "REFUSED")
    assert [(each["variant_id"], each["name"], each["unit_price"]) for each in first["items"]] == [
        (str(small), "Shirt, S", "25.00"),
        (str(large), "Shirt, L, red", "27.50"),
    ]
    assert await shelf(database, "shirt", small) == Shelf(on_hand=5, reserved=3)
    assert await shelf(database, "shirt", large) == Shelf(on_hand=2, reserved=2)
    assert await shelf(database, "shirt") == Shelf(on_hand=10, reserved=0)
    assert (await published(database))[0] == (
        "inventory.reserved",
        {
            "reservation_id": str(fits.reservation_id),
            "items": [
                {"product_id": "shirt", "variant_id": str(small), "quantity": 3},
                {"product_id": "shirt", "variant_id": str(large), "quantity": 2},
            ],
        },
    )


async def test_another_variant_under_the_same_id_is_a_conflict(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "shirt", 0)
    small, large = await add_variant(database, "shirt", 5, size="S"), await add_variant(database, "shirt", 5)
    first = reservation(item("shirt", 1, small))
    await ask(client, [first])

    answer = await ask(client, [reservation(item("shirt", 1, large), id=first.reservation_id)])

    assert answer.status_code == 409
    assert await shelf(database, "shirt", large) == Shelf(on_hand=5, reserved=0)


async def test_what_was_held_of_a_product_before_it_came_in_variants_stays_held(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "shirt", 10)
    before = reservation(("shirt", 4))
    first = (await ask(client, [before])).json()
    await add_variant(database, "shirt", 5)

    again = (await ask(client, [before])).json()
    [deducted] = await settle(client, "deductions", [before.reservation_id])

    assert again == first
    assert deducted["done"]
    assert await shelf(database, "shirt") == Shelf(on_hand=6, reserved=0)


@pytest.mark.parametrize(
    ("how", "event", "small_then", "large_then"),
    [
        ("releases", "inventory.released", Shelf(5, 0), Shelf(4, 1)),
        ("deductions", "inventory.deducted", Shelf(2, 0), Shelf(2, 1)),
    ],
)
async def test_what_ends_ends_for_the_variants_that_were_held(
    client: httpx.AsyncClient, database: Database, how: str, event: str, small_then: Shelf, large_then: Shelf
) -> None:
    await put_on_sale(database, "shirt", 10)
    small, large = await add_variant(database, "shirt", 5, size="S"), await add_variant(database, "shirt", 4)
    ended, other = reservation(item("shirt", 3, small), item("shirt", 2, large)), reservation(item("shirt", 1, large))
    await ask(client, [ended, other])

    [answer] = await settle(client, how, [ended.reservation_id])

    assert answer["done"]
    assert await shelf(database, "shirt", small) == small_then
    assert await shelf(database, "shirt", large) == large_then
    assert await shelf(database, "shirt") == Shelf(on_hand=10, reserved=0)
    assert (await published(database))[-1] == (
        event,
        {
            "reservation_id": str(ended.reservation_id),
            "items": [
                {"product_id": "shirt", "variant_id": str(small), "quantity": 3},
                {"product_id": "shirt", "variant_id": str(large), "quantity": 2},
            ],
        },
    )
