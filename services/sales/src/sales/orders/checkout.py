"""Checking out, a journey: attempt, hold, money, order; each is written down before the next begins.

What stops half-way is taken up by a retry with the same key, or undone by the sweep: stock and money go back.
"""

import asyncio
import hashlib
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.errors import Conflict, Refused, Unavailable
from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.steps import step
from chassis.telemetry import logger
from contracts.product.inventory import Reservation
from contracts.sales.checkout import CheckOut
from contracts.sales.orders import OrderStatus
from contracts.text import to_decimal_string
from sales.carts.commands import take_out_ordered
from sales.payments.model import CAPTURING, Payment, PaymentFailed
from sales.payments.paying import Authorised, Charge, Declined, Payments
from sales.settings import ShippingSettings

from .attempts import Attempts, Request
from .baskets import Basket, fill_basket
from .confirming import confirm_paid
from .drafting import Wanted, add_up, created, draft
from .model import Order
from .pursuing import Answer, answered, begin, pursued, refuse
from .reading import view
from .shipping_cost import shipping_cost
from .stock import GivenBack, Held, Promise, Short, Stock, why_short
from .undoing import Undoing
from .writing import create_orders

LONGEST: Final = timedelta(seconds=25)
_UNDO_WITHIN: Final = timedelta(seconds=5)

log = logger("checkout")


class TotalChanged(Conflict):
    code = "TOTAL_CHANGED"

    def __init__(self, order: Order) -> None:
        total = to_decimal_string(order.total)
        message = f"It comes to {total} {order.currency}."
        detail = {"field": "expected_total", "message": message, "total": total, "currency": order.currency}
        super().__init__(f"{message} Nothing was charged.", [detail])


class OrderCreationFailed(Unavailable):
    code = "ORDER_CREATION_FAILED"

    def __init__(self) -> None:
        super().__init__("The order could not be made. What was held for it is given back; please try again.")


class _Overtaken(Exception):
    """Somebody else has answered this attempt, or undone it: nothing may be written for it any more."""


