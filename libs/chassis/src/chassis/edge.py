"""Where HTTP meets us: every request bounded, counted and logged, every answer with its trace, a failure never shown.

What refusals look like is `refusals`', bodies are read by `body`, callers are known by `auth`.
"""

from collections.abc import MutableMapping
from time import perf_counter
from typing import Any, Final

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import tracing
from .body import SafeRoute, read_json
from .errors import Invalid, NotFound, Refused, TooLarge
from .refusals import REFUSED_WITH, answer, envelope, refusals, translate
from .telemetry import Telemetry, logger

__all__ = ["LARGEST_BODY", "SafeRoute", "install", "read_json", "refusals"]

LARGEST_BODY: Final = 64 * 1024
_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_QUIET: Final = {"/livez", "/readyz", "/metrics"}
_LEFT: Final = 499
"""What the log and the metrics say when the client did not wait for the answer."""

log = logger("edge")


def install(app: FastAPI, *, telemetry: Telemetry) -> None:
    """Makes an application answer as all of ours do."""
    app.add_middleware(_Edge, telemetry=telemetry)
    translate(app)


class _Edge:
    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        exchange = _Exchange(scope, receive, send)
        service = tracing.service_name.set(self._telemetry.service)
        headers = exchange.headers
        try:
            with tracing.continue_trace(headers.get(tracing.HEADER), headers.get(tracing.BATCH_HEADER)):
                try:
                    await self._traced(exchange)
                finally:
                    self._note(exchange, perf_counter() - started)
        finally:
            tracing.service_name.reset(service)

    async def _traced(self, exchange: "_Exchange") -> None:
        with tracing.span("http.server", method=exchange.method, path=exchange.path):
            try:
                await (self._app if exchange.refused is None else exchange.refuse)(
                    exchange.scope, exchange.receive, exchange.send
                )
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
        route = _template(exchange.scope)
        method = exchange.method if exchange.method in _METHODS else "other"
        self._telemetry.answered(method, route, status, seconds)
        if route not in _QUIET:
            refused = exchange.scope.get(REFUSED_WITH)
            extra = {"code": refused} if refused else {}
            log.info(
                "request",
                method=exchange.method,
                path=exchange.path,
                status=status,
                ms=round(seconds * 1000, 2),
                **extra,
            )


class _Exchange:
    """One request and its answer, watched on the way."""

    __slots__ = ("_read", "_receive", "_send", "headers", "is_head", "method", "path", "refused", "scope", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"][:200]
        self.headers = Headers(scope=scope)
        self.is_head = self.method == "HEAD"
        self.scope = {**scope, "method": "GET"} if self.is_head else scope
        self.refused = _refused_at_once(scope, self.headers)
        self.status = 0
        self._receive, self._send, self._read = receive, send, 0

    async def refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.refused is not None
        await answer(scope, self.refused)(scope, receive, send)

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
            _mark(message)
        elif self.is_head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


def _refused_at_once(scope: Scope, headers: Headers) -> Refused | None:
    # A NUL fits no text of ours, and the database would fail on it.
    if "\x00" in scope["path"]:
        return NotFound("There is nothing at this address.")
    if b"%00" in scope["query_string"]:
        return Invalid("The query holds characters that cannot be stored.")
    length = headers.get("content-length", "")
    return _too_large() if length.isdecimal() and int(length[:20]) > LARGEST_BODY else None


def _too_large() -> TooLarge:
    return TooLarge(f"The body is larger than {LARGEST_BODY // 1024} kB.")


def _mark(start: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(raw=start.setdefault("headers", []))
    headers["x-trace-id"] = tracing.current_trace_id()
    headers["x-content-type-options"] = "nosniff"
    headers.setdefault("cache-control", "no-store")


async def _failed(exchange: _Exchange) -> None:
    code = "INTERNAL_ERROR"
    exchange.scope[REFUSED_WITH] = code
    response: Response = envelope(500, code, "Something went wrong on our side. The trace id helps us to find it.")
    await response(exchange.scope, exchange.receive, exchange.send)


def _template(scope: Scope) -> str:
    """`/orders/{order_id}`: one series per route, however many orders there are."""
    # FastAPI includes routers lazily: the route itself does not know the prefix that it was included with.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(route, "path", None) or "unmatched"
