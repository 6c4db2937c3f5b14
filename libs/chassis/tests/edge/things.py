"""Routes that answer, refuse and fail in all ways."""

import io
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse

from chassis import errors, tracing
from chassis.edge import SafeRoute

CLIENT_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class OutOfStock(errors.Invalid):
    code = "INSUFFICIENT_STOCK"


class Slow(errors.Unavailable):
    code = "SLOW"


REFUSALS = {
    "invalid": (errors.Invalid("No."), 400, "VALIDATION_ERROR"),
    "stock": (
        OutOfStock("Not enough.", [{"field": "items.0.quantity", "message": "3 are left.", "available": 3}]),
        400,
        "INSUFFICIENT_STOCK",
    ),
    "unauthenticated": (errors.Unauthenticated(), 401, "UNAUTHENTICATED"),
    "payment": (errors.PaymentRefused("No."), 402, "PAYMENT_FAILED"),
    "forbidden": (errors.Forbidden(), 403, "FORBIDDEN"),
    "missing": (errors.NotFound("No."), 404, "NOT_FOUND"),
    "conflict": (errors.Conflict("No."), 409, "CONFLICT"),
    "large": (errors.TooLarge("No."), 413, "PAYLOAD_TOO_LARGE"),
    "media": (errors.UnsupportedMedia("No."), 415, "UNSUPPORTED_MEDIA_TYPE"),
    "reused": (errors.KeyReused("No."), 422, "IDEMPOTENCY_KEY_REUSED"),
    "often": (errors.TooMany("No.", retry_after=7), 429, "RATE_LIMITED"),
    "down": (errors.Unavailable("No."), 503, "SERVICE_UNAVAILABLE"),
    "slow": (Slow("No."), 503, "SLOW"),
    "overloaded": (errors.Overloaded("No."), 503, "OVERLOADED"),
}


async def _fails_when_leaving() -> AsyncIterator[None]:
    yield
    raise RuntimeError("commit failed")


router = APIRouter(prefix="/things", route_class=SafeRoute)


@router.get("/refusals/{name}")
async def refuse(name: str) -> None:
    raise REFUSALS[name][0]


@router.get("/{thing_id}")
async def thing(thing_id: UUID, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> dict[str, Any]:
    return {"id": str(thing_id), "limit": limit, "trace": tracing.traceparent.get()}


@router.delete("/{thing_id}")
async def delete(thing_id: UUID) -> JSONResponse:
    return JSONResponse({}, headers={"cache-control": "max-age=60"})


@router.get("/broken/{word}")
async def broken(word: str) -> None:
    raise RuntimeError(f"password={word}")


@router.get("/unanswerable/now")
async def unanswerable() -> dict[str, int]:
    return {"a": "hunter2"}  # type: ignore[dict-item]


@router.get("/half/answer")
async def half() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("lost it")

    return StreamingResponse(parts())


@router.get("/late/failure", dependencies=[Depends(_fails_when_leaving)])
async def late() -> str:
    return "done"


@router.get("/early/failure", dependencies=[Depends(_fails_when_leaving, scope="function")])
async def early() -> str:
    return "done"


@router.post("/body")
async def body(request: Request) -> int:
    return len(await request.body())


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


THING = "/018f0000-0000-7000-8000-000000000000"
