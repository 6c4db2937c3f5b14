"""What the warehouse's requests are refused for, from whom, and that none of it changes anything."""

from typing import Any

import httpx
import pytest

from chassis.db import Database
from services.product.tests.factories import (
    Shelf,
    add_variant,
    as_person,
    as_service,
    ask,
    published,
    put_on_sale,
    reservation,
    shelf,
)
from services.product.tests.factories_warehouse import Doing, correct, movements, restock

MUG = "/api/v1/products/mug"
ROUTES = [
    ("POST", f"{MUG}/restocks", {"quantity": 1}),
    ("POST", f"{MUG}/stock-corrections", {"quantity": 1, "reason": "counted"}),
    ("GET", f"{MUG}/stock", None),
    ("GET", f"{MUG}/stock/movements", None),
]
routes = pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=["restock", "correct", "stock", "movements"])
both = pytest.mark.parametrize("doing", [restock, correct])
NO_VARIANT = "00000000-0000-0000-0000-000000000000"
NOBODY = "0198c0de-0000-7000-8000-00000000ffff"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def body_of(doing: Doing, **fields: Any) -> dict[str, Any]:
    return {"quantity": 1, **({"reason": "counted"} if doing is correct else {}), **fields}


@routes
async def test_who_has_no_token_is_not_known(client: httpx.AsyncClient, method: str, path: str, body: Any) -> None:
    answer = await client.request(method, path, json=body)

    assert code(answer) == (401, "UNAUTHENTICATED")


@routes
@pytest.mark.parametrize("who", ["customer", "service"])
async def test_only_the_warehouse_and_admins_may(
    client: httpx.AsyncClient, database: Database, method: str, path: str, body: Any, who: str
) -> None:
    await put_on_sale(database, "mug", 10)

    headers = as_service() if who == "service" else as_person(who)
    answer = await client.request(method, path, json=body, headers=headers)

    assert code(answer) == (403, "FORBIDDEN")
    assert await shelf(database, "mug") == Shelf(10, 0)


@routes
@pytest.mark.parametrize("role", ["warehouse", "admin"])
async def test_the_warehouse_and_admins_may(
    client: httpx.AsyncClient, database: Database, method: str, path: str, body: Any, role: str
) -> None:
    await put_on_sale(database, "mug", 10)

    answer = await client.request(method, path, json=body, headers=as_person(role))

    assert answer.status_code == (200 if method == "GET" else 201)


@pytest.mark.parametrize("quantity", [0, -1, 1_000_001, 2**63 - 1, -(2**63 - 1)])
async def test_nothing_less_than_nothing_and_what_fits_no_warehouse_cannot_come_in(
    client: httpx.AsyncClient, database: Database, quantity: int
) -> None:
    await put_on_sale(database, "mug", 10)

    answer = await restock(client, "mug", {"quantity": quantity})

    assert code(answer) == (400, "INVALID_QUANTITY")
    assert answer.json()["error"]["details"][0]["field"] == "quantity"
    await nothing_has_happened(database)


@pytest.mark.parametrize("quantity", [0, 1_000_001, -1_000_001, -11, 2**63 - 1, -(2**63 - 1)])
async def test_nothing_what_fits_no_warehouse_and_more_than_there_is_cannot_be_counted(
    client: httpx.AsyncClient, database: Database, quantity: int
) -> None:
    await put_on_sale(database, "mug", 10)

    answer = await correct(client, "mug", {"quantity": quantity, "reason": "counted"})

    assert code(answer) == (400, "INVALID_QUANTITY")
    assert answer.json()["error"]["details"][0]["field"] == "quantity"
    await nothing_has_happened(database)


async def nothing_has_happened(database: Database) -> None:
    assert await shelf(database, "mug") == Shelf(10, 0)
    assert len(await movements(database, "mug")) == 1
    assert await published(database) == []


async def test_what_is_held_cannot_be_corrected_away(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    await ask(client, [reservation(("mug", 4))])

    refused = await correct(client, "mug", {"quantity": -7, "reason": "counted"})
    done = await correct(client, "mug", {"quantity": -6, "reason": "counted"})

    assert code(refused) == (409, "STOCK_RESERVED")
    [detail] = refused.json()["error"]["details"]
    assert (detail["field"], detail["reserved"]) == ("quantity", 4)
    assert done.status_code == 201
    assert await shelf(database, "mug") == Shelf(on_hand=4, reserved=4)


@both
async def test_what_is_not_known_cannot_be_counted(client: httpx.AsyncClient, database: Database, doing: Doing) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "shirt", 0)
    large = await add_variant(database, "shirt", 1)

    answers = [
        await doing(client, product_id, body_of(doing, **({"variant_id": variant} if variant else {})))
        for product_id, variant in [
            ("unheard-of", None),
            ("unheard-of", str(large)),
            ("mug", NOBODY),
            ("mug", str(large)),
            ("mug", NO_VARIANT),
            ("shirt", NO_VARIANT),
        ]
    ]

    assert [code(answer) for answer in answers] == [(404, "PRODUCT_NOT_FOUND")] * 6
    await nothing_has_happened(database)


