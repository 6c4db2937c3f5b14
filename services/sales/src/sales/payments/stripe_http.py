"""Speaks HTTP with Stripe: bounded in time and size, to one fixed host, and only what is certain comes back.

https://docs.stripe.com/error-low-level says which answers are certain.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
from pydantic import SecretStr

from chassis.telemetry import logger

from .gateway import Unanswered

VERSION: Final = "2026-02-25.clover"
_LARGEST_ANSWER: Final = 1024 * 1024
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
# Whatever else is answered, such as 401, 409, 429 or any 5xx, says nothing about what became of the operation.
_CERTAIN: Final = {HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.NOT_FOUND}

log = logger("stripe")


class StripeAnswer(NamedTuple):
    is_success: bool
    body: Mapping[str, Any]

    @property
    def error(self) -> Mapping[str, Any]:
        error = self.body.get("error")
        return error if isinstance(error, dict) else {}


def check_url(url: str) -> str:
    """TLS, unless it does not leave this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("Payments are sent over https only.")
    return url.rstrip("/")


class StripeHttp:
    def __init__(self, url: str, secret_key: SecretStr, timeout: timedelta) -> None:
        self._url = check_url(url)
        self._secret_key = secret_key
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds(), sock_connect=2)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, form: Mapping[str, str], key: UUID) -> StripeAnswer:
        return await self._ask("POST", path, {"Idempotency-Key": str(key)}, data=form)

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> StripeAnswer:
        return await self._ask("GET", path, {}, params=query)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], **sent: Any) -> StripeAnswer:
        try:
            async with self._open_session().request(
                method, self._url + path, headers=headers, allow_redirects=False, **sent
            ) as response:
                status, body = response.status, await _bounded(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unanswered(type(error).__name__) from error
        if status not in _CERTAIN:
            # Of the path only its beginning: the rest names a payment, and the body may name a customer.
            log.warning("stripe_uncertain", method=method, path=path.split("/")[2], status=status)
            raise Unanswered(f"status {status}")
        return StripeAnswer(status == HTTPStatus.OK, _parsed(body))

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                headers={
                    "Authorization": f"Bearer {self._secret_key.get_secret_value()}",
                    "Stripe-Version": VERSION,
                    "Accept": "application/json",
                    # Unpacked, a small answer can be a very large one.
                    "Accept-Encoding": "identity",
                },
                auto_decompress=False,
            )
        return self._session


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            response.close()
            raise Unanswered("answered too much")
    return bytes(body)


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        raise Unanswered("not JSON") from None
    if not isinstance(parsed, dict):
        raise Unanswered("not an object")
    return parsed
