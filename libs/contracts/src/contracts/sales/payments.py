"""What others see of payments: how they stand, what was asked of the gateway for them, and what goes wrong."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from contracts.text import Body, Currency, Money, View

from .orders import SalesEvent

CardToken = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,200}$")]
"""What the gateway gave the customer's browser for the card: never the card itself, and nowhere stored by us."""
ExternalReference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/#-]{0,99}$")]


class PaymentState(StrEnum):
    AUTHORISING = "AUTHORISING"
    UNKNOWN = "UNKNOWN"
    AUTHORISED = "AUTHORISED"
    CAPTURING = "CAPTURING"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    REFUND_DUE = "REFUND_DUE"
    REFUNDED = "REFUNDED"
    FAILED = "FAILED"


class OperationKind(StrEnum):
    AUTHORISE = "authorise"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class OperationState(StrEnum):
    """`asked` and `unknown` are open; `refused` may have a successor; `manual` waits for a person."""

    ASKED = "asked"
    UNKNOWN = "unknown"
    DONE = "done"
    REFUSED = "refused"
    MANUAL = "manual"


class OperationView(View):
    """One thing that was asked of the gateway; its id is the idempotency key that it was asked with."""

    id: UUID
    payment_id: UUID
    kind: OperationKind
    cause: str
    number: int
    """Which try this is: each that the gateway refused has a successor with a key of its own."""
    amount: Money
    currency: Currency
    state: OperationState
    tries: int
    next_try_at: datetime | None = None
    reference: str | None = None
    error: str | None = None
    asked_by: str
    created_at: datetime
    updated_at: datetime


class PaymentView(View):
    """`authorised` is `captured`, `voided` and `open` together; `captured` is `refunded` and `kept` together."""

    id: UUID
    order_id: UUID | None = None
    customer_id: str
    state: PaymentState
    gateway: str
    reference: str | None = None
    currency: Currency
    amount: Money
    authorised: Money
    open: Money
    captured: Money
    voided: Money
    refunded: Money
    kept: Money
    refunding: Money
    unwanted_at: datetime | None = None
    """Since when it is to be given back, as soon as that can be done."""
    created_at: datetime
    updated_at: datetime


class PaymentDetail(PaymentView):
    operations: list[OperationView]


class CompleteRefund(Body):
    """`reference` finds the transfer with which it was done: never an account number, nothing about a person."""

    reference: ExternalReference


class WebhookAnswer(View):
    """`repeated`: this event came before and has had its effect. `ignored`: there was nothing to do about it."""

    result: Literal["accepted", "repeated", "ignored"]


class CaptureFailed(SalesEvent):
    """The money of an order could not be had so far. It is tried again, and nothing has become of the order yet."""

    event_type = "payment.capture_failed"
    domain_name = "CaptureFailed"
    heard_by = frozenset({"notification"})

    payment_id: UUID
    order_id: UUID | None = None
    customer_id: str
    amount: Money
    currency: Currency
    reason: str
    failed_at: datetime


class RefundDelayed(SalesEvent):
    """Money that is owed to a customer could not be given back so far. It has not reached them yet; it will."""

    event_type = "payment.refund_delayed"
    domain_name = "RefundDelayed"
    heard_by = frozenset({"notification"})

    payment_id: UUID
    order_id: UUID | None = None
    customer_id: str
    amount: Money
    currency: Currency
    reason: str
    delayed_at: datetime
