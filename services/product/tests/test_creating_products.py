"""A product comes into the catalogue, or is refused with all that is wrong. SEQ-PROD-001."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.db import Database
from chassis.steps import record
from services.product.tests.factories import Shelf, is_in_stock, published, shelf
from services.product.tests.factories_catalog import (
    NOBODY,
    PRODUCTS,
    Catalogue,
    Recorded,
    arrows,
    code,
    count,
    fields,
    on_record,
    told_otherwise,
)


@pytest.fixture
def catalogue(client: httpx.AsyncClient) -> Catalogue:
    return Catalogue(client)


async def nothing_was_made(database: Database) -> bool:
    """But for the category that it was to be in."""
    made = [await count(database, table) for table in ("products", "stock", "stock_movements")]
    told = {kind for kind, _ in await published(database)} | {each.action for each in await on_record(database)}
    return made == [0, 0, 0] and told <= {"category.created"}


async def test_a_product_is_made_step_by_step_as_designed(catalogue: Catalogue) -> None:
    body = await catalogue.wanted()

    with record() as recording:
        await catalogue.done("POST", PRODUCTS, body)

    assert arrows(recording) == [
        "Admin → ProductService: createProduct",
        "ProductService → ProductService: validateProduct",
        "ProductService → CategoryService: validateCategory",
        "ProductService → ProductAggregate: create emits ProductCreated",
        "ProductService → InventoryService: createInventory",
        "ProductService → AuditLog: logAuditEvent",
    ]


@pytest.mark.rule("AC-PROD-001")
async def test_a_new_product_is_on_sale_with_its_stock_told_of_and_on_record(
    catalogue: Catalogue, database: Database
) -> None:
    category = await catalogue.category("Serving")
    body = {
        "product_id": "mug",
        "name": " Stoneware mug ",
        "description": "Thrown by hand.\n\nSafe in the dishwasher.",
        "category_id": category,
        "price": "14.5",
        "currency": "CHF",
        "weight_grams": 380,
        "initial_stock": 60,
    }

    made = await catalogue.done("POST", PRODUCTS, body)

    about = body | {"name": "Stoneware mug", "price": "14.50"}
    del about["product_id"]
    assert made == {
        "product_id": "mug",
        "name": "Stoneware mug",
        "description": body["description"],
        "category_id": category,
        "unit_price": "14.50",
        "currency": "CHF",
        "weight_grams": 380,
        "available": 60,
        "is_active": True,
        "variants": [],
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert await catalogue.show("mug") == made
    assert await shelf(database, "mug") == Shelf(on_hand=60, reserved=0)
    assert await is_in_stock(database, "mug")
    assert (await on_record(database))[1:] == [Recorded("ada", "product.created", "mug", None, about)]
    told = {name: about[name] for name in ("name", "category_id", "price", "currency", "initial_stock")}
    assert (await published(database))[1:] == [("product.created", {"product_id": "mug"} | told)]


async def test_what_is_not_said_is_made_up_or_nothing(catalogue: Catalogue, database: Database) -> None:
    category = await catalogue.category()

    made = await catalogue.done("POST", PRODUCTS, {"name": "Mug", "category_id": category, "price": "3"})

    assert UUID(made["product_id"]).version == 7
    assert (made["unit_price"], made["currency"]) == ("3.00", "EUR")
    assert (made["description"], made["weight_grams"], made["available"]) == ("", 0, 0)
    assert not await is_in_stock(database, made["product_id"])


async def test_the_currency_of_products_that_do_not_say_theirs_is_a_setting(url: str) -> None:
    async with told_otherwise(url, currency="CHF") as catalogue:
        made = [await catalogue.product("mug"), await catalogue.product("cup", currency="EUR")]

    assert [each["currency"] for each in made] == ["CHF", "EUR"]


WRONG_PRICES = [
    "0",
    "0.00",
    "0.009",
    "-1.00",
    "-0.01",
    "19.999",
    "19.990",
    "10000000000.01",
    "9" * 5000,
    "0." + "0" * 5000 + "1",
    "",
    " ",
    "free",
    "19,99",
    "1_000.00",
    "1e3",
    "NaN",
    "Infinity",
    "+1.00",
    ".99",
    "19.",
    "0x10",
    "١٩.٩٩",
    "19.99 EUR",
    "19.99\n20.00",
]


@pytest.mark.rule("BR-PROD-001")
@pytest.mark.parametrize("price", WRONG_PRICES, ids=range(len(WRONG_PRICES)))
async def test_a_price_is_a_decimal_string_of_one_cent_at_least(
    catalogue: Catalogue, database: Database, price: str
) -> None:
    answer = await catalogue.ask("POST", PRODUCTS, await catalogue.wanted(price=price))

    assert code(answer) == (400, "INVALID_PRICE")
    assert fields(answer) == ["price"]
    assert await nothing_was_made(database)


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("0.01", "0.01"),
        ("10000000000.00", "10000000000.00"),
        ("007.5", "7.50"),
        (" 5 ", "5.00"),
        ("0" * 40 + "1", "1.00"),
    ],
)
async def test_prices_from_one_cent_to_ten_billion_are_taken(catalogue: Catalogue, price: str, shown: str) -> None:
    assert (await catalogue.product(price=price))["unit_price"] == shown


@pytest.mark.rule("BR-PROD-001")
@pytest.mark.parametrize(
    "name", ["", "x", " x ", "x" * 201, "x" * 30_000, "Mug\nBcc: all", "Mug\u2028rug", "Mug\x1b[2J"]
)
async def test_a_name_is_one_line_of_2_to_200_characters(catalogue: Catalogue, database: Database, name: str) -> None:
    answer = await catalogue.ask("POST", PRODUCTS, await catalogue.wanted(name=name))

    assert code(answer) == (400, "INVALID_PRODUCT_NAME")
    assert fields(answer) == ["name"]
    assert await nothing_was_made(database)


@pytest.mark.rule("BR-PROD-001")
@pytest.mark.parametrize("name", ["xy", " xy ", "\N{GRINNING FACE}" * 200])
async def test_names_of_2_and_of_200_characters_are_taken(catalogue: Catalogue, name: str) -> None:
    assert (await catalogue.product(name=name))["name"] == name.strip()


@pytest.mark.rule("BR-PROD-001")
@pytest.mark.parametrize("length", [5001, 30_000])
async def test_a_description_has_5000_characters_at_most(catalogue: Catalogue, database: Database, length: int) -> None:
    answer = await catalogue.ask("POST", PRODUCTS, await catalogue.wanted(description="x" * length))

    assert code(answer) == (400, "DESCRIPTION_TOO_LONG")
    assert fields(answer) == ["description"]
    assert await nothing_was_made(database)


async def test_a_description_of_5000_characters_is_taken(catalogue: Catalogue) -> None:
    description = "\N{GRINNING FACE}" * 5000

    assert (await catalogue.product(description=description))["description"] == description


@pytest.mark.rule("BR-PROD-001")
async def test_a_product_stands_in_a_category_that_exists(catalogue: Catalogue, database: Database) -> None:
    answer = await catalogue.ask("POST", PRODUCTS, await catalogue.wanted(category_id=str(NOBODY)))

    assert code(answer) == (400, "INVALID_CATEGORY")
    assert fields(answer) == ["category_id"]
    assert await nothing_was_made(database)


@pytest.mark.parametrize("quantity", [-1, 1_000_001, 2**31, 2**63 - 1, -(2**63) + 1])
async def test_an_initial_stock_is_none_or_some_but_not_absurd(
    catalogue: Catalogue, database: Database, quantity: int
) -> None:
    answer = await catalogue.ask("POST", PRODUCTS, await catalogue.wanted(initial_stock=quantity))

    assert code(answer) == (400, "INVALID_QUANTITY")
    assert fields(answer) == ["initial_stock"]
    assert await nothing_was_made(database)


async def test_of_several_wrong_things_each_is_named(catalogue: Catalogue) -> None:
    wrong: dict[str, Any] = {"name": "x", "description": "x" * 5001, "price": "0", "initial_stock": -1}

    answer = await catalogue.ask("POST", PRODUCTS, await catalogue.wanted(**wrong))

    assert code(answer) == (400, "INVALID_PRODUCT_NAME")
    assert fields(answer) == list(wrong)


async def test_an_id_is_given_once(catalogue: Catalogue, database: Database) -> None:
    first = await catalogue.product("mug", name="First")

    answer = await catalogue.ask("POST", PRODUCTS, await catalogue.wanted(product_id="mug", name="Second"))

    assert code(answer) == (409, "DUPLICATE_PRODUCT_ID")
    assert fields(answer) == ["product_id"]
    assert await catalogue.show("mug") == first
    assert await count(database, "stock_movements") == 1
    assert [kind for kind, _ in await published(database)] == ["category.created", "product.created"]


async def test_a_request_that_is_repeated_makes_one_product(catalogue: Catalogue, database: Database) -> None:
    body = await catalogue.wanted()

    first = await catalogue.ask("POST", PRODUCTS, body, key="once")
    again = await catalogue.ask("POST", PRODUCTS, body, key="once")
    other = await catalogue.ask("POST", PRODUCTS, body | {"price": "1.00"}, key="once")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await count(database, "products") == await count(database, "stock") == 1
    assert [kind for kind, _ in await published(database)].count("product.created") == 1


async def test_a_product_that_does_not_exist_is_not_found(catalogue: Catalogue) -> None:
    answer = await catalogue.ask("GET", f"{PRODUCTS}/mug", role=None)

    assert code(answer) == (404, "PRODUCT_NOT_FOUND")
