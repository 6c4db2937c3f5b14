"""Calls another service over HTTP: bounded in time and size, repeated where that is safe, not at all while it is down.

What an answer means is the caller's.
"""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import aiohttp
from pydantic import BaseModel
from pydantic_core import to_json
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from . import tracing
from .auth import ServiceCredential
from .breaker import Breaker, Unreached
from .errors import Unavailable
from .telemetry import logger

log = logger("peer")

_LARGEST_ANSWER: Final = 4 * 1024 * 1024
_ATTEMPTS: Final = 4
_PASSING: Final = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


class PeerRefused(Exception):
    """The peer understood the request and does not do it."""

    def __init__(self, status: int, code: str, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details)


class _Request(NamedTuple):
    method: str
    path: str
    body: bytes | None = None
    query: Mapping[str, str] | None = None


class _Answer(NamedTuple):
    status: int
    is_json: bool
    body: bytes


class Peer:
    """One per callee and process."""

    def __init__(
        self,
        name: str,
        url: str,
        credential: ServiceCredential,
        *,
        timeout: timedelta = timedelta(seconds=3),
        connections: int = 32,
    ) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._credential = credential
        self._timeout = timeout.total_seconds()
        self._connections = connections
        self._breaker = Breaker(name)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: Mapping[str, Any] | BaseModel, *, idempotent: bool = True) -> Any:
        return await self._call(_Request("POST", path, to_json(body)), _ATTEMPTS if idempotent else 1)

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        return await self._call(_Request("GET", path, query=query), _ATTEMPTS)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _call(self, request: _Request, attempts: int) -> Any:
        deadline = time.monotonic() + self._timeout
        # Part of the time each, so that one lost packet does not use up all of it.
        share = self._timeout if attempts == 1 else self._timeout / 2
        again = AsyncRetrying(
            retry=retry_if_exception_type(Unreached),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            stop=stop_after_attempt(attempts) | stop_before_delay(self._timeout),
            reraise=True,
        )
        with tracing.span("http.client", peer=self.name, path=request.path):
            return self._understand(request, await again(self._attempt, request, share, deadline))

    async def _attempt(self, request: _Request, share: float, deadline: float) -> _Answer:
        seconds = max(0.001, min(share, deadline - time.monotonic()))
        with self._breaker.watch():
            try:
                answer = await self._send(request, seconds)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise self._unreached(request, type(error).__name__) from error
            if answer.status in _PASSING:
                raise self._unreached(request, str(answer.status))
            return answer

    async def _send(self, request: _Request, seconds: float) -> _Answer:
        async with self._open_session().request(
            request.method,
            self._url + request.path,
            data=request.body,
            params=request.query,
            headers=self._headers(request),
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as response:
            return _Answer(response.status, response.content_type == "application/json", await _bounded(response))

    def _understand(self, request: _Request, answer: _Answer) -> Any:
        if answer.status == HTTPStatus.NO_CONTENT:
            return None
        parsed = _parse(answer)
        if answer.status < HTTPStatus.MULTIPLE_CHOICES and parsed is not _NOT_JSON:
            return parsed
        if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _refusal(answer.status, parsed)
        log.warning("peer failed", peer=self.name, path=request.path, reason=answer.status, json=answer.is_json)
        raise Unavailable(f"The {self.name} service could not do its part.")

    def _unreached(self, request: _Request, reason: str) -> Unreached:
        log.warning("peer not reached", peer=self.name, path=request.path, reason=reason)
        return Unreached(f"The {self.name} service does not answer at the moment.")

    def _headers(self, request: _Request) -> dict[str, str]:
        headers = tracing.outgoing()
        headers["Authorization"] = self._credential.header(self.name)
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Unpacked, a small answer can be a very large one.
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        return self._session


_NOT_JSON: Final = object()


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            response.close()
            raise Unavailable("A service that is needed for this answers too much.")
    return bytes(body)


def _parse(answer: _Answer) -> Any:
    try:
        return json.loads(answer.body) if answer.is_json else _NOT_JSON
    except (ValueError, RecursionError):
        return _NOT_JSON


def _refusal(status: int, parsed: Any) -> PeerRefused:
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return PeerRefused(status, HTTPStatus(status).name, "")
    details = error.get("details")
    return PeerRefused(
        status,
        str(error.get("code", "")),
        str(error.get("message", "")),
        [each for each in details if isinstance(each, dict)] if isinstance(details, list) else (),
    )
