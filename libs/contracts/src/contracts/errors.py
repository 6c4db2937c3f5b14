"""The form of every refusal and the codes that clients can rely on."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from .text import View


class ErrorDetail(BaseModel):
    """One reason; what else explains it (the stock that is left, the limit) stands beside the message."""

    model_config = ConfigDict(extra="allow")

    field: str | None = None
    message: str | None = None


class ErrorContent(View):
    code: str
    message: str
    details: Sequence[ErrorDetail] = ()
    trace_id: str


class ErrorBody(View):
    error: ErrorContent


CODES: dict[str, tuple[int, str]] = {
    "VALIDATION_ERROR": (400, "The request is not what the operation takes; the details name the fields."),
    "INSUFFICIENT_STOCK": (400, "Not all items can be had in the quantities asked for; no order was made."),
    "INCOMPLETE_ADDRESS": (400, "There is no address to ship to: none was sent and none is on file."),
    "UNAUTHENTICATED": (401, "The token is missing, forged or no longer valid."),
    "FORBIDDEN": (403, "The caller's role does not allow this."),
    "NOT_FOUND": (404, "There is no such thing, or it is someone else's."),
    "METHOD_NOT_ALLOWED": (405, "The path exists, but not for this method."),
    "CONFLICT": (409, "The request contradicts what is already stored."),
    "INVALID_STATUS_TRANSITION": (409, "The state that it is in does not allow this step."),
    "RESERVATION_MISMATCH": (409, "The reservation exists with other items."),
    "RESERVATION_RELEASED": (409, "The stock was given back; the parcel must not leave."),
    "DUPLICATE_TRACKING_NUMBER": (409, "Another parcel of this carrier has this tracking number."),
    "PAYLOAD_TOO_LARGE": (413, "The body is larger than 64 kB."),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Bodies are application/json."),
    "IDEMPOTENCY_KEY_REUSED": (422, "The Idempotency-Key was used with another body."),
    "RATE_LIMITED": (429, "Too many requests; Retry-After says when to come back."),
    "INTERNAL_ERROR": (500, "A defect of ours; the trace_id finds it in the logs."),
    "SERVICE_UNAVAILABLE": (503, "Something needed is down; the same request can be sent again."),
    "OVERLOADED": (503, "More is waiting than can be done in time; the same request can be sent again."),
}


def describe(code: str) -> dict[str, Any]:
    status, meaning = CODES[code]
    return {"code": code, "status": status, "meaning": meaning}
