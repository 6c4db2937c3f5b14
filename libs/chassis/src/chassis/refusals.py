"""How a refusal leaves over HTTP: one table from meaning to status, one form, and both documented in OpenAPI."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from contracts.errors import ErrorBody

from . import errors, tracing
from .errors import Refused
from .explain import INVALID, explain

STATUS: Final[Mapping[type[Refused], int]] = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.PaymentRefused: 402,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.KeyReused: 422,
    errors.TooMany: 429,
    errors.Unavailable: 503,
    Refused: 400,
}
REFUSED_WITH: Final = "orderflow.refused_with"
"""Where in the ASGI scope the code of a refusal is found, for the log."""

_MISSED: Final = {
    404: ("NOT_FOUND", "There is nothing at this address."),
    405: ("METHOD_NOT_ALLOWED", "This address does not take that method."),
    413: ("PAYLOAD_TOO_LARGE", "The body is too large."),
}
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def translate(app: FastAPI) -> None:
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _missed)
    described = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _documented(described())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def refusals(*kinds: type[Refused]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may refuse in these ways."""
    codes: dict[int | str, list[str]] = {}
    for kind in kinds:
        codes.setdefault(status_of(kind), []).append(kind.code)
    return {status: {"model": ErrorBody, "description": ", ".join(each)} for status, each in codes.items()}


def status_of(kind: type[Refused]) -> int:
    return next(STATUS[meaning] for meaning in kind.__mro__ if meaning in STATUS)


def answer(scope: Scope, refused: Refused) -> Response:
    scope[REFUSED_WITH] = refused.code
    headers = {}
    status = status_of(type(refused))
    if isinstance(refused, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(refused, errors.Later):
        headers["Retry-After"] = str(refused.retry_after)
    elif isinstance(refused, errors.TooLarge):
        headers["Connection"] = "close"  # the rest of the body is not worth reading
    return envelope(status, refused.code, refused.message, refused.details, headers)


def envelope(
    status: int,
    code: str,
    message: str,
    details: Iterable[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    error = {"code": code, "message": message, "details": list(details), "trace_id": tracing.current_trace_id()}
    return Response(to_json({"error": error}), status, headers, "application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer(request.scope, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return answer(request.scope, errors.Invalid(INVALID, explain(error.errors())))


async def _missed(request: Request, error: Exception) -> Response:
    """What the framework itself refuses."""
    assert isinstance(error, HTTPException)
    status = error.status_code
    code, message = _MISSED.get(status, (HTTPStatus(status).name, f"{HTTPStatus(status).phrase}."))
    request.scope[REFUSED_WITH] = code
    headers = {**(error.headers or {})}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return envelope(status, code, message, headers=headers)


def _allowed(request: Request) -> list[str]:
    # Each route knows its own methods only; the address may belong to several routes.
    app: FastAPI = request.app
    clean = {key: request.scope[key] for key in ("type", "path", "root_path", "headers") if key in request.scope}
    found = [
        method
        for method in _METHODS
        if any(route.matches({**clean, "method": method})[0] is Match.FULL for route in app.routes)
    ]
    return [*found, "HEAD"] if "GET" in found else found


def _documented(schema: dict[str, Any]) -> dict[str, Any]:
    """FastAPI documents its own 422, which we never answer; instead every operation has our form for all the rest."""
    body = ErrorBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for name, each in {**body.pop("$defs", {}), "ErrorBody": body}.items():
        schemas.setdefault(name, each)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    for operations in schema.get("paths", {}).values():
        for operation in operations.values():
            answers = operation["responses"]
            if answers.get("422", {}).get("description") == "Validation Error":
                del answers["422"]
                answers.setdefault("400", {"description": errors.Invalid.code, "content": content})
            answers.setdefault("default", {"description": "Refused", "content": content})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return schema
