"""Another service is called within bounds: of time, of size, of patience; and what it answers is told apart."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as Server
from pydantic import BaseModel

from chassis.auth import KeyRing, ServiceCredential, Signer, new_keypair
from chassis.breaker import FAILURES
from chassis.errors import Unavailable
from chassis.peer import Peer, PeerRefused
from chassis.tracing import continue_trace

PRIVATE, PUBLIC = new_keypair("sales", ["service"])
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answers(status: int, body: Any = None, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


def raw(body: bytes, content_type: str = "application/json") -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type)

    return answer


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(1)
    return web.Response()


async def drips(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    return response


async def floods(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    for _ in range(10_000):
        await response.write(b" " * 100_000)
    return response


class Callee:
    """Answers as it is told, the last answer for ever, and remembers what it was asked."""

    def __init__(self) -> None:
        self.script: list[Answer] = [answers(200, {"ok": True})]
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path_qs, {**request.headers}, await request.read()))
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await answer(request)


@pytest.fixture
async def callee() -> AsyncIterator[Callee]:
    callee = Callee()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", callee.take)
    server = Server(app, skip_url_asserts=True)
    await server.start_server(shutdown_timeout=0)
    callee.url = str(server.make_url("/"))
    yield callee
    await server.close()


def _peer(url: str, timeout: float = 30) -> Peer:
    return Peer("product", url, ServiceCredential(Signer(PRIVATE), "sales"), timeout=timedelta(seconds=timeout))


@pytest.fixture
async def peer(callee: Callee) -> AsyncIterator[Peer]:
    peer = _peer(callee.url)
    yield peer
    await peer.close()


@pytest.fixture
async def hasty(callee: Callee) -> AsyncIterator[Peer]:
    peer = _peer(callee.url, timeout=1)
    yield peer
    await peer.close()


TROUBLES = {
    "hangs up": hangs_up,
    "500": answers(500),
    "501": answers(501),
    "502": answers(502),
    "503": answers(503),
    "504": answers(504),
    "cut off": raw(b"{"),
    "deep": raw(b"[" * 100_000),
    "a page": raw(b"{}", "text/html"),
}


class Reservation(BaseModel):
    attempt_id: str


async def test_it_calls_in_its_own_name_and_in_the_callers_trace(callee: Callee, peer: Peer) -> None:
    with continue_trace(TRACE):
        assert await peer.post("/reservations", Reservation(attempt_id="a-1")) == {"ok": True}
        assert await peer.get("/stock", {"product": "p 1&2"}) == {"ok": True}

    (path, headers, body), (query, _, _) = callee.asked
    assert (path, query, json.loads(body)) == ("/reservations", "/stock?product=p+1%262", {"attempt_id": "a-1"})
    assert headers["traceparent"] == TRACE
    assert headers["Content-Type"] == "application/json"
    token = headers["Authorization"].removeprefix("Bearer ")
    assert KeyRing({"keys": [PUBLIC]}).verify(token, "product").subject == "sales"


async def test_a_refusal_of_the_peer_is_told_with_its_reasons(callee: Callee, peer: Peer) -> None:
    details = [{"field": "items.0.quantity", "message": "3 are left.", "available": 3}]
    callee.script = [answers(409, {"error": {"code": "OUT_OF_STOCK", "message": "No.", "details": details}})]

    with pytest.raises(PeerRefused) as refused:
        await peer.post("/reservations", {})

    assert (refused.value.status, refused.value.code, refused.value.message) == (409, "OUT_OF_STOCK", "No.")
    assert refused.value.details == tuple(details)
    assert len(callee.asked) == 1


@pytest.mark.parametrize(
    "body", ["null", "[]", '{"error": null}', '{"error": {"details": 7}}', '{"detail": "Not Found"}']
)
async def test_a_refusal_in_another_form_is_still_a_refusal(callee: Callee, peer: Peer, body: str) -> None:
    callee.script = [answers(404, json.loads(body))]

    with pytest.raises(PeerRefused) as refused:
        await peer.get("/x")

    assert (refused.value.status, refused.value.details) == (404, ())


async def test_no_content_is_an_answer(callee: Callee, peer: Peer) -> None:
    async def no_content(request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    callee.script = [no_content]

    assert await peer.post("/x", {}) is None


@pytest.mark.parametrize("trouble", ["hangs up", "502", "503", "504"])
async def test_a_passing_trouble_is_passed_over(callee: Callee, peer: Peer, trouble: str) -> None:
    callee.script = [TROUBLES[trouble], TROUBLES[trouble], answers(200, 7)]

    assert await peer.post("/x", {}) == 7
    assert len(callee.asked) == 3


async def test_a_request_that_is_lost_is_sent_again_in_time(callee: Callee, hasty: Peer) -> None:
    callee.script = [never, answers(200, 7)]

    async with asyncio.timeout(10):
        assert await hasty.post("/x", {}) == 7


@pytest.mark.parametrize("trouble", ["hangs up", "503"])
async def test_what_cannot_be_repeated_is_not(callee: Callee, peer: Peer, trouble: str) -> None:
    callee.script = [TROUBLES[trouble], answers(200, 7)]

    with pytest.raises(Unavailable):
        await peer.post("/x", {}, idempotent=False)

    assert len(callee.asked) == 1


@pytest.mark.parametrize("trouble", ["500", "501", "cut off", "deep", "a page"])
async def test_an_answer_that_makes_no_sense_is_not_asked_for_again(callee: Callee, peer: Peer, trouble: str) -> None:
    callee.script = [TROUBLES[trouble]]

    with pytest.raises(Unavailable) as refused:
        await peer.post("/x", {})

    assert refused.value.code == "SERVICE_UNAVAILABLE"
    assert len(callee.asked) == 1


async def test_it_is_not_sent_elsewhere(callee: Callee, peer: Peer) -> None:
    callee.script = [answers(307, None, Location="/elsewhere"), answers(200, 7)]

    with pytest.raises(Unavailable):
        await peer.post("/x", {})

    assert len(callee.asked) == 1


@pytest.mark.parametrize("trouble", [never, drips])
async def test_the_time_to_answer_is_limited_as_a_whole(callee: Callee, hasty: Peer, trouble: Answer) -> None:
    callee.script = [trouble]

    async with asyncio.timeout(15):
        with pytest.raises(Unavailable):
            await hasty.post("/x", {})


async def test_the_size_of_an_answer_is_limited(callee: Callee, peer: Peer) -> None:
    callee.script = [floods]

    with pytest.raises(Unavailable):
        await peer.get("/x")

    assert len(callee.asked) == 1


async def test_a_peer_that_is_down_is_soon_not_asked_any_more() -> None:
    peer = _peer(f"http://127.0.0.1:{_free_port()}")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await peer.post("/x", {})

    # Asked each time, and once more after a moment, it would take half a minute.
    async with asyncio.timeout(10):
        for _ in range(1000):
            with pytest.raises(Unavailable):
                await peer.post("/x", {})
    await peer.close()


async def test_a_peer_that_is_back_is_asked_again(callee: Callee, peer: Peer) -> None:
    callee.script = [answers(503)]
    for _ in range(2):
        with pytest.raises(Unavailable):
            await peer.get("/x")

    callee.script = [answers(200, 7)]
    with pytest.raises(Unavailable):
        await peer.get("/x")
    await asyncio.sleep(1)

    assert await peer.get("/x") == 7


async def test_a_caller_that_leaves_tells_nothing_about_the_peer(callee: Callee, peer: Peer) -> None:
    callee.script = [never]
    for _ in range(FAILURES + 1):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await peer.get("/x")

    callee.script = [answers(200, 7)]

    assert await peer.get("/x") == 7


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
