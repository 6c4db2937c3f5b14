"""Confirming: an order whose money has come may leave. The money itself is `payments`'."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import Database
from chassis.errors import Unavailable
from chassis.outbox import publish
from chassis.steps import step
from contracts.sales.orders import OrderConfirmed, OrderView
from sales.payments.model import CAPTURING, Payment
from sales.payments.paying import Payments
from sales.payments.storing import payment_of_order

from .model import CONFIRMED, PENDING, InvalidStatusTransition, Order, Origin
from .reading import one_order
from .writing import save_orders, take_orders

PAYMENTS = "payments"


class Confirming:
    """By an admin, where the money is not taken by itself, or did not come yet."""

    def __init__(self, database: Database, payments: Payments) -> None:
        self._database = database
        self._payments = payments

    @step("OrderService", "confirmOrder")
    async def confirm(self, order_id: UUID, by: str) -> OrderView:
        async with self._database.begin() as session:
            pending = await one_order(session, order_id, None)
            if pending.status != PENDING:
                raise InvalidStatusTransition(pending.status, CONFIRMED)
            payment_id = await payment_of_order(session, order_id)
        payment = await self._payments.capture(payment_id, by)
        if payment.state == CAPTURING:
            raise Unavailable("The money could not be taken yet, and will be tried again; the order stays pending.")
        async with self._database.begin() as session:
            return await one_order(session, order_id, None)


@step("OrderService", "handlePaymentCaptured")
async def confirm_paid(session: AsyncSession, payment: Payment) -> None:
    """In the transaction in which the payment is captured, whose row is locked before the order's is.

    A payment that is captured before its order is written confirms it there.
    """
    if payment.order_id is None:
        return
    order = (await take_orders(session, [payment.order_id]))[payment.order_id]
    origin = Origin(PAYMENTS, datetime.now(UTC))
    before = {"status": order.status}
    _confirm(session, order, origin)
    record(session, origin.actor, "order.confirmed", order.id, before=before, after={"status": order.status})
    await save_orders(session, [order])


@step("OrderAggregate", "confirm")
def _confirm(session: AsyncSession, order: Order, origin: Origin) -> None:
    order.confirm(origin)
    confirmed = OrderConfirmed(
        order_id=order.id,
        customer_id=order.customer_id,
        total=order.total,
        currency=order.currency,
        confirmed_at=origin.now,
    )
    publish(session, confirmed)
