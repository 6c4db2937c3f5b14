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
    "INCOMPLETE_ADDRESS": (400, "There is no address to ship to, or parts of it are missing."),
    "INVALID_PRICE": (400, "A price is a decimal string of at least 0.01."),
    "INVALID_PRODUCT_NAME": (400, "A product's name has 2 to 200 characters."),
    "DESCRIPTION_TOO_LONG": (400, "A product's description has at most 5,000 characters."),
    "INVALID_CATEGORY": (400, "There is no such category."),
    "PARENT_CATEGORY_NOT_FOUND": (400, "There is no category that this one could stand under."),
    "CATEGORY_DEPTH_EXCEEDED": (400, "The tree of categories would get deeper than it may."),
    "VARIANT_ATTRIBUTE_REQUIRED": (400, "A variant needs a size or a colour."),
    "VARIANT_REQUIRED": (400, "The product comes in variants; the item has to name one."),
    "INVALID_QUANTITY": (400, "The quantity is none that can be taken in, or corrected by."),
    "OUT_OF_STOCK": (400, "There is none left of it."),
    "QUANTITY_EXCEEDS_STOCK": (400, "There are fewer than that; the details say how many."),
    "QUANTITY_EXCEEDS_ORDER": (400, "More than other returns have left of the order; the details say how much."),
    "REFUND_EXCEEDS_RETURN": (400, "More than what came back has cost; the details say how much that is."),
    "PRODUCT_NOT_AVAILABLE": (400, "The product is not sold any more, or never was."),
    "TRACKING_NUMBER_REQUIRED": (400, "This carrier's tracking numbers are not ours to make up; it has to be named."),
    "INVALID_SPLIT": (400, "The parcel has not got that, or nothing would stay in it; the details say what it has."),
    "WEAK_PASSWORD": (400, "The password is too easy to guess; the details say what it misses."),
    "INVALID_TOKEN": (400, "The token was used, has expired, or never was one."),
    "EMPTY_CART": (400, "There is nothing in the cart."),
    "INTERNATIONAL_SHIPPING_NOT_AVAILABLE": (400, "We ship within our own country only."),
    "UNAUTHENTICATED": (401, "The token is missing, forged or no longer valid."),
    "INVALID_CREDENTIALS": (401, "There is no account with this e-mail and password."),
    "PAYMENT_FAILED": (402, "The payment was not accepted; nothing was charged."),
    "REGISTRATION_REQUIRED": (403, "Only registered customers check out."),
    "EMAIL_NOT_VERIFIED": (403, "The customer's e-mail has to be verified first."),
    "FORBIDDEN": (403, "The caller's role does not allow this."),
    "NOT_FOUND": (404, "There is no such thing, or it is someone else's."),
    "PRODUCT_NOT_FOUND": (404, "There is no such product, or no such variant of it."),
    "ITEM_NOT_FOUND": (404, "This is not in the cart."),
    "METHOD_NOT_ALLOWED": (405, "The path exists, but not for this method."),
    "CONFLICT": (409, "The request contradicts what is already stored."),
    "DUPLICATE_CATEGORY_NAME": (409, "Another category has this name."),
    "DUPLICATE_PRODUCT_ID": (409, "Another product has this id."),
    "DUPLICATE_SKU": (409, "Another variant has this SKU."),
    "STOCK_RESERVED": (409, "More of it is held for orders than would be left."),
    "TOO_MANY_ADDRESSES": (409, "The customer has as many addresses on file as there may be."),
    "TOO_MANY_WISHES": (409, "The customer waits for as many products as one may."),
    "TOPIC_TURNED_OFF": (409, "The customer does not want mail of this kind, which is for them to change."),
    "EMAIL_ALREADY_REGISTERED": (409, "There is an account with this e-mail already."),
    "TOTAL_CHANGED": (409, "It comes to another sum than expected; nothing was charged."),
    "INVALID_STATUS_TRANSITION": (409, "The state that it is in does not allow this step."),
    "CANCELLATION_NOT_ALLOWED": (409, "The order is on its way or has arrived; it cannot be cancelled any more."),
    "RETURN_NOT_ALLOWED": (409, "The order was not delivered, or too long ago; nothing of it can be returned."),
    "RETURN_MISMATCH": (409, "The goods of this return are back on the shelf already, and they were others."),
    "RESERVATION_MISMATCH": (409, "The reservation exists with other items."),
    "RESERVATION_RELEASED": (409, "The stock was given back; the parcel must not leave."),
    "DUPLICATE_TRACKING_NUMBER": (409, "Another parcel of this carrier has this tracking number."),
    "NOTHING_TO_PICK": (409, "No parcel that waits and is on no other list is as it is wanted."),
    "TOO_MANY_PARCELS": (409, "The order is in as many parcels as one may be."),
    "PAYLOAD_TOO_LARGE": (413, "The body is larger than 64 kB."),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Bodies are application/json."),
    "IDEMPOTENCY_KEY_REUSED": (422, "The Idempotency-Key was used with another body."),
    "RATE_LIMITED": (429, "Too many requests; Retry-After says when to come back."),
    "INTERNAL_ERROR": (500, "A defect of ours; the trace_id finds it in the logs."),
    "ORDER_CREATION_FAILED": (503, "The order could not be made; what was held for it is given back."),
    "SERVICE_UNAVAILABLE": (503, "Something needed is down; the same request can be sent again."),
    "OVERLOADED": (503, "More is waiting than can be done in time; the same request can be sent again."),
}


def describe(code: str) -> dict[str, Any]:
    status, meaning = CODES[code]
    return {"code": code, "status": status, "meaning": meaning}
