"""The way of a hot route past the framework's layers, which cost more than the rest of a request does.

The route is still the application's, with its documentation and its dependencies, and whatever is unusual about a
request is left to it: nothing is decided here otherwise than it would decide.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import Refused
from .refusals import answer

Shortcut: TypeAlias = Callable[[Request], Awaitable[Response | None]]
"""Without an answer it has read nothing of the body, and the request takes the long way."""
Shortcuts: TypeAlias = Mapping[tuple[str, str], Shortcut]
"""By method and path."""


class Shortened:
    """Where the framework finds its application and its route, once it is passed by."""

    def __init__(self, app: FastAPI, around: ASGIApp, path: str, shortcut: Shortcut) -> None:
        self.path = path
        self._app = app
        self._around = around
        self._shortcut = shortcut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"], scope["route"] = self._app, self
        response: Response | None
        try:
            response = await self._shortcut(Request(scope, receive, send))
        except Refused as refused:
            response = answer(scope, refused)
        if response is None:
            del scope["route"]
            await self._around(scope, receive, send)
        else:
            await response(scope, receive, send)
