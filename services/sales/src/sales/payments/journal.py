"""The journal: what is to be asked of the gateway, what was answered, and when a job takes it up again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from contracts.sales.payments import OperationKind, OperationState

from .gateway import Question, Reason
from .model import Payment

ASKED, UNKNOWN, DONE, REFUSED, MANUAL = OperationState
AUTHORISE, CAPTURE, VOID, REFUND = OperationKind

OPEN: Final = frozenset({ASKED, UNKNOWN})
GIVEN_BACK: Final = "given-back"
"""The cause of a refund of all that is left, of a payment that nobody wants any more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things are waited for, and how often they are tried."""

    lease: timedelta
    """Longer than any answer takes: what is not settled by then is looked into."""
    first: timedelta
    longest: timedelta
    refund_tries: int
    """After as many refusals a person does it; after as many doubts people are told."""

    def after(self, tries: int) -> timedelta:
        doublings = min(max(tries - 1, 0), 30)
        return min(self.first * (1 << doublings), self.longest)


@dataclass(slots=True)
class Operation:
    id: UUID
    payment_id: UUID
    kind: OperationKind
    cause: str
    number: int
    amount: int
    state: OperationState
    asked_by: str
    created_at: datetime
    updated_at: datetime
    next_try_at: datetime | None
    tries: int = 0
    told_at: datetime | None = None
    """When people were told that it goes wrong: once, whichever of its tries it was."""
    reference: str | None = None
    error: str | None = None
    completed_by: str | None = None
    """Who did it where the gateway could not."""
    traceparent: str | None = None
    """Of what it was asked for: there belongs whatever a job does about it later."""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def waits_for_another_try(self) -> bool:
        return self.state == REFUSED and self.next_try_at is not None

    def ask(self, now: datetime, pace: Pace) -> None:
        self.state, self.error = ASKED, None
        self.next_try_at, self.updated_at = now + pace.lease, now

    def done(self, reference: str, now: datetime) -> None:
        self.state, self.reference, self.error = DONE, reference, None
        self.next_try_at, self.updated_at = None, now

    def refused(self, reason: Reason, now: datetime, next_try_at: datetime | None = None) -> None:
        self.state, self.reference, self.error = REFUSED, None, reason
        self.next_try_at, self.updated_at = next_try_at, now

    def doubtful(self, reason: str, now: datetime, pace: Pace) -> None:
        self.tries += 1
        self.state, self.error = UNKNOWN, reason
        self.next_try_at, self.updated_at = now + pace.after(self.tries), now

    def left_to_people(self, reason: str, now: datetime) -> None:
        self.state, self.reference, self.error = MANUAL, None, reason
        self.next_try_at, self.updated_at = None, now

    def question(self, payment: Payment) -> Question:
        return Question(
            self.id, self.kind, self.payment_id, self.amount, payment.currency, payment.reference, self.created_at
        )


def key_of(payment_id: UUID, kind: OperationKind, cause: str, number: int) -> UUID:
    """The same for the same thing, whoever asks: that is what keeps it from being done twice."""
    return uuid5(payment_id, f"{kind}:{cause}:{number}")
