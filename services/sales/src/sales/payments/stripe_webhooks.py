"""How Stripe reports: its own signature over the raw body, and its events read as what they say of a payment."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, SecretStr, StringConstraints, ValidationError

from chassis.body import parse
from chassis.errors import Invalid
from chassis.explain import INVALID, explain
from chassis.signature import TOLERANCE, NotVerified
from contracts.sales.payments import PaymentState

from .gateway import Irrelevant, News
from .stripe import NAME
from .stripe_money import from_stripe
from .stripe_objects import Intent, Refund, why

_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_MOST_SIGNATURES: Final = 10
_INTENTS: Final = {
    "payment_intent.amount_capturable_updated": PaymentState.AUTHORISED,
    "payment_intent.succeeded": PaymentState.CAPTURED,
    "payment_intent.canceled": PaymentState.VOIDED,
    "payment_intent.payment_failed": PaymentState.FAILED,
}
_REFUNDS: Final = frozenset({"refund.created", "refund.updated", "refund.failed"})
_REFUND_STATES: Final = {
    "succeeded": PaymentState.REFUNDED,
    "failed": PaymentState.REFUND_DUE,
    "canceled": PaymentState.REFUND_DUE,
}


class _Wrapped(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    object: dict[str, Any]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, StringConstraints(pattern=r"^evt_[A-Za-z0-9_]{1,200}$")]
    type: Annotated[str, StringConstraints(max_length=200)]
    data: _Wrapped


class StripeReports:
    gateway: Final[Literal["stripe"]] = NAME

    def __init__(self, secrets: SecretStr) -> None:
        self._secrets = [each.encode() for each in secrets.get_secret_value().split()]
        if not self._secrets:
            raise ValueError("There is no webhook secret.")

    def read(self, headers: Mapping[str, str], body: bytes, now: datetime) -> News | Irrelevant:
        verify_stripe(self._secrets, headers.get("stripe-signature", ""), body, now)
        try:
            event = _Event.model_validate(parse(body))
            if event.type in _INTENTS:
                return _of_intent(event, Intent.model_validate(event.data.object))
            if event.type in _REFUNDS:
                return _of_refund(event, Refund.model_validate(event.data.object))
        except ValidationError as error:
            raise Invalid(INVALID, explain(error.errors(include_input=False))) from None
        return Irrelevant(event.id, event.type)


def sign_stripe(secret: str, at: datetime, body: bytes) -> str:
    """The header with which Stripe sends this body."""
    timestamp = str(int(at.timestamp()))
    return f"t={timestamp},v1={_mac(secret.encode(), timestamp, body)}"


def verify_stripe(secrets: list[bytes], header: str, body: bytes, now: datetime) -> None:
    parts = [part.partition("=") for part in header.split(",")[: _MOST_SIGNATURES + 1]]
    timestamps = [value for name, _, value in parts if name.strip() == "t"]
    given = [value.encode("utf-8", "replace") for name, _, value in parts if name.strip() == "v1"]
    if len(timestamps) != 1 or not _SECONDS.fullmatch(timestamps[0]):
        raise NotVerified
    if abs(now.timestamp() - int(timestamps[0])) > TOLERANCE.total_seconds():
        raise NotVerified
    expected = [_mac(secret, timestamps[0], body).encode() for secret in secrets]
    matches = [hmac.compare_digest(mac, each) for mac in expected for each in given]
    if not any(matches):
        raise NotVerified


def _mac(secret: bytes, timestamp: str, body: bytes) -> str:
    return hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def _of_intent(event: _Event, intent: Intent) -> News | Irrelevant:
    state = _INTENTS[event.type]
    if intent.was_forestalled:
        return Irrelevant(event.id, event.type)
    amounts = {PaymentState.AUTHORISED: intent.amount, PaymentState.CAPTURED: intent.amount_received}
    amount = amounts.get(state)
    return News(
        event_id=event.id,
        state=state,
        payment_id=intent.payment_id,
        payment_reference=intent.id,
        amount=None if amount is None else from_stripe(amount, intent.currency),
        reference=intent.id,
        reason=why(intent.last_payment_error),
    )


def _of_refund(event: _Event, refund: Refund) -> News | Irrelevant:
    state = _REFUND_STATES.get(refund.status or "")
    if state is None or refund.payment_intent is None:
        return Irrelevant(event.id, event.type)
    key: UUID | None = refund.operation
    return News(
        event_id=event.id,
        state=state,
        payment_id=refund.payment_id,
        payment_reference=refund.payment_intent,
        key=key,
        amount=from_stripe(refund.amount, refund.currency),
        reference=refund.id,
    )
