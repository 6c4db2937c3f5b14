"""Reads the JSON that clients send: bounded, strict and never surprised. What it must say is the model's."""

import json
import math
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NoReturn, TypeVar

from fastapi import params
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from .errors import Invalid, UnsupportedMedia
from .explain import INVALID, explain, field_name

M = TypeVar("M", bound=BaseModel)

DEEPEST: Final = 32
_LARGEST_INT: Final = 2**63 - 1
_JSON_TYPE: Final = re.compile(r'application/json\s*(;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


async def read_json(request: Request, model: type[M]) -> M:
    """For hot routes, that read their body themselves."""
    parsed = parse(await _bytes(request))
    try:
        return model.model_validate(parsed)
    except ValidationError as error:
        raise Invalid(INVALID, explain(error.errors(include_url=False, include_input=False))) from None


class SafeRoute(APIRoute):
    """Declared bodies are read as strictly as `read_json` does, before FastAPI looks at them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None or isinstance(self.body_field.field_info, params.Form):
            return handle

        async def read_first(request: Request) -> Response:
            return await handle(_Read(request, await _bytes(request)))

        return read_first


class _Read(Request):
    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__(request.scope, request.receive, request._send)
        self._body = body
        self._json = parse(body) if body else None


async def _bytes(request: Request) -> bytes:
    body = await request.body()
    if body and not _JSON_TYPE.fullmatch(request.headers.get("content-type", "")):
        raise UnsupportedMedia("The body must be sent as application/json.")
    return body


def parse(body: bytes) -> Any:
    """What the bytes say in JSON, all of it finite, unambiguous and fit to be stored."""
    try:
        text = body.decode()
        parsed = _decoder.decode(text)
    except UnicodeDecodeError:
        raise _unreadable("The body is not UTF-8.") from None
    except RecursionError:
        raise _unreadable(_TOO_DEEP) from None
    except ValueError:
        raise _unreadable("The body is not JSON.") from None
    # Only an escape can hide NUL or a lone surrogate, and only brackets make depth: most bodies need no look.
    if text.count("[") + text.count("{") > DEEPEST and _is_too_deep(parsed):
        raise _unreadable(_TOO_DEEP)
    if "\\u" in text:
        _walk(parsed, ())
    return parsed


def _is_too_deep(value: Any) -> bool:
    """Level by level, which is what our own calls for many orders need: wide as they are, they are not deep."""
    level = [value]
    for _ in range(DEEPEST + 1):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        if not inner:
            return False
        level = [each for values in inner for each in values]
    return True


_TOO_DEEP: Final = f"The body is nested more than {DEEPEST} levels deep."


def _unreadable(reason: str, at: Sequence[str | int] = ()) -> Invalid:
    return Invalid(INVALID, [{"field": field_name(at), "message": reason}])


def _walk(value: Any, at: tuple[str | int, ...]) -> None:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise _unreadable("This text holds characters that cannot be stored.", at)
    elif isinstance(value, dict | list):
        if len(at) >= DEEPEST:
            raise _unreadable(_TOO_DEEP)
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str):
                _walk_key(key, at)
            _walk(inner, (*at, key))


def _walk_key(key: str, at: tuple[str | int, ...]) -> None:
    if _UNSTORABLE.search(key):
        raise _unreadable("A name in here holds characters that cannot be stored.", at)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _unreadable("This name stands in the same object twice.", [twice])
    return unique


def _int(digits: str) -> int:
    if len(digits) > 20 or abs(number := int(digits)) > _LARGEST_INT:
        raise _unreadable("A number is too large.")
    return number


def _float(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise _unreadable("A number is too large.")
    return number


def _constant(_: str) -> NoReturn:
    raise _unreadable("NaN and Infinity are not numbers in JSON.")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_int, parse_float=_float, parse_constant=_constant
)
