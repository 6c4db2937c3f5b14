"""HTTP as the commands need it: JSON in, JSON out, and a refusal in plain words."""

import sys
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from .failure import Failure

_PAGE: Final = 100


class Refusal(Failure):
    """An answer that says no; whoever knows better what it means catches it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """One service, as one person sees it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers, timeout=aiohttp.ClientTimeout(total=timedelta(seconds=15).total_seconds())
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        return await self._ask("GET", path, params=query)

    async def listed(
        self, path: str, query: Mapping[str, str] | None = None, *, most: int = sys.maxsize
    ) -> AsyncIterator[Any]:
        """What a list holds, however many pages that takes; `most` at most."""
        asked = dict(query or {})
        while most > 0:
            page = await self.get(path, {**asked, "limit": str(min(_PAGE, most))})
            for item in page["items"]:
                yield item
            if not page.get("next_cursor"):
                return
            most -= len(page["items"])
            asked["cursor"] = page["next_cursor"]

    async def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Any:
        return await self._ask("POST", path, json=body, headers=headers)

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        try:
            async with self._session.request(method, self._url + path, **more) as answer:
                content = await answer.json()
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    raise Refusal(f"{method} {path} was refused: {_words(content)} ({answer.status}).", answer.status)
                return content
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Failure(f"{self._url} does not answer as orderflow does. Does the platform still run?") from error


def _words(content: Any) -> str:
    error = content.get("error", {}) if isinstance(content, dict) else {}
    return str(error.get("message", "no reason given")).removesuffix(".")
