"""Products get other names and places, go off sale and come back. SEQ-PROD-002."""

from typing import Any

import httpx
import pytest

from chassis.db import Database
from chassis.steps import record
from services.product.tests.factories import ask, item, published, reservation
from services.product.tests.factories_catalog import (
    NOBODY,
    PRODUCTS,
    Catalogue,
    Recorded,
    arrows,
    code,
    fields,
    on_record,
)

MUG = f"{PRODUCTS}/mug"
SET_UP = 2
"""The category and the product itself were told of, and recorded, first."""


@pytest.fixture
def catalogue(client: httpx.AsyncClient) -> Catalogue:
    return Catalogue(client)


async def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    return (await published(database))[SET_UP:]


async def recorded(database: Database) -> list[Recorded]:
    return (await on_record(database))[SET_UP:]


async def test_a_change_is_shown_told_of_and_on_record_with_what_was_before(
    catalogue: Catalogue, database: Database
) -> None:
    before = await catalogue.product(description="Old.", weight_grams=380)
    other = await catalogue.category("Serving")
    wanted = {"name": " Big mug ", "description": "", "category_id": other, "weight_grams": 500}

    changed = await catalogue.done("PATCH", MUG, wanted)

    now = wanted | {"name": "Big mug"}
    assert changed == before | now | {"updated_at": changed["updated_at"]}
    assert changed["updated_at"] > before["updated_at"]
    assert await catalogue.show() == changed
    [_, (kind, event)] = await told(database)
    assert kind == "product.updated"
    assert event == {
        "product_id": "mug",
        "changed": list(wanted),
        "name": "Big mug",
        "category_id": other,
        "price": "14.00",
        "currency": "EUR",
    }
    was = {name: before[name] for name in wanted}
    assert (await recorded(database))[1] == Recorded("ada", "product.updated", "mug", was, now)


async def test_only_what_is_different_has_changed(catalogue: Catalogue, database: Database) -> None:
    made = await catalogue.product(weight_grams=380)

    changed = await catalogue.done("PATCH", MUG, {"name": made["name"], "weight_grams": 381})

    assert changed == made | {"weight_grams": 381, "updated_at": changed["updated_at"]}
    assert [event["changed"] for _, event in await told(database)] == [["weight_grams"]]
    assert [(each.before, each.after) for each in await recorded(database)] == [
        ({"weight_grams": 380}, {"weight_grams": 381})
    ]


async def test_a_change_that_changes_nothing_is_neither_told_of_nor_on_record(
    catalogue: Catalogue, database: Database
) -> None:
    made = await catalogue.product()

    answer = await catalogue.done("PATCH", MUG, {"name": made["name"], "category_id": made["category_id"]})

    assert answer == made
    assert await told(database) == []
    assert await recorded(database) == []


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"name": "x"}, "INVALID_PRODUCT_NAME"),
        ({"name": "x" * 201}, "INVALID_PRODUCT_NAME"),
        ({"description": "x" * 5001}, "DESCRIPTION_TOO_LONG"),
        ({"category_id": str(NOBODY)}, "INVALID_CATEGORY"),
        ({"weight_grams": -1}, "VALIDATION_ERROR"),
        ({"price": "1.00"}, "VALIDATION_ERROR"),
        ({"is_active": False}, "VALIDATION_ERROR"),
    ],
)
async def test_what_a_new_product_must_not_be_no_product_becomes(
    catalogue: Catalogue, database: Database, change: dict[str, Any], refused: str
) -> None:
    made = await catalogue.product()

    answer = await catalogue.ask("PATCH", MUG, change)

    assert code(answer) == (400, refused)
    assert fields(answer) == list(change)
    assert await catalogue.show() == made
    assert await told(database) == []


async def test_a_change_says_something(catalogue: Catalogue) -> None:
    await catalogue.product()

    answers = [await catalogue.ask("PATCH", MUG, body) for body in ({}, {"name": None})]

    assert [code(each) for each in answers] == [(400, "VALIDATION_ERROR")] * 2


async def test_of_several_wrong_things_each_is_named(catalogue: Catalogue) -> None:
    await catalogue.product()

    answer = await catalogue.ask("PATCH", MUG, {"name": "x", "description": "x" * 5001})

    assert fields(answer) == ["name", "description"]


async def test_a_product_is_taken_off_sale_step_by_step_as_designed(catalogue: Catalogue) -> None:
    await catalogue.product()

    with record() as recording:
        await catalogue.done("POST", f"{MUG}/deactivation")

    assert arrows(recording) == [
        "Admin → ProductService: deactivateProduct",
        "ProductService → ProductAggregate: deactivate emits ProductDeactivated",
        "ProductService → AuditLog: logAuditEvent",
    ]


@pytest.mark.rule("BR-PROD-002")
async def test_a_product_off_sale_is_shown_but_not_to_be_had(catalogue: Catalogue, database: Database) -> None:
    before = await catalogue.product()

    off = await catalogue.done("POST", f"{MUG}/deactivation")
    wanted = await ask(catalogue.client, [reservation(item("mug"))])

    assert off == before | {"is_active": False, "available": 0, "updated_at": off["updated_at"]}
    assert await catalogue.show() == off
    assert wanted.json()["reservations"][0]["state"] == "REFUSED"
    assert await told(database) == [("product.deactivated", {"product_id": "mug"})]
    assert await recorded(database) == [
        Recorded("ada", "product.deactivated", "mug", {"is_active": True}, {"is_active": False})
    ]


async def test_a_product_that_is_off_sale_already_is_taken_off_once(catalogue: Catalogue, database: Database) -> None:
    await catalogue.product()
    first = await catalogue.done("POST", f"{MUG}/deactivation")

    again = await catalogue.done("POST", f"{MUG}/deactivation")

    assert again == first
    assert len(await told(database)) == len(await recorded(database)) == 1


async def test_a_product_comes_back_on_sale_with_the_stock_that_it_had(
    catalogue: Catalogue, database: Database
) -> None:
    before = await catalogue.product()
    await catalogue.done("POST", f"{MUG}/deactivation")

    back = await catalogue.done("POST", f"{MUG}/activation")
    again = await catalogue.done("POST", f"{MUG}/activation")

    assert back == again == before | {"updated_at": back["updated_at"]}
    kinds = [(kind, event.get("changed")) for kind, event in await told(database)]
    assert kinds == [("product.deactivated", None), ("product.updated", ["is_active"])]
    assert [each.action for each in await recorded(database)] == ["product.deactivated", "product.activated"]
    wanted = await ask(catalogue.client, [reservation(item("mug"))])
    assert wanted.json()["reservations"][0]["state"] == "HELD"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "", {"name": "Big mug"}), ("POST", "/deactivation", None), ("POST", "/activation", None)],
)
async def test_a_product_that_does_not_exist_is_not_found(
    catalogue: Catalogue, method: str, path: str, body: Any
) -> None:
    answer = await catalogue.ask(method, f"{MUG}{path}", body)

    assert code(answer) == (404, "PRODUCT_NOT_FOUND")
