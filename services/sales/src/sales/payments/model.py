"""The life of a payment. Rules only: no I/O, no clock, no framework."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.errors import Conflict, PaymentRefused
from contracts.sales.payments import PaymentState

AUTHORISING, UNKNOWN, AUTHORISED, CAPTURING, CAPTURED, VOIDED, REFUND_DUE, REFUNDED, FAILED = PaymentState

NEXT: dict[PaymentState, set[PaymentState]] = {
    AUTHORISING: {AUTHORISED, UNKNOWN, FAILED},
    UNKNOWN: {AUTHORISING, AUTHORISED, FAILED},
    AUTHORISED: {CAPTURING, CAPTURED, VOIDED},
    CAPTURING: {AUTHORISED, CAPTURED, VOIDED},
    CAPTURED: {REFUND_DUE, REFUNDED},
    REFUND_DUE: {CAPTURED, REFUNDED},
    REFUNDED: {REFUND_DUE},  # a refund that the customer's bank sent back
    VOIDED: set(),
    FAILED: {AUTHORISED},  # a success that comes too late: to be given back
}


class InvalidStatusTransition(Conflict):
    code = "INVALID_STATUS_TRANSITION"

    def __init__(self, current: PaymentState, wanted: PaymentState) -> None:
        super().__init__(f"A payment that is {current} cannot become {wanted}.")


class NotWanted(Conflict):
    code = "INVALID_STATUS_TRANSITION"

    def __init__(self) -> None:
        super().__init__("This payment is to be given back.")


class MoreThanThereIs(Conflict):
    """Of what was authorised, or of what is left of what was captured."""

    def __init__(self, wanted: int, left: int) -> None:
        super().__init__(f"There are {left} minor units of this payment left, and {wanted} were asked for.")


class PaymentMismatch(Conflict):
    """The same attempt, asked to pay something else."""

    def __init__(self) -> None:
        super().__init__("This attempt was to be paid by another amount, or by somebody else.")


class PaymentFailed(PaymentRefused):
    """For checkout: no money is held, and why in a word. Another card may do."""

    def __init__(self, reason: str) -> None:
        super().__init__("The payment was not accepted.", [{"field": "payment", "message": reason}])


@dataclass(slots=True)
class Payment:
    id: UUID
    """That of the attempt which it pays."""
    customer_id: str
    gateway: str
    currency: str
    amount: int
    state: PaymentState
    created_at: datetime
    updated_at: datetime
    order_id: UUID | None = None
    reference: str | None = None
    authorised: int = 0
    open: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0
    kept: int = 0
    refunding: int = 0
    """The part of what is kept that is owed to the customer already."""
    unwanted_at: datetime | None = None

    @property
    def is_wanted(self) -> bool:
        return self.unwanted_at is None

    @property
    def refundable(self) -> int:
        return self.kept - self.refunding

    def ask_again(self, now: datetime) -> None:
        self._become(AUTHORISING, now)

    def doubt(self, now: datetime) -> None:
        self._become(UNKNOWN, now)

    def fail(self, now: datetime) -> None:
        self._become(FAILED, now)

    def authorise(self, reference: str, now: datetime) -> None:
        if self.authorised:
            raise InvalidStatusTransition(self.state, AUTHORISED)
        if self.state == FAILED:
            self.give_up(now)
        self._become(AUTHORISED, now)
        self.reference, self.authorised, self.open = reference, self.amount, self.amount

    def begin_capture(self, now: datetime) -> None:
        if not self.is_wanted:
            raise NotWanted
        self._become(CAPTURING, now)

    def resume_capture(self, now: datetime) -> None:
        """Wanted or not: it has come about, and is to be found out by whom."""
        self._become(CAPTURING, now)

    def stop_capture(self, now: datetime) -> None:
        """The authorisation still stands."""
        if not self.authorised:
            raise InvalidStatusTransition(self.state, AUTHORISED)
        self._become(AUTHORISED, now)

    def capture(self, amount: int, now: datetime) -> None:
        if not 0 < amount <= self.open:
            raise MoreThanThereIs(amount, self.open)
        self._become(CAPTURED, now)
        self.captured, self.kept = amount, amount
        self.voided, self.open = self.open - amount, 0

    def void(self, now: datetime) -> None:
        self._become(VOIDED, now)
        self.voided, self.open = self.open, 0

    def owe(self, amount: int, now: datetime) -> None:
        if not 0 < amount <= self.refundable:
            raise MoreThanThereIs(amount, self.refundable)
        if self.state != REFUND_DUE:
            self._become(REFUND_DUE, now)
        self.refunding += amount
        self.updated_at = now

    def refund(self, amount: int, now: datetime) -> None:
        """What was owed has reached the customer."""
        if not 0 < amount <= self.refunding:
            raise MoreThanThereIs(amount, self.refunding)
        self.refunding -= amount
        self.kept -= amount
        self.refunded += amount
        if self.refunding == 0:
            self._become(CAPTURED if self.kept else REFUNDED, now)
        self.updated_at = now

    def take_refund_back(self, amount: int, now: datetime) -> None:
        """It seemed to have reached the customer and has not: it is owed again."""
        if not 0 < amount <= self.refunded:
            raise MoreThanThereIs(amount, self.refunded)
        self.refunded -= amount
        self.kept += amount
        self.owe(amount, now)

    def give_up(self, now: datetime) -> None:
        """Whatever is known of it or becomes known: it is to be given back."""
        self.unwanted_at = self.unwanted_at or now

    def _become(self, state: PaymentState, now: datetime) -> None:
        if state not in NEXT[self.state]:
            raise InvalidStatusTransition(self.state, state)
        self.state, self.updated_at = state, now
