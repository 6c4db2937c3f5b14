"""Requests that nobody sends by accident: each gets a documented refusal, and none of them a defect of ours."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.keys import Role, Signer, new_keypair
from contracts.errors import CODES
from services.sales.tests.factories import ADDRESS, PEOPLES_KEY, Sales, token, wanted
from services.sales.tests.fake_product import SALES_KEY


def item(**values: Any) -> dict[str, Any]:
    return {"items": [{"product_id": "lamp", "quantity": 1, **values}], "shipping_address": ADDRESS}


def address(**values: Any) -> dict[str, Any]:
    return wanted(address={**ADDRESS, **values})


INVALID_BODIES: dict[str, Any] = {
    "null": None,
    "a list": [],
    "a text": "order",
    "a number": 7,
    "nothing": {},
    "no items": {"items": [], "shipping_address": ADDRESS},
    "items null": {"items": None},
    "items as an object": {"items": {"product_id": "lamp", "quantity": 1}},
    "items of text": {"items": ["lamp"]},
    "items of null": {"items": [None]},
    "51 lines": wanted(*(f"lamp-{n}" for n in range(51))),
    "10001 of one product in two lines": wanted(("lamp", 10_000), ("lamp", 1)),
    "500000 of one product": wanted(*[("lamp", 10_000)] * 50),
    "unit_price": item(unit_price="0.01"),
    "name": item(name="Diamond"),
    "customer_id": wanted(customer_id="ada"),
    "status": wanted(status="DELIVERED"),
    "order_id": wanted(order_id="550e8400-e29b-41d4-a716-446655440000"),
    "total": wanted(total="0.00"),
    "shipping_cost": wanted(shipping_cost="-5.00"),
    "reservation_id": wanted(reservation_id="550e8400-e29b-41d4-a716-446655440000"),
    "__proto__": wanted(__proto__={}),
    "product_id missing": {"items": [{"quantity": 1}]},
    "quantity missing": {"items": [{"product_id": "lamp"}]},
    "variant_id": item(variant_id="first"),
    "note too long": wanted(note="x" * 1001),
    "note as a number": wanted(note=7),
    "note with NUL": wanted(note="a\x00b"),
    "note with a lone surrogate": wanted(note="a\ud800b"),
    "address as text": {**wanted(), "shipping_address": "1 Compiler Street"},
    "address empty": {**wanted(), "shipping_address": {}},
    "address with more": address(planet="Mars"),
    "address without a name": address(name="  "),
    "address with a long line": address(line1="x" * 201),
    "address with NUL": address(city="Arling\x00ton"),
    "address with a lone surrogate": address(city="\udfff"),
    "country in full": address(country="United States"),
    "country in small letters": address(country="us"),
    "country with a line break": address(country="US\n"),
    "postal code as a number": address(postal_code=22201),
}
QUANTITIES: list[Any] = [0, -1, 10_001, 2**31, 2**63, 2**64, 1.5, 1.0, "1", "", None, True, False, [], {}, [1]]
INVALID_BODIES |= {f"quantity {quantity!r}": item(quantity=quantity) for quantity in QUANTITIES}
PRODUCTS: list[Any] = ["", " ", "a b", "x" * 65, "lämp", "lamp\n", "lamp\x00", "\ud800", "../lamp", "';--"]
PRODUCTS += [7, None, True, [], {}]
INVALID_BODIES |= {f"product {product!r}": item(product_id=product) for product in PRODUCTS}

INVALID_TEXTS: dict[str, bytes] = {
    "nothing": b"",
    "broken": b'{"items": [',
    "two": json.dumps(wanted()).encode() * 2,
    "comma": b'{"items": [{"product_id": "lamp", "quantity": 1},]}',
    "comment": b'{"items": [] /* none */}',
    "single quotes": b"{'items': []}",
    "duplicate names": b'{"items": [{"product_id": "lamp", "quantity": 1, "quantity": 2}]}',
    "duplicate names, escaped": b'{"items": [{"product_id": "lamp", "quantity": 1, "quant\\u0069ty": 2}]}',
    "NaN": b'{"items": [{"product_id": "lamp", "quantity": NaN}]}',
    "infinite": b'{"items": [{"product_id": "lamp", "quantity": 1e400}]}',
    "exponent": b'{"items": [{"product_id": "lamp", "quantity": 1e0}]}',
    "many digits": b'{"items": [{"product_id": "lamp", "quantity": ' + b"9" * 5000 + b"}]}",
    "NUL": b'{"items": [{"product_id": "lamp", "quantity": 1}], "note": "\\u0000"}',
    "lone surrogate": b'{"items": [{"product_id": "lamp", "quantity": 1}], "note": "\\ud800"}',
    "surrogate as a name": b'{"items": [{"product_id": "lamp", "quantity": 1}], "\\ud800": 1}',
    "latin-1": '{"note": "ä"}'.encode("latin-1"),
    "UTF-16": json.dumps(wanted()).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(wanted()).encode(),
    "deep": b'{"items": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
}


def is_documented(answer: httpx.Response, status: int, code: str) -> bool:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert CODES[code][0] == status
    assert set(answer.json()["error"]) == {"code", "message", "details", "trace_id"}
    return True


async def nothing_happened(sales: Sales) -> bool:
    assert await sales.count("attempts") == 0
    assert await sales.count("orders") == 0
    assert sales.product.asked == []
    return True


async def post(sales: Sales, content: Any, **headers: str) -> httpx.Response:
    async with sales.client() as client:
        return await client.post(
            "/api/v1/orders", content=content, headers={"Content-Type": "application/json", **headers}
        )


async def test_bodies_that_make_no_order_are_refused_and_do_nothing(sales: Sales) -> None:
    for name, body in INVALID_BODIES.items():
        answer = await post(sales, json.dumps(body), **{"Idempotency-Key": "key"})
        assert is_documented(answer, 400, "VALIDATION_ERROR"), name
        assert answer.json()["error"]["details"], name
    assert await nothing_happened(sales)


async def test_texts_that_are_no_json_are_refused_and_do_nothing(sales: Sales) -> None:
    for name, text in INVALID_TEXTS.items():
        answer = await post(sales, text)
        assert is_documented(answer, 400, "VALIDATION_ERROR"), name
    assert await nothing_happened(sales)


async def test_the_details_name_the_field_and_do_not_repeat_what_was_sent(sales: Sales) -> None:
    answer = await post(sales, json.dumps(item(quantity="secret-4711")))

    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["items.0.quantity"]
    assert "4711" not in answer.text


async def test_a_sum_that_is_too_large_names_the_line_that_made_it_so(sales: Sales) -> None:
    answer = await sales.order(wanted(("lamp", 9_999), "desk", ("lamp", 1), ("lamp", 1)))

    assert is_documented(answer, 400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["items.3.quantity"]


@pytest.mark.parametrize("announced", [True, False])
async def test_ten_megabytes_are_refused_before_they_are_read(sales: Sales, announced: bool) -> None:
    sent = 0

    async def megabytes() -> Any:
        nonlocal sent
        for _ in range(10):
            sent += 1
            yield b" " * 2**20

    answer = await (post(sales, b" " * 10 * 2**20) if announced else post(sales, megabytes()))

    assert is_documented(answer, 413, "PAYLOAD_TOO_LARGE")
    assert sent <= 2
    assert await nothing_happened(sales)


async def test_the_largest_order_that_is_allowed_is_taken(sales: Sales) -> None:
    body = wanted(*[("lamp", 3)] * 50, note="n" * 1000, address={**ADDRESS, "line1": "x" * 200})

    answer = await sales.order(body, "k" * 200)

    assert answer.status_code == 201
    assert answer.json()["items"][0]["quantity"] == 150


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/jsonx", "text/json", ""]
)
async def test_what_does_not_call_itself_json_is_refused(sales: Sales, kind: str) -> None:
    answer = await post(sales, json.dumps(wanted()), **{"Content-Type": kind})

    assert is_documented(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert await nothing_happened(sales)


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "schlüssel", "a\tb", "\x7f", "a\u0000b", "🔑"])
async def test_an_odd_idempotency_key_is_refused(sales: Sales, key: str) -> None:
    async with sales.client() as client:
        headers = [(b"Idempotency-Key", key.encode())]
        answer = await client.post("/api/v1/orders", json=wanted(), headers=headers)

    assert is_documented(answer, 400, "VALIDATION_ERROR")
    assert await nothing_happened(sales)


@pytest.mark.parametrize(
    "key", ["x", "x" * 200, "!#$%&'*+-.^_`|~", '"quoted"', "%00", "';DROP-TABLE-attempts;--", "{}"]
)
async def test_any_printable_idempotency_key_is_good(sales: Sales, key: str) -> None:
    first = await sales.order(key=key)
    again = await sales.order(key=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content


def strangers() -> Iterator[tuple[str, str]]:
    forger, _ = new_keypair("people", ["customer", "warehouse", "admin"])
    good = token("grace", "customer")
    head, body, signature = good.split(".")
    yield "none", ""
    yield "empty", "Bearer "
    yield "basic", "Basic Z3JhY2U6c2VjcmV0"
    yield "no token", "Bearer nonsense"
    yield "forged", "Bearer " + Signer(forger).token("grace", ["customer"])
    yield "expired", "Bearer " + token("grace", "customer", lives=timedelta(minutes=-2))
    yield "for others", "Bearer " + token("grace", "customer", audience="elsewhere")
    yield "unsigned", f"Bearer {head}.{body}."
    yield "changed", f"Bearer {head}.{body[:-2]}AA.{signature}"
    yield "signature of another", f"Bearer {head}.{body}.{token('ada', 'customer').split('.')[2]}"
    yield "of a service that says it is a customer", "Bearer " + Signer(SALES_KEY).token("grace", ["customer"], "sales")
    yield "without a role", "Bearer " + Signer(PEOPLES_KEY).token("grace", [])
    yield "long", "Bearer " + "x" * 50_000


PATHS = [("POST", ""), ("GET", ""), ("GET", "/550e8400-e29b-41d4-a716-446655440000")]
PATHS += [("GET", "/550e8400-e29b-41d4-a716-446655440000/timeline")]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_who_is_not_known_gets_nothing(sales: Sales, method: str, path: str) -> None:
    async with sales.client(None) as client:
        for name, authorization in strangers():
            headers = {"Authorization": authorization} if authorization else {}
            answer = await client.request(method, f"/api/v1/orders{path}", json=wanted(), headers=headers)
            assert is_documented(answer, 401, "UNAUTHENTICATED"), name
            assert answer.headers["www-authenticate"] == "Bearer"
    assert await nothing_happened(sales)


ROLES: dict[tuple[str, str], set[Role]] = {
    path: {"customer"} if path[0] == "POST" else {"customer", "admin"} for path in PATHS
}


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_who_is_known_gets_what_the_role_allows(sales: Sales, method: str, path: str) -> None:
    service = Signer(SALES_KEY).token("sales", ["service"], "sales")
    tokens = {role: token("grace", role) for role in ("customer", "warehouse", "admin")} | {"service": service}
    for role, its_token in tokens.items():
        async with sales.client(None, Authorization=f"Bearer {its_token}") as client:
            answer = await client.request(method, f"/api/v1/orders{path}", json=wanted())
        if role in ROLES[method, path]:
            assert answer.status_code in (200, 201, 404)
        else:
            assert is_documented(answer, 403, "FORBIDDEN")


@pytest.mark.parametrize("query", ["status=LOST", "status=", "status=shipped", "limit=NaN", "cursor=%00", "cursor=%ff"])
async def test_odd_queries_are_refused(sales: Sales, query: str) -> None:
    async with sales.client() as client:
        answer = await client.get(f"/api/v1/orders?{query}")

    assert is_documented(answer, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "", "GET, POST, HEAD"), ("PUT", "", "GET, POST, HEAD"), ("PATCH", PATHS[2][1], "GET, HEAD")],
)
async def test_other_methods_are_not_allowed(sales: Sales, method: str, path: str, allowed: str) -> None:
    async with sales.client() as client:
        answer = await client.request(method, f"/api/v1/orders{path}")

    assert is_documented(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allowed
