"""A failure is told to us and not to the client, and the client may leave."""

import asyncio
import io

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from chassis import tracing
from chassis.telemetry import Telemetry
from libs.chassis.tests.edge.things import THING, lines


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
