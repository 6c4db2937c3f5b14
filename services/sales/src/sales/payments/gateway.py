"""What a payment gateway can be asked, and what its answers mean. "No" is a value; not knowing is an exception.

Whoever is asked twice with the same key does it once, and answers as the first time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from chassis.breaker import Unreached
from contracts.sales.payments import OperationKind, PaymentState


class Unanswered(Unreached):
    """Whether it was done, nobody knows here: only `look_up`, or the same request with the same key, will tell."""

    def __init__(self, reason: str) -> None:
        super().__init__("The payment gateway does not answer at the moment.")
        self.reason = reason


class Reason(StrEnum):
    """Why a gateway refuses, in our words: theirs may say things about a customer."""

    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    NEEDS_CUSTOMER = "needs_customer"
    REJECTED = "rejected"
    NEVER_ASKED = "never_asked"
    """It did not reach the gateway, and will not any more."""
    VOIDED_ALREADY = "voided_already"
    CAPTURED_ALREADY = "captured_already"
    GIVEN_UP = "given_up"
    """Ours alone: nothing was asked any more, because the money is to be given back."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request to a gateway, as the journal has it: complete enough to be asked again, or to be looked up."""

    key: UUID
    kind: OperationKind
    payment_id: UUID
    amount: int
    currency: str
    payment_reference: str | None
    """The gateway's name for the authorisation; none has one before that is done."""
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    reference: str
    amount: int | None = None
    """Where it can be another than the one that was asked for: what somebody captured by hand."""


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Pending:
    """It has arrived there and is not decided yet."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """The gateway does not know of it; a request that is still on its way may yet arrive."""


Outcome = Done | Refused | Pending
Found = Outcome | Unheard


@dataclass(frozen=True, slots=True)
class News:
    """What a gateway reports by itself. `state` is what the payment is there now, as far as this event knows.

    FAILED tells of the authorisation; REFUND_DUE of a refund that did not reach the customer.
    """

    event_id: str
    state: PaymentState
    payment_id: UUID | None = None
    payment_reference: str | None = None
    key: UUID | None = None
    """Of the request that it comes from, if that was one of ours."""
    amount: int | None = None
    reference: str | None = None
    reason: Reason = Reason.REJECTED


@dataclass(frozen=True, slots=True)
class Irrelevant:
    """A report of a type that we do nothing about."""

    event_id: str
    type: str


class Gateway(Protocol):
    @property
    def name(self) -> str: ...

    async def authorise(self, question: Question, card: str) -> Outcome: ...

    async def capture(self, question: Question) -> Outcome:
        """Takes the amount; what was authorised beyond it is released."""

    async def void(self, question: Question) -> Outcome: ...

    async def refund(self, question: Question) -> Outcome: ...

    async def look_up(self, question: Question) -> Found: ...

    async def forestall(self, question: Question) -> Found:
        """Of an authorisation that nobody will ask for again: `Refused(NEVER_ASKED)` says that it cannot happen any
        more, even if the request should still arrive. Otherwise it was too late for that, or is too early to say."""

    async def close(self) -> None: ...


class Reports(Protocol):
    """How a gateway's webhooks are read; raises `NotVerified` for what it has not signed."""

    @property
    def gateway(self) -> str: ...

    def read(self, headers: Mapping[str, str], body: bytes, now: datetime) -> News | Irrelevant: ...
