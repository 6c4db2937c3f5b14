"""What an answer of the gateway does to a payment, in one transaction with its audit, its events and what follows."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.outbox import publish
from chassis.steps import step
from chassis.telemetry import logger
from contracts.sales.payments import CaptureFailed, OperationKind, RefundDelayed

from .gateway import Done, Outcome, Pending, Reason, Refused
from .journal import AUTHORISE, CAPTURE, GIVEN_BACK, REFUND, VOID, Operation, Pace
from .model import AUTHORISED, AUTHORISING, CAPTURED, CAPTURING, FAILED, REFUND_DUE, VOIDED, Payment
from .storing import Books

Told = Callable[[AsyncSession, Payment], Awaitable[None]]

_QUIET: Final = {"id", "customer_id", "gateway", "currency", "created_at", "updated_at"}

log = logger("payments")


async def nobody_waits(_: AsyncSession, __: Payment) -> None:
    """For a payment that nothing hangs on."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`on_captured` runs in the transaction in which a payment that is wanted becomes CAPTURED, `on_ended` in the one
    in which it becomes FAILED or VOIDED: once or, after a late success, twice. The payment's row is locked then, and
    no lock that they take may be held by somebody who waits for a payment."""

    pace: Pace
    on_captured: Told = nobody_waits
    on_ended: Told = nobody_waits


def settle(books: Books, operation: Operation, outcome: Outcome, rules: Rules, now: datetime) -> None:
    """Once: an answer that comes a second time, or from a webhook and the call both, changes nothing any more."""
    if not operation.is_open:
        return
    match operation.kind, outcome:
        case _, Pending():
            doubt(books, operation, "pending", rules, now)
        case _, Done():
            _do(books.payment, operation, outcome, now)
        case OperationKind.CAPTURE | OperationKind.VOID, Refused(Reason.VOIDED_ALREADY):
            operation.refused(Reason.VOIDED_ALREADY, now)
            note_voided(books, operation.id.hex, now)
        case OperationKind.CAPTURE | OperationKind.VOID, Refused(Reason.CAPTURED_ALREADY):
            operation.refused(Reason.CAPTURED_ALREADY, now)
            if _given_up_too_soon(books) is None:
                note_captured(books, None, operation.id.hex, now)
        case _, Refused(reason):
            _refuse(books, operation, reason, rules, now)


def doubt(books: Books, operation: Operation, reason: str, rules: Rules, now: datetime) -> None:
    if not operation.is_open:
        return
    operation.doubtful(reason, now, rules.pace)
    if operation.kind == AUTHORISE and books.payment.state == AUTHORISING:
        books.payment.doubt(now)
    if operation.tries >= rules.pace.refund_tries:
        tell(books, operation, now)


def note_captured(books: Books, amount: int | None, cause: str, now: datetime) -> None:
    """The money was taken without our having heard so: by a request of ours that came late, or by somebody there."""
    payment = books.payment
    ours = books.last(CAPTURE, "")
    if ours and ours.error == Reason.NEVER_ASKED and amount == ours.amount:
        ours.done(payment.reference or "", now)
        payment.capture(ours.amount, now)
        return
    if ours and ours.waits_for_another_try:
        ours.next_try_at = None
    taken = payment.open if amount is None else amount
    books.note(CAPTURE, taken, payment.reference or "", f"gateway:{cause}", now)
    payment.capture(taken, now)


def note_voided(books: Books, cause: str, now: datetime) -> None:
    """The authorisation has expired, or somebody cancelled it there."""
    for ours in books.journal:
        if ours.waits_for_another_try:
            ours.next_try_at = None
    books.note(VOID, books.payment.open, books.payment.reference or "", f"gateway:{cause}", now)
    books.payment.void(now)


def give_back_what_can_be(books: Books, by: str, rules: Rules, now: datetime) -> Operation | None:
    """Of a payment that is not wanted: writes down what has to be asked now, if there is anything to ask yet."""
    payment = books.payment
    if payment.is_wanted:
        return None
    if payment.state == CAPTURING:
        capture = books.last(CAPTURE, "")
        if capture and capture.is_open:
            return None
        if capture:
            capture.next_try_at = None
        payment.stop_capture(now)
    if payment.state == AUTHORISED:
        if capture := _given_up_too_soon(books):
            payment.resume_capture(now)
            capture.ask(now, rules.pace)
            return capture
        void = books.last(VOID, "")
        if void and (void.is_open or void.waits_for_another_try):
            return None
        return books.write(VOID, payment.open, by, now, rules.pace)
    if payment.state in (CAPTURED, REFUND_DUE) and payment.refundable:
        owed = payment.refundable
        payment.owe(owed, now)
        return books.write(REFUND, owed, by, now, rules.pace, GIVEN_BACK)
    return None


def _given_up_too_soon(books: Books) -> Operation | None:
    """A capture of ours of which nobody there had heard, of a payment that they have captured after all. Whether ours
    came late or somebody did it by hand is found out by asking for it under its old key."""
    capture, void = books.last(CAPTURE, ""), books.last(VOID, "")
    is_captured = void is not None and void.error == Reason.CAPTURED_ALREADY
    return capture if is_captured and capture and capture.error == Reason.NEVER_ASKED else None


async def close(books: Books, by: str, rules: Rules) -> None:
    """Writes it all, audited, and tells those to whom it matters, in the same transaction."""
    await books.save()
    payment, before = books.payment, books.before
    changes = _differences(before, asdict(payment))
    if changes:
        was = {name: before[name] for name in changes}
        record(books.session, by, f"payment.{payment.state.lower()}", payment.id, before=was, after=changes)
    if payment.captured and not before["captured"] and payment.is_wanted:
        await rules.on_captured(books.session, payment)
    if payment.state in (FAILED, VOIDED) and before["state"] != payment.state:
        await rules.on_ended(books.session, payment)


def _do(payment: Payment, operation: Operation, done: Done, now: datetime) -> None:
    operation.done(done.reference, now)
    match operation.kind:
        case OperationKind.AUTHORISE:
            payment.authorise(done.reference, now)
        case OperationKind.CAPTURE:
            operation.amount = done.amount or operation.amount
            payment.capture(operation.amount, now)
        case OperationKind.VOID:
            payment.void(now)
        case OperationKind.REFUND:
            payment.refund(operation.amount, now)


def _refuse(books: Books, operation: Operation, reason: Reason, rules: Rules, now: datetime) -> None:
    payment, pace = books.payment, rules.pace
    again = now + pace.after(operation.number)
    if operation.kind == AUTHORISE:
        operation.refused(reason, now)
        payment.fail(now)
    elif operation.kind == CAPTURE and not payment.is_wanted:
        operation.refused(reason, now)
        payment.stop_capture(now)
    elif operation.kind == REFUND and operation.number >= pace.refund_tries:
        operation.left_to_people(reason, now)
        log.error("refund_left_to_people", payment_id=str(payment.id), refund_id=str(operation.id), reason=reason)
        tell(books, operation, now)
    else:
        operation.refused(reason, now, again)
        log.error("payment_operation_refused", payment_id=str(payment.id), kind=operation.kind, reason=reason)
        if operation.kind == CAPTURE:
            tell(books, operation, now)


def tell(books: Books, operation: Operation, now: datetime) -> None:
    if operation.told_at is not None or operation.kind not in (CAPTURE, REFUND):
        return
    operation.told_at = now
    payment = books.payment
    told: dict[str, Any] = {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "customer_id": payment.customer_id,
        "amount": operation.amount,
        "currency": payment.currency,
        "reason": operation.error or "unknown",
    }
    if operation.kind == CAPTURE:
        _emit(books.session, CaptureFailed(**told, failed_at=now))
    else:
        _emit(books.session, RefundDelayed(**told, delayed_at=now))


@step("EventBus", "emit")
def _emit(session: AsyncSession, trouble: CaptureFailed | RefundDelayed) -> None:
    publish(session, trouble)


def _differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in after.items() if name not in _QUIET and before[name] != value}
