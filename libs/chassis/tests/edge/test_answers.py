"""Every answer has its trace and its form."""

import json
import re

import httpx
import pytest
from fastapi import FastAPI

from chassis import errors, tracing
from chassis.edge import refusals
from chassis.errors import Refused
from chassis.refusals import STATUS
from chassis.telemetry import span
from libs.chassis.tests.edge.things import CLIENT_TRACE, REFUSALS, THING, OutOfStock, Slow


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_leaves_in_one_form_with_the_status_of_its_meaning(
    client: httpx.AsyncClient, name: str
) -> None:
    refused, status, code = REFUSALS[name]

    answer = await client.get(f"/refusals/{name}")

    assert answer.status_code == status
    assert answer.json() == {
        "error": {
            "code": code,
            "message": refused.message,
            "details": list(refused.details),
            "trace_id": answer.headers["x-trace-id"],
        }
    }
    assert answer.headers.get("retry-after") == {"often": "7", "down": "1", "slow": "1", "overloaded": "1"}.get(name)
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


async def test_an_answer_names_its_trace_and_is_neither_sniffed_nor_stored(client: httpx.AsyncClient) -> None:
    answer = await client.get(THING)

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-trace-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert (await client.delete(THING)).headers["cache-control"] == "max-age=60"


async def test_a_callers_trace_goes_on(client: httpx.AsyncClient) -> None:
    answer = await client.get(THING, headers={"traceparent": CLIENT_TRACE})

    assert answer.headers["x-trace-id"] == CLIENT_TRACE[3:35]
    assert answer.json()["trace"] == CLIENT_TRACE
    assert tracing.traceparent.get() is None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        CLIENT_TRACE.upper(),
        CLIENT_TRACE + "-x",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"ff{CLIENT_TRACE[2:]}",
        "x" * 9000,
    ],
)
async def test_a_trace_that_is_none_is_not_gone_on_with(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.get(THING, headers={"traceparent": header})

    assert answer.status_code == 200
    assert answer.headers["x-trace-id"] not in header.lower()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/not-a-uuid", ["thing_id"]),
        ("/%ff%fe", ["thing_id"]),
        (f"{THING}?limit=0", ["limit"]),
        (f"{THING}?limit=hunter2", ["limit"]),
        ("/hunter2?limit=1e9", ["thing_id", "limit"]),
    ],
)
async def test_a_bad_path_or_query_is_refused_with_the_field_named_and_nothing_repeated(
    client: httpx.AsyncClient, path: str, fields: list[str]
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == fields
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [("/a%00b", 404), (f"{THING}?q=%00", 400), ("/refusals/%00", 404), ("/" + "a" * 300 + "%00", 404)],
)
async def test_a_nul_gets_no_further_than_the_edge(client: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await client.get(path)).status_code == status


async def test_an_unknown_address_is_refused_in_the_same_form(client: httpx.AsyncClient) -> None:
    answer = await client.get("http://test/nowhere")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"


async def test_a_method_that_is_not_taken_is_told_which_are(client: httpx.AsyncClient) -> None:
    answer = await client.put(THING)

    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert answer.headers["allow"] == "GET, DELETE, HEAD"


async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    head, get = await client.head(THING), await client.get(THING)

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_the_api_document_says_how_refusals_look(app: FastAPI) -> None:
    described = app.openapi()

    get = described["paths"]["/api/v1/things/{thing_id}"]["get"]["responses"]
    assert set(get) == {"200", "400", "default"}
    assert get["400"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
    assert {"ErrorBody", "ErrorContent", "ErrorDetail"} <= set(described["components"]["schemas"])
    assert "HTTPValidationError" not in json.dumps(described)


def test_a_route_declares_the_refusals_it_may_make() -> None:
    declared = refusals(errors.NotFound, OutOfStock, errors.Invalid, Slow)

    assert {status: each["description"] for status, each in declared.items()} == {
        404: "NOT_FOUND",
        400: "INSUFFICIENT_STOCK, VALIDATION_ERROR",
        503: "SLOW",
    }


def test_every_meaning_has_a_status() -> None:
    meanings = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Refused)}

    assert meanings - set(STATUS) == {errors.Later, errors.Away, errors.Overloaded}


def test_a_span_outside_of_any_request_does_no_harm() -> None:
    with span("nothing"):
        pass
