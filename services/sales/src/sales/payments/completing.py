"""Refunds that the gateway could not make: a person has made them in another way, and says so."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.errors import Conflict, NotFound
from contracts.sales.payments import OperationState, OperationView

from .journal import DONE, MANUAL, REFUND
from .reading import one_refund
from .settling import Rules, close
from .storing import payment_of, take


class NotManual(Conflict):
    code = "INVALID_STATUS_TRANSITION"

    def __init__(self, state: OperationState) -> None:
        super().__init__(f"A refund that is {state} cannot be completed by hand.")


async def complete_refund(
    session: AsyncSession, rules: Rules, refund_id: UUID, reference: str, by: str
) -> OperationView:
    """The same person with the same reference again changes nothing."""
    payment_id = await payment_of(session, refund_id)
    if payment_id is None:
        raise NotFound("There is no such refund.")
    books, now = await take(session, payment_id), datetime.now(UTC)
    refund = books.operation(refund_id)
    if refund.kind != REFUND:
        raise NotFound("There is no such refund.")
    if (refund.state, refund.reference, refund.completed_by) == (DONE, reference, by):
        return await one_refund(session, refund_id)
    if refund.state != MANUAL:
        raise NotManual(refund.state)
    refund.done(reference, now)
    refund.completed_by = by
    books.payment.refund(refund.amount, now)
    record(session, by, "refund.completed", refund_id, before={"state": MANUAL}, after={"reference": reference})
    await close(books, by, rules)
    return await one_refund(session, refund_id)