@both
async def test_of_what_comes_in_variants_one_has_to_be_named(
    client: httpx.AsyncClient, database: Database, doing: Doing
) -> None:
    await put_on_sale(database, "mug", 10)
    await add_variant(database, "mug", 0)

    answer = await doing(client, "mug", body_of(doing))

    assert code(answer) == (400, "VARIANT_REQUIRED")
    assert answer.json()["error"]["details"][0]["field"] == "variant_id"
    await nothing_has_happened(database)


@pytest.mark.parametrize("path", ["stock", "stock/movements"])
async def test_of_what_is_not_known_nothing_is_shown(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/api/v1/products/unheard-of/{path}", headers=as_person("warehouse"))

    assert code(answer) == (404, "PRODUCT_NOT_FOUND")


@pytest.mark.parametrize("variant", [NOBODY, NO_VARIANT, "of another"])
async def test_movements_of_a_variant_that_the_product_does_not_have_are_not_found(
    client: httpx.AsyncClient, database: Database, variant: str
) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "shirt", 0)
    large = await add_variant(database, "shirt", 1)
    wanted = {"variant_id": str(large) if variant == "of another" else variant}

    answer = await client.get(f"{MUG}/stock/movements", params=wanted, headers=as_person("warehouse"))

    assert code(answer) == (404, "PRODUCT_NOT_FOUND")


BAD: list[dict[str, Any]] = [
    *({"quantity": quantity} for quantity in ["2", 1.5, 1.0, True, None, [], {}]),
    *({"variant_id": variant} for variant in ["", "x", "\x00", 5, [], {}]),
    {"product_id": "mug"},
    {"on_hand": 5},
]


@both
@pytest.mark.parametrize("bad", BAD, ids=map(str, range(len(BAD))))
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, database: Database, doing: Doing, bad: dict[str, Any]
) -> None:
    await put_on_sale(database, "mug", 10)

    answer = await doing(client, "mug", body_of(doing, **bad))

    assert code(answer) == (400, "VALIDATION_ERROR")
    await nothing_has_happened(database)


@pytest.mark.parametrize("words", ["", " ", "x" * 201, "\x00", "\ud800", 5, ["x"], {}])
@both
async def test_words_that_cannot_be_kept_are_refused(
    client: httpx.AsyncClient, database: Database, doing: Doing, words: Any
) -> None:
    await put_on_sale(database, "mug", 10)
    field = "reason" if doing is correct else "reference"

    if words == "\ud800":
        escaped = f'{{"quantity": 1, "{field}": "\\ud800"}}'
        path = f"{MUG}/{'stock-corrections' if doing is correct else 'restocks'}"
        headers = as_person("warehouse") | {"content-type": "application/json"}
        answer = await client.post(path, content=escaped, headers=headers)
    else:
        answer = await doing(client, "mug", body_of(doing, **{field: words}))

    assert code(answer) == (400, "VALIDATION_ERROR")
    await nothing_has_happened(database)


async def test_a_correction_says_why(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    answer = await correct(client, "mug", {"quantity": 1})

    assert code(answer) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "reason"


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "MA"},  # 0
        {"cursor": "LTE"},  # -1
        {"cursor": "OTIyMzM3MjAzNjg1NDc3NTgwOA"},  # 2**63
        {"cursor": "IjEi"},  # "1"
        {"cursor": ""},
        {"cursor": "é"},
        {"limit": "0"},
        {"limit": "101"},
        {"variant_id": "x"},
        {"variant_id": "\x00"},
    ],
    ids=str,
)
async def test_pages_that_do_not_exist_are_refused(
    client: httpx.AsyncClient, database: Database, query: dict[str, str]
) -> None:
    await put_on_sale(database, "mug", 10)

    answer = await client.get(f"{MUG}/stock/movements", params=query, headers=as_person("warehouse"))

    assert code(answer) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("product_id", ["a%20b", "%00", "a" * 65, "m%C3%BAg"])
@pytest.mark.parametrize("path", ["stock", "stock/movements"])
async def test_an_address_that_cannot_exist_is_refused(client: httpx.AsyncClient, path: str, product_id: str) -> None:
    answer = await client.get(f"/api/v1/products/{product_id}/{path}", headers=as_person("warehouse"))

    assert answer.status_code in {400, 404}


@pytest.mark.parametrize("key", ["", " ", "ü", "x" * 201])
@both
async def test_a_key_that_cannot_be_kept_is_refused(
    client: httpx.AsyncClient, database: Database, doing: Doing, key: str
) -> None:
    await put_on_sale(database, "mug", 10)

    path = f"{MUG}/{'stock-corrections' if doing is correct else 'restocks'}"
    headers: list[tuple[bytes, bytes]] = [(b"idempotency-key", key.encode())]
    headers += [(name.encode(), value.encode()) for name, value in as_person("warehouse").items()]
    answer = await client.post(path, json=body_of(doing), headers=headers)

    assert code(answer) == (400, "VALIDATION_ERROR")
    await nothing_has_happened(database)