class CheckingOut:
    def __init__(
        self,
        database: Database,
        stock: Stock,
        payments: Payments,
        undoing: Undoing,
        shipping: ShippingSettings,
    ) -> None:
        self._database = database
        self._stock = stock
        self._payments = payments
        self._undoing = undoing
        self._shipping = shipping
        self._attempts = Attempts(database, ahead=stock.reserve)
        self._capturing: set[asyncio.Task[None]] = set()

    @step("OrderService", "placeOrder")
    async def check_out(self, customer_id: str, wanted: CheckOut, key: str | None) -> Answer:
        try:
            async with asyncio.timeout(LONGEST.total_seconds()):
                return await self._check_out(customer_id, wanted, key)
        except TimeoutError:
            raise Unavailable("The order could not be placed in time. Please try again with the same key.") from None

    async def close(self) -> None:
        while self._capturing:
            await asyncio.wait(self._capturing)
        await self._attempts.close()

    async def _check_out(self, customer_id: str, wanted: CheckOut, key: str | None) -> Answer:
        basket: Basket | None = None
        refused: Refused | None = None
        try:
            async with self._database.begin() as session:
                basket = await fill_basket(session, customer_id, wanted, self._shipping.home_country)
        except Refused as error:
            # The cart of a checkout that has succeeded is empty: its repetition gets the first answer all the same.
            if key is None or not await self._attempts.is_known(customer_id, key):
                raise
            refused = error
        asked = hashlib.sha256(b"checkout" + wanted.model_dump_json().encode()).digest()
        snapshot = basket.model_dump_json() if basket else None
        found = await begin(self._attempts, Request(customer_id, key, asked, snapshot))
        if isinstance(found, Answer):
            return found
        async with pursued(self._attempts, found.id):
            if found.wanted is not None:
                basket = Basket.model_validate(found.wanted)
            if basket is None:
                raise refused or _given_up()
            answer = await self._pursue(found.id, customer_id, wanted, basket)
        await failpoint("sales.checkout.answered")
        return answer

    async def _pursue(self, attempt_id: UUID, customer_id: str, wanted: CheckOut, basket: Basket) -> Answer:
        await failpoint("sales.checkout.attempted")
        items = add_up(basket.items)
        promise = await self._stock.reserve(Reservation(reservation_id=attempt_id, items=items))
        await failpoint("sales.checkout.reserved")
        if isinstance(promise, GivenBack):
            # Nothing can come of it any more; who asks again and again would only keep the sweep from it.
            await self._undoing.undo_now(attempt_id)
        order = self._draft(Wanted(customer_id, basket.items, items, basket.address, wanted.note), promise)
        if isinstance(order, Refused):
            return await refuse(self._attempts, attempt_id, order)
        if wanted.expected_total not in (None, order.total):
            return await self._refuse(attempt_id, TotalChanged(order))
        charge = Charge(attempt_id, customer_id, order.total, order.currency)
        match await self._payments.authorise(charge, wanted.card_token):
            case Authorised():
                await failpoint("sales.checkout.authorised")
                return await self._create(attempt_id, order)
            case Declined(reason=reason):
                return await self._refuse(attempt_id, PaymentFailed(reason))
            case _:
                raise Unavailable("The payment is not settled yet. Please try again with the same key.")

    def _draft(self, wanted: Wanted, promise: Promise) -> Order | Refused:
        match promise:
            case Held():
                cost = shipping_cost(self._shipping, promise.items)
                return draft(wanted, promise, status=OrderStatus.PENDING, shipping_cost=cost)
            case Short():
                return why_short(wanted.asked, promise.items)
            case GivenBack():
                raise _given_up()

    async def _refuse(self, attempt_id: UUID, refused: Refused) -> Answer:
        """What is held goes back first: once the attempt is answered nobody looks after it any more."""
        await self._stock.release([attempt_id])
        await failpoint("sales.checkout.released")
        return await refuse(self._attempts, attempt_id, refused)

    async def _create(self, attempt_id: UUID, order: Order) -> Answer:
        body = view(order).model_dump_json()
        try:
            async with self._database.begin() as session:
                payment = await self._write(session, attempt_id, order, body)
                await failpoint("sales.checkout.creating")
        except _Overtaken:
            if settled := await answered(self._attempts, attempt_id):
                return settled
            raise _given_up() from None
        except Exception as error:
            return await self._failed(attempt_id, error)
        await failpoint("sales.checkout.created")
        if payment.state == CAPTURING:
            self._capture_soon(payment)
        return Answer(201, body)

    async def _write(self, session: AsyncSession, attempt_id: UUID, order: Order, body: str) -> Payment:
        payment = await self._payments.order_created(session, attempt_id, order.id, by=order.customer_id)
        if payment is None:
            raise _Overtaken
        await _create(session, order, body)
        ordered = {(line.product_id, line.variant_id): line.quantity for line in order.lines}
        await take_out_ordered(session, order.customer_id, ordered)
        if payment.captured:
            await confirm_paid(session, payment)
        return payment

    def _capture_soon(self, payment: Payment) -> None:
        """Nobody waits for it: it is written down already, and a job does it if this process dies."""
        task = asyncio.create_task(self._capture(payment))
        self._capturing.add(task)
        task.add_done_callback(self._capturing.discard)

    async def _capture(self, payment: Payment) -> None:
        try:
            await self._payments.capture(payment.id, payment.customer_id)
        except Exception:
            log.exception("captured_later", payment_id=str(payment.id))

    async def _failed(self, attempt_id: UUID, error: Exception) -> Answer:
        """Whether it was written all the same, the attempt's own row knows; if not, what was held goes back now."""
        log.exception("order_not_created", attempt_id=str(attempt_id), exc_info=error)
        try:
            async with asyncio.timeout(_UNDO_WITHIN.total_seconds()):
                if settled := await answered(self._attempts, attempt_id):
                    return settled
                await self._undoing.undo_now(attempt_id)
        except Exception as again:
            log.warning("undone_later", attempt_id=str(attempt_id), reason=f"{type(again).__name__}: {again}")
        raise OrderCreationFailed from error


@step("OrderAggregate", "createOrder")
async def _create(session: AsyncSession, order: Order, body: str) -> None:
    if not await create_orders(session, [order], [body]):
        raise _Overtaken
    publish(session, created(order))


def _given_up() -> Unavailable:
    return Unavailable("The order took too long and was given up. Please try again.")
