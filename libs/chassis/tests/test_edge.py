"""Every answer has its trace and its form, a failure is told to us and not to the client, and the client may leave."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Message, Scope

from chassis import errors, tracing
from chassis.edge import SafeRoute, install, refusals
from chassis.errors import Refused
from chassis.refusals import STATUS
from chassis.telemetry import Telemetry, configure_logging, span

CLIENT_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class OutOfStock(errors.Invalid):
    code = "INSUFFICIENT_STOCK"


class Slow(errors.Unavailable):
    code = "SLOW"


REFUSALS = {
    "invalid": (errors.Invalid("No."), 400, "VALIDATION_ERROR"),
    "stock": (
        OutOfStock("Not enough.", [{"field": "items.0.quantity", "message": "3 are left.", "available": 3}]),
        400,
        "INSUFFICIENT_STOCK",
    ),
    "unauthenticated": (errors.Unauthenticated(), 401, "UNAUTHENTICATED"),
    "payment": (errors.PaymentRefused("No."), 402, "PAYMENT_REFUSED"),
    "forbidden": (errors.Forbidden(), 403, "FORBIDDEN"),
    "missing": (errors.NotFound("No."), 404, "NOT_FOUND"),
    "conflict": (errors.Conflict("No."), 409, "CONFLICT"),
    "large": (errors.TooLarge("No."), 413, "PAYLOAD_TOO_LARGE"),
    "media": (errors.UnsupportedMedia("No."), 415, "UNSUPPORTED_MEDIA_TYPE"),
    "reused": (errors.KeyReused("No."), 422, "IDEMPOTENCY_KEY_REUSED"),
    "often": (errors.TooMany("No.", retry_after=7), 429, "RATE_LIMITED"),
    "down": (errors.Unavailable("No."), 503, "SERVICE_UNAVAILABLE"),
    "slow": (Slow("No."), 503, "SLOW"),
    "overloaded": (errors.Overloaded("No."), 503, "OVERLOADED"),
}


async def _fails_when_leaving() -> AsyncIterator[None]:
    yield
    raise RuntimeError("commit failed")


router = APIRouter(prefix="/things", route_class=SafeRoute)


@router.get("/refusals/{name}")
async def refuse(name: str) -> None:
    raise REFUSALS[name][0]


@router.get("/{thing_id}")
async def thing(thing_id: UUID, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    return {"id": str(thing_id), "limit": limit, "trace": tracing.traceparent.get()}


@router.delete("/{thing_id}")
async def delete(thing_id: UUID) -> JSONResponse:
    return JSONResponse({}, headers={"cache-control": "max-age=60"})


@router.get("/broken/{word}")
async def broken(word: str) -> None:
    raise RuntimeError(f"password={word}")


@router.get("/unanswerable/now")
async def unanswerable() -> dict[str, int]:
    return {"a": "hunter2"}  # type: ignore[dict-item]


@router.get("/half/answer")
async def half() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("lost it")

    return StreamingResponse(parts())


@router.get("/late/failure", dependencies=[Depends(_fails_when_leaving)])
async def late() -> str:
    return "done"


@router.get("/early/failure", dependencies=[Depends(_fails_when_leaving, scope="function")])
async def early() -> str:
    return "done"


@router.post("/body")
async def body(request: Request) -> int:
    return len(await request.body())


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logging(stream=stream)
    yield stream
    configure_logging("CRITICAL")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("things")


@pytest.fixture
def app(telemetry: Telemetry) -> FastAPI:
    app = FastAPI()
    install(app, telemetry=telemetry)
    app.include_router(router, prefix="/api/v1")
    return app


@pytest.fixture
async def client(app: FastAPI, log: io.StringIO) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1/things") as client:
        yield client


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


THING = "/018f0000-0000-7000-8000-000000000000"


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


async def test_a_failure_of_ours_is_told_to_us_and_not_to_the_client(
    client: httpx.AsyncClient, log: io.StringIO
) -> None:
    answer = await client.get("/broken/hunter2")

    assert answer.status_code == 500
    error = answer.json()["error"]
    assert error["code"] == "INTERNAL_ERROR"
    assert error["trace_id"] == answer.headers["x-trace-id"]
    assert "hunter2" not in answer.text
    assert "Error:" not in answer.text
    told = next(line for line in lines(log) if line["event"] == "request failed")
    assert told["trace_id"] == error["trace_id"]
    assert "RuntimeError" in told["exception"]
    assert "hunter2" not in told["exception"]


async def test_an_answer_that_breaks_its_own_contract_does_not_leave(
    client: httpx.AsyncClient, log: io.StringIO
) -> None:
    answer = await client.get("/unanswerable/now")

    assert answer.status_code == 500
    assert "hunter2" not in answer.text + log.getvalue()


async def test_a_commit_that_fails_before_the_answer_is_a_failure(client: httpx.AsyncClient) -> None:
    assert (await client.get("/early/failure")).status_code == 500


class RawExchange:
    """Speaks ASGI itself: sees when the answer left, what was raised, and can leave in between."""

    def __init__(
        self, path: str, method: str = "GET", messages: list[Message] | None = None, length: int | None = None
    ) -> None:
        self.sent: list[Message] = []
        self.messages = messages or [{"type": "http.request", "body": b"", "more_body": False}]
        self.scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": f"/api/v1/things{path}",
            "raw_path": b"",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": [] if length is None else [(b"content-length", str(length).encode())],
        }

    async def run(self, app: FastAPI) -> None:
        async def receive() -> Message:
            if self.messages:
                return self.messages.pop(0)
            return await asyncio.Future()

        async def send(message: Message) -> None:
            self.sent.append(message)

        await app(self.scope, receive, send)


@pytest.mark.parametrize("path", ["/half/answer", "/late/failure"])
async def test_what_fails_after_the_answer_began_is_not_hidden(app: FastAPI, log: io.StringIO, path: str) -> None:
    exchange = RawExchange(path)

    with pytest.raises(RuntimeError, match=r"lost it|commit failed"):
        await exchange.run(app)

    assert [message["status"] for message in exchange.sent if message["type"] == "http.response.start"] == [200]
    assert any(line["event"] == "request failed" for line in lines(log))


async def test_a_body_that_is_announced_too_large_is_not_even_begun(app: FastAPI) -> None:
    exchange = RawExchange("/body", "POST", length=10**30)

    await exchange.run(app)

    assert exchange.sent[0]["status"] == 413
    assert len(exchange.messages) == 1


async def test_the_answer_to_head_has_no_body_on_any_server(app: FastAPI) -> None:
    exchange = RawExchange(THING, "HEAD")

    await exchange.run(app)

    assert [message.get("body") for message in exchange.sent] == [None, b""]


async def test_a_client_that_leaves_is_not_a_failure(app: FastAPI, log: io.StringIO, telemetry: Telemetry) -> None:
    exchange = RawExchange(
        "/body", "POST", [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    await exchange.run(app)

    assert exchange.sent == []
    assert [(line["event"], line["status"]) for line in lines(log)] == [("request", 499)]


async def test_a_request_that_is_cancelled_stays_cancelled(app: FastAPI, log: io.StringIO) -> None:
    exchange = RawExchange("/body", "POST", [{"type": "http.request", "body": b"{", "more_body": True}])
    running = asyncio.create_task(exchange.run(app))
    await asyncio.sleep(0.01)

    running.cancel()
    await asyncio.wait([running])

    assert running.cancelled()
    assert tracing.traceparent.get() is None


async def test_each_request_is_one_line_that_cannot_be_broken(client: httpx.AsyncClient, log: io.StringIO) -> None:
    await client.get("/refusals/a%0d%0a{}?email=ann@example.com".replace("a%0d", "missing%0d"))
    await client.get("/refusals/conflict?token=hunter2")

    assert len(log.getvalue().splitlines()) >= 2
    line = lines(log)[-1]
    assert line["event"] == "request"
    assert line["service"] == "things"
    assert (line["method"], line["path"]) == ("GET", "/api/v1/things/refusals/conflict")
    assert (line["status"], line["code"]) == (409, "CONFLICT")
    assert {"timestamp", "level", "trace_id", "ms"} <= set(line)
    assert "hunter2" not in log.getvalue()
    assert "ann@example.com" not in log.getvalue()


async def test_requests_are_counted_by_route_and_not_by_address(
    client: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    await client.get(THING)
    await client.get(THING.replace("7000", "7001"))
    await client.get("http://test/nowhere/1")
    await client.get("http://test/nowhere/2")
    await client.request("BREW", "http://test/nowhere")

    def count(method: str, route: str, status: str) -> float | None:
        return telemetry.registry.get_sample_value(
            "http_requests_total", {"method": method, "route": route, "status": status}
        )

    assert count("GET", "/api/v1/things/{thing_id}", "200") == 2
    assert count("GET", "unmatched", "404") == 2
    assert count("other", "unmatched", "404") == 1


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
