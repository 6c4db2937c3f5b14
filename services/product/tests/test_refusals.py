"""What Product refuses, from whom, and that it never breaks over what it is sent."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from chassis.db import Database
from services.product.tests.factories import as_person, as_service, ask, put_on_sale, reservation, reserved

CHECK = "/api/v1/products/check-availability"
QUOTES = "/api/v1/products/quotes"
RESERVE = "/api/v1/reservations"
ID = "0198c0de-0000-7000-8000-000000000001"
SETTLE = {"reservation_ids": [ID]}
PROTECTED = [
    ("POST", RESERVE, {"reservations": [{"reservation_id": ID, "items": [{"product_id": "mug", "quantity": 1}]}]}),
    ("POST", f"{RESERVE}/releases", SETTLE),
    ("POST", f"{RESERVE}/deductions", SETTLE),
    ("GET", f"{RESERVE}/{ID}", None),
]
protected = pytest.mark.parametrize(("method", "path", "body"), PROTECTED, ids=["reserve", "release", "deduct", "show"])


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@protected
async def test_who_has_no_token_is_not_known(client: httpx.AsyncClient, method: str, path: str, body: Any) -> None:
    answer = await client.request(method, path, json=body)

    assert code(answer) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


@protected
async def test_a_token_for_another_service_is_not_taken(
    client: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    answer = await client.request(method, path, json=body, headers=as_service(audience="delivery"))

    assert code(answer) == (401, "UNAUTHENTICATED")


@protected
@pytest.mark.parametrize("role", ["customer", "warehouse"])
async def test_reservations_are_no_affair_of_peoples(
    client: httpx.AsyncClient, method: str, path: str, body: Any, role: str
) -> None:
    answer = await client.request(method, path, json=body, headers=as_person(role))

    assert code(answer) == (403, "FORBIDDEN")


async def test_an_admin_may_look_at_a_reservation_but_not_make_or_end_one(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    wanted = reservation(("mug", 1))
    await ask(client, [wanted])

    looked = await client.get(f"{RESERVE}/{wanted.reservation_id}", headers=as_person("admin"))
    ends = [await client.post(path, json=body, headers=as_person("admin")) for method, path, body in PROTECTED[:3]]

    assert looked.status_code == 200
    assert [code(each) for each in ends] == [(403, "FORBIDDEN")] * 3


async def test_there_is_nothing_at_an_unknown_reservation(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{RESERVE}/{uuid4()}", headers=as_service())

    assert code(answer) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["/api/v1/products/%00", "/api/v1/products/a%20b", "/api/v1/products/" + "a" * 65, f"{RESERVE}/17"]
)
async def test_an_address_that_cannot_exist_is_refused(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=as_service())

    assert answer.status_code in {400, 404}


@pytest.mark.parametrize("path", [CHECK, QUOTES, RESERVE])
async def test_another_method_is_refused_with_those_there_are(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.delete(path, headers=as_service())

    assert code(answer) == (405, "METHOD_NOT_ALLOWED")
    assert "POST" in answer.headers["allow"]


NO_QUANTITIES: list[Any] = [0, -1, 10_001, 1.5, 1.0, "2", True, None, [], 2**31, 2**63 - 1]
NO_PRODUCTS: list[Any] = ["", " ", "mug\n", "\x00", "mug\x00", "múg", "a" * 65, "'; --", 5, None, ["mug"]]
NO_VARIANTS: list[Any] = ["", "x", "\x00", 5, [], {}, ID + "0"]


def line(**changes: Any) -> dict[str, Any]:
    return {"product_id": "mug", "quantity": 1} | changes


BAD_ITEMS: list[Any] = [
    [],
    [line()] * 51,
    {},
    None,
    [None],
    [[]],
    ["mug"],
    [{"product_id": "mug"}],
    [{"quantity": 1}],
    [line(unit_price="0.01")],
    *([line(quantity=quantity)] for quantity in NO_QUANTITIES),
    *([line(product_id=product_id)] for product_id in NO_PRODUCTS),
    *([line(variant_id=variant)] for variant in NO_VARIANTS),
]


@pytest.mark.parametrize("items", BAD_ITEMS, ids=map(str, range(len(BAD_ITEMS))))
async def test_items_that_make_no_sense_are_refused_with_the_field_and_hold_nothing(
    client: httpx.AsyncClient, database: Database, items: Any
) -> None:
    await put_on_sale(database, "mug", 10**6)

    checked = await client.post(CHECK, json={"items": items})
    quoted = await client.post(QUOTES, json={"items": items})
    body = {"reservations": [{"reservation_id": ID, "items": items}]}
    held = await client.post(RESERVE, json=body, headers=as_service())

    assert code(checked) == code(quoted) == code(held) == (400, "VALIDATION_ERROR")
    assert checked.json()["error"]["details"] == quoted.json()["error"]["details"]
    assert checked.json()["error"]["details"][0]["field"].startswith("items")
    assert held.json()["error"]["details"][0]["field"].startswith("reservations.0.items")
    assert await reserved(database) == {"mug": 0}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reservations": []},
        {"reservations": [{"reservation_id": "17", "items": [line()]}]},
        {"reservations": [{"items": [line()]}]},
        {"reservations": [{"reservation_id": ID, "items": [line()], "state": "HELD"}]},
        {"reservations": [{"reservation_id": ID, "items": [line()]}] * 101},
    ],
    ids=["empty", "none", "no uuid", "no id", "with a state", "too many"],
)
async def test_reservations_that_make_no_sense_are_refused(client: httpx.AsyncClient, body: Any) -> None:
    answer = await client.post(RESERVE, json=body, headers=as_service())

    assert code(answer) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "body",
    [{}, {"reservation_ids": []}, {"reservation_ids": ["x"]}, {"reservation_ids": ID}, {"reservation_ids": [ID] * 501}],
    ids=["empty", "none", "no uuid", "no list", "too many"],
)
@pytest.mark.parametrize("how", ["releases", "deductions"])
async def test_ids_that_make_no_sense_are_refused(client: httpx.AsyncClient, how: str, body: Any) -> None:
    answer = await client.post(f"{RESERVE}/{how}", json=body, headers=as_service())

    assert code(answer) == (400, "VALIDATION_ERROR")


NO_JSON = {
    "nothing": b"",
    "half": b"{",
    "null": b"null",
    "a list": b"[]",
    "no UTF-8": b"\xff\xfe",
    "NaN": b'{"items": [{"product_id": "mug", "quantity": NaN}]}',
    "infinite": b'{"items": [{"product_id": "mug", "quantity": 1e400}]}',
    "giant": b'{"items": [{"product_id": "mug", "quantity": ' + b"9" * 5000 + b"}]}",
    "a name twice": b'{"items": [{"product_id": "mug", "quantity": 1, "quantity": 2}]}',
    "deep": b'{"items": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    "lone surrogate": b'{"items": [{"product_id": "\\ud800", "quantity": 1}]}',
    "NUL": b'{"items": [{"product_id": "\\u0000", "quantity": 1}]}',
}


@pytest.mark.parametrize("body", list(NO_JSON.values()), ids=list(NO_JSON))
@pytest.mark.parametrize("path", [CHECK, QUOTES, RESERVE, f"{RESERVE}/releases", f"{RESERVE}/deductions"])
async def test_bodies_that_are_not_what_json_should_be_are_refused(
    client: httpx.AsyncClient, path: str, body: bytes
) -> None:
    answer = await client.post(path, content=body, headers={**as_service(), "content-type": "application/json"})

    assert code(answer) == (400, "VALIDATION_ERROR")


async def test_a_body_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    body = json.dumps({"items": [line()], "padding": "x" * 70_000}).encode()

    answer = await client.post(CHECK, content=body, headers={"content-type": "application/json"})

    assert code(answer) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_body_that_is_not_declared_as_json_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(CHECK, content=json.dumps({"items": [line()]}), headers={"content-type": "text/plain"})

    assert code(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")
