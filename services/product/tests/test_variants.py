"""Products get variants, and are sold by them from then on. SEQ-VAR-001."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.db import Database
from chassis.steps import record
from services.product.tests.factories import Shelf, ask, is_in_stock, item, published, reservation, shelf
from services.product.tests.factories_catalog import (
    PRODUCTS,
    Catalogue,
    Recorded,
    arrows,
    code,
    count,
    fields,
    on_record,
)

VARIANTS = f"{PRODUCTS}/mug/variants"
BODY: dict[str, Any] = {"sku": "MUG-L-RED", "size": "L", "color": "red"}
SET_UP = 2
"""The category and the product itself were told of, and recorded, first."""


@pytest.fixture
def catalogue(client: httpx.AsyncClient) -> Catalogue:
    return Catalogue(client)


async def nothing_was_added(database: Database) -> bool:
    return (
        await count(database, "variants") == 0
        and await count(database, "stock") == 1
        and len(await published(database)) == len(await on_record(database)) == SET_UP
    )


async def test_a_variant_is_added_step_by_step_as_designed(catalogue: Catalogue) -> None:
    await catalogue.product()

    with record() as recording:
        await catalogue.done("POST", VARIANTS, BODY)

    assert arrows(recording) == [
        "Admin → ProductService: addVariant",
        "ProductService → ProductAggregate: validateSkuUniqueness",
        "ProductService → ProductAggregate: addVariant emits ProductUpdated",
        "ProductService → InventoryService: createVariantInventory",
        "ProductService → AuditLog: logAuditEvent",
    ]


@pytest.mark.rule("AC-VAR-001")
async def test_a_new_variant_has_its_own_stock_is_told_of_and_on_record(
    catalogue: Catalogue, database: Database
) -> None:
    before = await catalogue.product(price="14.00", weight_grams=380)
    body = BODY | {"price": "16.5", "weight_grams": 500, "initial_stock": 7}

    added = await catalogue.done("POST", VARIANTS, body)

    variant = added["variant_id"]
    about = body | {"price": "16.50"}
    assert UUID(variant).version == 7
    assert added == {
        "variant_id": variant,
        "sku": "MUG-L-RED",
        "size": "L",
        "color": "red",
        "unit_price": "16.50",
        "has_own_price": True,
        "weight_grams": 500,
        "available": 7,
    }
    shown = await catalogue.show()
    assert shown == before | {"variants": [added], "available": 7, "updated_at": shown["updated_at"]}
    assert shown["updated_at"] > before["updated_at"]
    assert await shelf(database, "mug", UUID(variant)) == Shelf(on_hand=7, reserved=0)
    assert (await on_record(database))[SET_UP:] == [
        Recorded("ada", "variant.added", variant, None, {"product_id": "mug"} | about)
    ]
    [(kind, event)] = (await published(database))[SET_UP:]
    assert (kind, event["changed"]) == ("product.updated", ["variants"])
    assert (event["product_id"], event["variant_id"], event["price"]) == ("mug", variant, "16.50")


@pytest.mark.parametrize("attribute", ["size", "color"])
async def test_one_attribute_is_enough_and_the_product_says_the_rest(catalogue: Catalogue, attribute: str) -> None:
    await catalogue.product(price="14.00", weight_grams=380)

    added = await catalogue.done("POST", VARIANTS, {"sku": "one", "size": "", "color": " "} | {attribute: "L"})

    assert {added["size"], added["color"]} == {"L", None}
    assert (added["unit_price"], added["has_own_price"], added["weight_grams"]) == ("14.00", False, 380)
    assert added["available"] == 0


async def test_with_its_first_variant_a_product_is_sold_by_variant_only(
    catalogue: Catalogue, database: Database
) -> None:
    await catalogue.product(initial_stock=10)
    added = await catalogue.variant(initial_stock=0)

    async def state(variant: str | None) -> str:
        wanted = item("mug", variant_id=UUID(variant) if variant else None)
        held = (await ask(catalogue.client, [reservation(wanted)])).json()
        return str(held["reservations"][0]["state"])

    assert (await catalogue.show())["available"] == 0
    assert not await is_in_stock(database, "mug")
    assert [await state(None), await state(added["variant_id"])] == ["REFUSED", "REFUSED"]

    other = await catalogue.variant(sku="MUG-XL", size="XL", initial_stock=2)

    assert [each["available"] for each in (await catalogue.show())["variants"]] == [0, 2]
    assert (await catalogue.show())["available"] == 2
    assert await is_in_stock(database, "mug")
    assert await state(other["variant_id"]) == "HELD"
    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=0)


async def test_variants_come_in_the_order_in_which_they_were_added(catalogue: Catalogue) -> None:
    await catalogue.product()
    for sku in ("c", "a", "b"):
        await catalogue.variant(sku=sku)

    assert [each["sku"] for each in (await catalogue.show())["variants"]] == ["c", "a", "b"]


async def test_nothing_can_be_had_of_the_variants_of_a_product_off_sale(catalogue: Catalogue) -> None:
    await catalogue.product()
    await catalogue.variant(initial_stock=5)
    await catalogue.done("POST", f"{PRODUCTS}/mug/deactivation")

    added = await catalogue.variant(sku="another", initial_stock=5)

    shown = await catalogue.show()
    assert (added["available"], shown["available"]) == (0, 0)
    assert [each["available"] for each in shown["variants"]] == [0, 0]


@pytest.mark.rule("BR-VAR-001")
@pytest.mark.parametrize("owner", ["mug", "cup"])
async def test_a_sku_is_given_once_in_the_whole_catalogue(catalogue: Catalogue, database: Database, owner: str) -> None:
    await catalogue.product("mug")
    await catalogue.product("cup")
    await catalogue.variant(owner, sku="MUG-L-RED")

    answer = await catalogue.ask("POST", VARIANTS, BODY)

    assert code(answer) == (409, "DUPLICATE_SKU")
    assert fields(answer) == ["sku"]
    assert await count(database, "variants") == 1
    assert [each.action for each in await on_record(database)].count("variant.added") == 1


async def test_what_does_not_exist_has_no_variants(catalogue: Catalogue, database: Database) -> None:
    answer = await catalogue.ask("POST", VARIANTS, BODY)

    assert code(answer) == (404, "PRODUCT_NOT_FOUND")
    assert await count(database, "variants") == 0


@pytest.mark.rule("BR-VAR-001")
@pytest.mark.parametrize("attributes", [{}, {"size": None}, {"size": "", "color": "  "}], ids=["none", "null", "blank"])
async def test_a_variant_has_a_size_or_a_colour(
    catalogue: Catalogue, database: Database, attributes: dict[str, Any]
) -> None:
    await catalogue.product()

    answer = await catalogue.ask("POST", VARIANTS, {"sku": "MUG"} | attributes)

    assert code(answer) == (400, "VARIANT_ATTRIBUTE_REQUIRED")
    assert fields(answer) == ["size", "color"]
    assert await nothing_was_added(database)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"price": "0"}, "INVALID_PRICE"),
        ({"price": "1.999"}, "INVALID_PRICE"),
        ({"initial_stock": -1}, "INVALID_QUANTITY"),
        ({"initial_stock": 1_000_001}, "INVALID_QUANTITY"),
        ({"weight_grams": -1}, "VALIDATION_ERROR"),
        ({"sku": "no spaces"}, "VALIDATION_ERROR"),
        ({"sku": "MUG\n"}, "VALIDATION_ERROR"),
        ({"size": "X" * 41}, "VALIDATION_ERROR"),
        ({"color": "red\nblue"}, "VALIDATION_ERROR"),
    ],
)
async def test_a_variant_that_makes_no_sense_is_refused_with_the_field(
    catalogue: Catalogue, database: Database, change: dict[str, Any], refused: str
) -> None:
    await catalogue.product()

    answer = await catalogue.ask("POST", VARIANTS, BODY | change)

    assert code(answer) == (400, refused)
    assert fields(answer) == list(change)
    assert await nothing_was_added(database)


async def test_of_several_wrong_things_each_is_named(catalogue: Catalogue) -> None:
    await catalogue.product()

    answer = await catalogue.ask("POST", VARIANTS, {"sku": "MUG", "price": "0", "initial_stock": -1})

    assert code(answer) == (400, "VARIANT_ATTRIBUTE_REQUIRED")
    assert fields(answer) == ["size", "color", "price", "initial_stock"]


async def test_a_request_that_is_repeated_adds_one_variant(catalogue: Catalogue, database: Database) -> None:
    await catalogue.product()

    first = await catalogue.ask("POST", VARIANTS, BODY, key="once")
    again = await catalogue.ask("POST", VARIANTS, BODY, key="once")
    other = await catalogue.ask("POST", VARIANTS, BODY | {"size": "S"}, key="once")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await count(database, "variants") == 1
