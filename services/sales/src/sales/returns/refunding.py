"""The money for what came back, a journey: written down, given back by `payments` once for each return, done.

Where the gateway takes its time the return stays RECEIVED, and a job looks. Locks: payment, order, return.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import Database
from chassis.errors import Conflict
from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.steps import step
from chassis.telemetry import logger
from contracts.sales.payments import OperationState
from contracts.sales.returns import RefundReturn, RefundWay, ReturnRefunded, ReturnView
from sales.orders.writing import take_orders
from sales.payments.journal import REFUND
from sales.payments.model import MoreThanThereIs
from sales.payments.paying import Payments
from sales.payments.storing import take as take_payment
from sales.payments.tables import payments as payment_rows

from .model import RECEIVED, REFUNDED, DecidedOtherwise, RefundExceedsReturn, Return, most_refundable
from .pursuing import pursue_stopped
from .reading import one_return
from .requesting import lines_of
from .storing import order_of, returns_of, save, take

# Longer than any request of ours to the gateway takes.
PATIENCE: Final = timedelta(seconds=20)

log = logger("returns")


class Refunding:
    def __init__(self, database: Database, payments: Payments) -> None:
        self._database = database
        self._payments = payments

    @step("OrderService", "refundReturn")
    async def refund(self, return_id: UUID, body: RefundReturn, by: str) -> ReturnView:
        """Repeating it changes nothing."""
        async with self._database.begin() as session:
            one = await _ask(session, return_id, body.amount, by)
        await failpoint("sales.return.refund_asked")
        if one.is_being_refunded:
            await self._pursue(one)
        async with self._database.begin() as session:
            return await one_return(session, return_id, None)

    async def finish_stopped(self) -> int:
        """The job: looks after those that the gateway has not settled at once, or that nobody has pursued."""
        return await pursue_stopped(self._database, RECEIVED, PATIENCE, self._try)

    async def _try(self, one: Return) -> bool:
        try:
            return await self._pursue(one)
        except Conflict:
            log.exception("refund_refused", return_id=str(one.id))
            return False

    async def _pursue(self, one: Return) -> bool:
        """Whether it is done. What the gateway does not settle at once is `payments`' to pursue, and then ours."""
        async with self._database.begin() as session:
            payment_id = await _payment_of(session, one.order_id)
        if payment_id is not None and one.refund_way == RefundWay.CARD:
            await self._give_back(one, payment_id)
        await failpoint("sales.return.given_back")
        async with self._database.begin() as session:
            is_done = await _finish(session, one.id, payment_id)
            await failpoint("sales.return.refunding")
        await failpoint("sales.return.refunded")
        return is_done

    async def _give_back(self, one: Return, payment_id: UUID) -> None:
        async with self._database.begin() as session:
            asked = (await take_payment(session, payment_id)).last(REFUND, str(one.id))
        if asked is not None:
            return
        try:
            await self._payments.refund(payment_id, one.refund_amount or 0, str(one.id), one.refund_asked_by or "sales")
        except MoreThanThereIs:
            await failpoint("sales.return.withdrawing")
            await self._withdraw(one, payment_id)
            raise

    async def _withdraw(self, refused: Return, payment_id: UUID) -> None:
        """Unless it was asked for anew meanwhile, and less of it."""
        async with self._database.begin() as session:
            asked = (await take_payment(session, payment_id)).last(REFUND, str(refused.id))
            one = await take(session, refused.id)
            if asked is None and one.is_being_refunded and one.refund_amount == refused.refund_amount:
                one.withdraw_refund(datetime.now(UTC))
                await save(session, one)
                record(session, refused.refund_asked_by or "sales", "return.refund_withdrawn", one.id)


async def _ask(session: AsyncSession, return_id: UUID, amount: int | None, by: str) -> Return:
    order_id = await order_of(session, return_id)
    # Other returns of the order wait: of what shipping has cost each can see how much the others have had.
    order = (await take_orders(session, [order_id]))[order_id]
    one = await take(session, return_id)
    wanted = one.price if amount is None else amount
    if one.refund_amount is not None:
        if one.refund_amount != wanted:
            raise DecidedOtherwise("Another amount was refunded for this return, or is about to be.")
        return one
    others = [other for other in await returns_of(session, order_id) if other.id != one.id]
    ordered = {line.article: line.quantity for line in await lines_of(session, order_id)}
    if wanted > (most := most_refundable(one, others, ordered, order.shipping_cost)):
        raise RefundExceedsReturn(most)
    is_by_card = wanted > 0 and await _payment_of(session, order_id) is not None
    one.ask_refund(wanted, RefundWay.CARD if is_by_card else RefundWay.OUTSIDE, by, datetime.now(UTC), PATIENCE)
    await save(session, one)
    record(session, by, "return.refund_asked", one.id, after={"amount": wanted, "way": one.refund_way})
    return one


@step("OrderAggregate", "refundReturn")
async def _finish(session: AsyncSession, return_id: UUID, payment_id: UUID | None) -> bool:
    """Once, and by card not before the money has gone."""
    account = await take_payment(session, payment_id) if payment_id else None
    one = await take(session, return_id)
    if not one.is_being_refunded:
        return one.state == REFUNDED
    if one.refund_way == RefundWay.CARD:
        asked = account and account.last(REFUND, str(return_id))
        if not asked or asked.state != OperationState.DONE:
            return False
    before, now = {"state": one.state}, datetime.now(UTC)
    one.refund(now)
    await save(session, one)
    told: dict[str, Any] = {"amount": one.refund_amount, "currency": one.currency, "way": one.refund_way}
    after = {"state": one.state, **told}
    record(session, one.refund_asked_by or "sales", "return.refunded", one.id, before=before, after=after)
    refunded = ReturnRefunded(
        return_id=one.id, order_id=one.order_id, customer_id=one.customer_id, refunded_at=now, **told
    )
    publish(session, refunded)
    return True


async def _payment_of(session: AsyncSession, order_id: UUID) -> UUID | None:
    """None for orders on the seller's terms."""
    found: UUID | None = await session.scalar(select(payment_rows.c.id).where(payment_rows.c.order_id == order_id))
    return found
