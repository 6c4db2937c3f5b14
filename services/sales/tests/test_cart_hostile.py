"""Requests to carts that nobody sends by accident: each is refused in a documented way, and none changes anything."""

import json
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from contracts.errors import CODES
from services.sales.tests.factories import Sales
from services.sales.tests.shopping import a_customer, a_guest, refused

ITEM = "550e8400-e29b-41d4-a716-446655440000"

QUANTITIES: list[Any] = [-1, 10_001, 2**31, 2**63, 2**64, 1.5, 1.0, "1", "", None, True, False, [], {}, [1]]
PRODUCTS: list[Any] = ["", " ", "a b", "x" * 65, "lämp", "lamp\n", "lamp\x00", "\ud800", "../lamp", "';--", 7, None]
VARIANTS: list[Any] = ["first", "", 7, True, [], {}, "550e8400-e29b-41d4-a716-44665544000g", "\x00"]


def item(**values: Any) -> dict[str, Any]:
    return {"product_id": "lamp", "quantity": 1, **values}


ADDED: dict[str, Any] = {
    "null": None,
    "a list": [],
    "a text": "lamp",
    "nothing": {},
    "no quantity": {"product_id": "lamp"},
    "no product": {"quantity": 1},
    "quantity 0": item(quantity=0),
    **{f"quantity {each!r}": item(quantity=each) for each in QUANTITIES},
    **{f"product {each!r}": item(product_id=each) for each in PRODUCTS},
    **{f"variant {each!r}": item(variant_id=each) for each in VARIANTS},
    **{
        name: item(**{name: "0.01"})
        for name in ("unit_price", "name", "customer_id", "cart_id", "item_id", "currency", "subtotal", "total")
    },
}
CHANGED: dict[str, Any] = {
    "null": None,
    "a number": 7,
    "nothing": {},
    "a product": {"quantity": 1, "product_id": "desk"},
    "a price": {"quantity": 1, "unit_price": "0.01"},
    **{f"quantity {each!r}": {"quantity": each} for each in QUANTITIES},
}
TEXTS: dict[str, bytes] = {
    "nothing": b"",
    "broken": b'{"product_id": "lamp", "quantity": ',
    "duplicate names": b'{"product_id": "lamp", "quantity": 1, "quantity": 2}',
    "NaN": b'{"product_id": "lamp", "quantity": NaN}',
    "many digits": b'{"product_id": "lamp", "quantity": ' + b"9" * 5000 + b"}",
    "NUL": b'{"product_id": "lamp\\u0000", "quantity": 1}',
    "lone surrogate as a name": b'{"product_id": "lamp", "quantity": 1, "\\ud800": 1}',
    "UTF-16": json.dumps(item()).encode("utf-16"),
    "deep": b"[" * 30_000 + b"]" * 30_000,
}


def is_documented(answer: httpx.Response, status: int, code: str) -> bool:
    assert refused(answer) == (status, code), answer.text
    assert CODES[code][0] == status
    assert set(answer.json()["error"]) == {"code", "message", "details", "trace_id"}
    return True


async def send(sales: Sales, method: str, path: str, content: bytes, kind: str = "application/json") -> httpx.Response:
    return await a_customer(sales).ask(method, path, content=content, headers={"Content-Type": kind})


async def test_bodies_that_add_nothing_are_refused_and_do_nothing(sales: Sales) -> None:
    for name, body in ADDED.items():
        answer = await send(sales, "POST", "/items", json.dumps(body).encode())
        assert is_documented(answer, 400, "VALIDATION_ERROR"), name
        assert answer.json()["error"]["details"], name
    assert await sales.count("carts") == 0
    assert sales.product.quoted == 0


async def test_bodies_that_change_nothing_are_refused_and_do_nothing(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    quoted = sales.product.quoted
    for name, body in CHANGED.items():
        answer = await send(sales, "PUT", f"/items/{lamp}", json.dumps(body).encode())
        assert is_documented(answer, 400, "VALIDATION_ERROR"), name
    assert sales.product.quoted == quoted
    assert await grace.quantities() == {"lamp": 2}


@pytest.mark.parametrize(("method", "path"), [("POST", "/items"), ("PUT", f"/items/{ITEM}")])
async def test_texts_that_are_no_json_are_refused(sales: Sales, method: str, path: str) -> None:
    for name, content in TEXTS.items():
        assert is_documented(await send(sales, method, path, content), 400, "VALIDATION_ERROR"), name
    other_kind = await send(sales, method, path, json.dumps(item()).encode(), "text/plain")
    too_long = await send(sales, method, path, b" " * 70_000)

    assert is_documented(other_kind, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert is_documented(too_long, 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_an_item_that_is_no_id_is_refused(sales: Sales, method: str) -> None:
    body = json.dumps({"quantity": 1}).encode()
    for odd in ("1", "lamp", "%ff", "';--", "x" * 3000, ITEM + "0", "null"):
        assert is_documented(await send(sales, method, f"/items/{odd}", body), 400, "VALIDATION_ERROR"), odd
    for strange in ("%00", "..%2f..", f"{ITEM}/{ITEM}"):
        assert is_documented(await send(sales, method, f"/items/{strange}", body), 404, "NOT_FOUND"), strange


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "\x7f", "schlüssel"])
async def test_an_odd_idempotency_key_is_refused(sales: Sales, key: str) -> None:
    answer = await a_customer(sales).ask("POST", "/items", json=item(), headers=[(b"Idempotency-Key", key.encode())])

    assert is_documented(answer, 400, "VALIDATION_ERROR")
    assert await sales.count("carts") == 0


async def test_a_token_in_odd_characters_is_only_a_token_that_opens_nothing(sales: Sales) -> None:
    for token in (b"\xff\xfe", "schlüssel".encode(), b"\t", b"'; DROP TABLE carts", b"x" * 60_000):
        async with sales.client(None) as client:
            answer = await client.get("/api/v1/cart", headers=[(b"X-Cart-Token", token)])
        assert is_documented(answer, 404, "NOT_FOUND"), token


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/cart", "GET, DELETE, HEAD"),
        ("GET", "/api/v1/cart/items", "POST"),
        ("PATCH", f"/api/v1/cart/items/{ITEM}", "PUT, DELETE"),
        ("GET", "/api/v1/guest-carts", "POST"),
    ],
)
async def test_other_methods_are_not_allowed(sales: Sales, method: str, path: str, allowed: str) -> None:
    async with sales.client() as client:
        answer = await client.request(method, path)

    assert is_documented(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allowed


async def test_neither_answers_nor_logs_repeat_a_token(sales: Sales) -> None:
    with capture_logs() as logs:
        guest = await a_guest(sales)
        item_id = await guest.has("lamp", 2)
        answers = [
            await guest.add("desk", 51),
            await guest.add("lamp", 1, key="key"),
            await guest.change(item_id, "x"),
            await guest.remove(ITEM),
            await guest.ask("GET"),
            await guest.clear(),
        ]

    stored = await sales.rows("SELECT * FROM idempotency_keys")
    assert len(logs) >= len(answers)
    assert len(stored) == 1
    assert not any(guest.token in said for said in [str(logs), str(stored), *(answer.text for answer in answers)])
