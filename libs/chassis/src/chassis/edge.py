"""Where HTTP meets us: every request bounded, counted and logged, every answer with its trace, a failure never shown.

What refusals look like is `refusals`', bodies are read by `body`, callers are known by `auth`.
"""

from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Final

from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import tracing
from .auth import is_service
from .body import SafeRoute, read_json
from .breather import requests
from .errors import Invalid, NotFound, TooLarge
from .refusals import REFUSED_WITH, answer, envelope, refusals, translate
from .shortcut import Shortcuts, Shortened
from .telemetry import Telemetry, logger

__all__ = ["LARGEST_BODY", "SafeRoute", "install", "read_json", "refusals", "route_of"]

LARGEST_BODY: Final = 64 * 1024
_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_TRACE: Final = tracing.HEADER.encode()
_BATCH: Final = tracing.BATCH_HEADER.encode()
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_NO_STORE: Final = (b"cache-control", b"no-store")
_QUIET: Final = {"/livez", "/readyz", "/metrics"}
_LEFT: Final = 499
"""What the log and the metrics say when the client did not wait for the answer."""

log = logger("edge")


def install(app: FastAPI, *, telemetry: Telemetry, shortcuts: Shortcuts | None = None) -> None:
    """Makes an application answer as all of ours do."""

    def edge(inner: ASGIApp) -> ASGIApp:
        short = {at: Shortened(app, inner, at[1], shortcut) for at, shortcut in (shortcuts or {}).items()}
        return _Edge(inner, short, telemetry)

    app.add_middleware(edge)
    translate(app)


def route_of(scope: Scope) -> str:
    """`/orders/{order_id}`: one series per route, however many orders there are."""
    # FastAPI includes routers lazily: the route itself does not know the prefix that it was included with.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(route, "path", None) or "unmatched"


class _Edge:
    def __init__(self, app: ASGIApp, short: Mapping[tuple[str, str], ASGIApp], telemetry: Telemetry) -> None:
        self._app = app
        self._short = short
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        exchange = _Exchange(scope, receive, send)
        service = tracing.service_name.set(self._telemetry.service)
        try:
            with requests.one(), tracing.continue_trace(exchange.header(_TRACE), _batch(exchange)):
                try:
                    await self._answer(exchange)
                finally:
                    self._note(exchange, perf_counter() - started)
        finally:
            tracing.service_name.reset(service)

    async def _answer(self, exchange: "_Exchange") -> None:
        app = _refusal(exchange) or self._short.get((exchange.method, exchange.path)) or self._app
        try:
            if tracing.active:
                with tracing.span(tracing.REQUEST, method=exchange.method, path=exchange.path):
                    await app(exchange.scope, exchange.receive, exchange.send)
            else:
                await app(exchange.scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = exchange.status or _LEFT
        except Exception:
            log.exception("request failed", method=exchange.method, path=exchange.path)
            # Half an answer cannot be taken back: the server has to break the connection.
            if exchange.status:
                raise
            await _failed(exchange)

    def _note(self, exchange: "_Exchange", seconds: float) -> None:
        status = exchange.status or _LEFT
        route = route_of(exchange.scope)
        method = exchange.method if exchange.method in _METHODS else "other"
        self._telemetry.answered(method, route, status, seconds)
        if route not in _QUIET:
            code = exchange.scope.get(REFUSED_WITH)
            why = {"code": code} if code else {}
            ms = round(seconds * 1000, 2)
            log.info("request", method=exchange.method, path=exchange.path, status=status, ms=ms, **why)


class _Exchange:
    """One request and its answer, watched on the way."""

    __slots__ = ("_headers", "_read", "_receive", "_send", "is_head", "method", "path", "scope", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"][:200]
        self.is_head = self.method == "HEAD"
        self.scope = {**scope, "method": "GET"} if self.is_head else scope
        self.status = 0
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive, self._send, self._read = receive, send, 0

    def header(self, name: bytes) -> str | None:
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > LARGEST_BODY:
                raise _too_large()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": _marked(message.get("headers", ()))}
        elif self.is_head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


def _batch(exchange: _Exchange) -> str | None:
    """Only ours work for many at once: what anybody else says of it would be a span in each trace that they name."""
    batch = exchange.header(_BATCH) if tracing.active else None
    return batch if batch is not None and is_service(Request(exchange.scope)) else None


def _refusal(exchange: _Exchange) -> ASGIApp | None:
    """What needs no look at the route to be refused."""
    # A NUL fits no text of ours, and the database would fail on it.
    if "\x00" in exchange.scope["path"]:
        return answer(exchange.scope, NotFound("There is nothing at this address."))
    if b"%00" in exchange.scope["query_string"]:
        return answer(exchange.scope, Invalid("The query holds characters that cannot be stored."))
    length = exchange.header(b"content-length")
    if length is not None and length.isdecimal() and int(length[:20]) > LARGEST_BODY:
        return answer(exchange.scope, _too_large())
    return None


def _too_large() -> TooLarge:
    return TooLarge(f"The body is larger than {LARGEST_BODY // 1024} kB.")


def _marked(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    marked = [*headers, (b"x-trace-id", tracing.current_trace_id().encode()), _NOSNIFF]
    if not any(name == b"cache-control" for name, _ in marked):
        marked.append(_NO_STORE)
    return marked


async def _failed(exchange: _Exchange) -> None:
    code = "INTERNAL_ERROR"
    exchange.scope[REFUSED_WITH] = code
    response = envelope(500, code, "Something went wrong on our side. The trace id helps us to find it.")
    await response(exchange.scope, exchange.receive, exchange.send)
