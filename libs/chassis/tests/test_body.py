"""No body that a client can think of is more than refused: strictly read, with the field named and nothing repeated."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from chassis.body import DEEPEST, SafeRoute, parse, read_json
from chassis.edge import LARGEST_BODY, install
from chassis.errors import Invalid
from chassis.telemetry import Telemetry

SECRET = "hunter2"


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product_id: str = Field(max_length=20)
    quantity: int = Field(ge=1, le=10_000)


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    items: list[Line] = Field(min_length=1, max_length=50)
    note: str = ""
    weight: float = 0
    anything: Any = None


def _app() -> FastAPI:
    router = APIRouter(route_class=SafeRoute)

    @router.post("/declared")
    async def declared(order: Order) -> str:
        return order.model_dump_json()

    @router.post("/read")
    async def read(request: Request) -> str:
        return (await read_json(request, Order)).model_dump_json()

    app = FastAPI()
    install(app, telemetry=Telemetry("test"))
    app.include_router(router)
    return app


APP = _app()
JSON = {"content-type": "application/json"}


async def post(
    path: str, content: bytes | AsyncIterator[bytes], headers: dict[str, str] | None = None
) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://test") as client:
        return await client.post(path, content=content, headers=JSON if headers is None else headers)


def _order(extra: str = "", quantity: str = "1", product_id: str = '"p"') -> bytes:
    return f'{{"items": [{{"product_id": {product_id}, "quantity": {quantity}}}]{extra}}}'.encode(
        "utf-8", "surrogatepass"
    )


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "body"),
    "blank": (b"   ", "body"),
    "not json": (b"items=1", "body"),
    "cut off": (_order()[:-2], "body"),
    "two values": (b"{} {}", "body"),
    "a raw NUL": (_order(product_id='"a\x00b"'), "body"),
    "a NUL": (_order(product_id='"a\\u0000b"'), "items.0.product_id"),
    "a NUL in a name": (_order(', "a\\u0000": 1'), "body"),
    "a lone high surrogate": (_order(product_id='"\\ud800"'), "items.0.product_id"),
    "a lone low surrogate": (_order(', "note": "a\\udc00"'), "note"),
    "a lone surrogate, raw": (_order(product_id='"\ud800"'), "body"),
    "a lone surrogate in a name": (_order(', "\\ud800": 1'), "body"),
    "NaN": (_order(', "weight": NaN'), "body"),
    "Infinity": (_order(', "weight": Infinity'), "body"),
    "-Infinity": (_order(', "anything": -Infinity'), "body"),
    "1e400": (_order(', "weight": 1e400'), "body"),
    "1e400 as a quantity": (_order(quantity="1e400"), "body"),
    "a giant number": (_order(quantity="9" * 5000), "body"),
    "a large number": (_order(', "anything": 9223372036854775808'), "body"),
    "a small number": (_order(', "anything": -9223372036854775808'), "body"),
    "a name twice": (_order(', "note": "a", "note": "b"'), "note"),
    "a name twice inside": (b'{"items": [{"quantity": 1, "quantity": 2, "product_id": "p"}]}', "quantity"),
    "deep lists": (b"[" * 30_000, "body"),
    "deep lists, closed": (_order(f', "anything": {"[" * 100}{"]" * 100}'), "body"),
    "deep objects": (b'{"a":' * 10_000, "body"),
    "invalid UTF-8": (_order(product_id='"p"').replace(b"p", b"\xff"), "body"),
    "UTF-16": (_order().decode().encode("utf-16"), "body"),
    "a byte order mark": (b"\xef\xbb\xbf" + _order(), "body"),
    "a list": (b"[]", "body"),
    "a text": (b'"order"', "body"),
    "a number": (b"7", "body"),
    "null": (b"null", "body"),
    "no items": (b"{}", "items"),
    "items that are an object": (b'{"items": {}}', "items"),
    "an item that is null": (b'{"items": [null]}', "items.0"),
    "too few": (_order(quantity="0"), "items.0.quantity"),
    "too many": (_order(quantity="10001"), "items.0.quantity"),
    "half of one": (_order(quantity="1.5"), "items.0.quantity"),
    "a word for a number": (_order(quantity=f'"{SECRET}"'), "items.0.quantity"),
    "a text that is too long": (_order(product_id=f'"{SECRET * 10}"'), "items.0.product_id"),
    "a field that is not ours": (_order(f', "unit_price": "{SECRET}"'), "unit_price"),
    "a very long name": (_order(f', "{"n" * 9000}": 1'), "n" * 64),
}


@pytest.mark.parametrize("path", ["/declared", "/read"])
@pytest.mark.parametrize("body", HOSTILE)
async def test_a_bad_body_is_refused_with_the_field_named_and_nothing_repeated(path: str, body: str) -> None:
    content, field = HOSTILE[body]

    answer = await post(path, content)

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert [detail["field"] for detail in error["details"]] == [field]
    assert error["details"][0]["message"].endswith(".")
    assert SECRET not in answer.text


@pytest.mark.parametrize("path", ["/declared", "/read"])
async def test_a_good_body_is_read_as_it_stands(path: str) -> None:
    answer = await post(
        path, _order(', "note": "na\\u00efve \\ud83d\\ude00 😀", "weight": 1.5, "anything": -9223372036854775807')
    )

    assert answer.status_code == 200
    order = Order.model_validate_json(answer.json())
    assert (order.note, order.weight, order.anything) == ("naïve 😀 😀", 1.5, -(2**63) + 1)


@pytest.mark.parametrize("path", ["/declared", "/read"])
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/json",
        "application/xml",
        "application/jsonp",
        "application/json; charset=utf-16",
        "json",
    ],
)
async def test_a_body_of_another_type_is_not_looked_at(path: str, content_type: str) -> None:
    answer = await post(path, b"{", {"content-type": content_type} if content_type else {})

    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "UNSUPPORTED_MEDIA_TYPE"


@pytest.mark.parametrize(
    "content_type", ["application/json;charset=UTF-8", "Application/JSON", 'application/json; charset="utf-8"']
)
async def test_the_type_may_be_written_in_its_other_ways(content_type: str) -> None:
    answer = await post("/read", _order(), {"content-type": content_type})

    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/declared", "/read"])
@pytest.mark.parametrize("size", [LARGEST_BODY + 1, 10_000_000])
async def test_a_body_that_is_too_large_is_refused_with_and_without_a_length(path: str, size: int) -> None:
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(-(-size // 1000)):
            read += 1000
            yield b" " * 1000

    announced = await post(path, b" " * size)
    chunked = await post(path, chunks())

    for answer in (announced, chunked):
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
        assert answer.headers["connection"] == "close"
    assert read <= LARGEST_BODY + 1000


async def test_a_body_of_just_the_largest_size_is_read() -> None:
    answer = await post("/read", _order().ljust(LARGEST_BODY))

    assert answer.status_code == 200


async def test_a_thousand_mistakes_are_not_all_listed() -> None:
    body = json.dumps({"items": [{"product_id": "p", "quantity": 1}], **{f"n{number}": 1 for number in range(1000)}})

    answer = await post("/declared", body.encode())

    assert len(answer.json()["error"]["details"]) == 50


async def test_nesting_is_counted_and_not_brackets() -> None:
    wide = json.dumps([{"a": [1]}] * 100)
    deepest = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)

    assert parse(wide.encode()) == [{"a": [1]}] * 100
    assert (await post("/read", _order(f', "anything": {deepest}'))).status_code == 200
    assert (await post("/read", _order(f', "anything": [{deepest}]'))).status_code == 400


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # what PostgreSQL can store
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(_VALUES)
@settings(deadline=None)
def test_what_can_be_said_in_json_and_stored_is_read_as_it_was_written(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: json.dumps(text).encode()))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parsed = parse(body)
    except Invalid:
        return
    json.dumps(parsed, allow_nan=False, ensure_ascii=False).encode()
