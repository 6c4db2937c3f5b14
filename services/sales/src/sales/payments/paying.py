"""What checkout, cancellations and returns want of payments: written down, asked, settled; each step a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.errors import Conflict
from chassis.steps import note_refusal, step

from .gateway import Reason
from .journal import AUTHORISE, CAPTURE, REFUND, Operation
from .model import (
    AUTHORISED,
    AUTHORISING,
    CAPTURING,
    FAILED,
    UNKNOWN,
    VOIDED,
    InvalidStatusTransition,
    NotWanted,
    Payment,
    PaymentFailed,
    PaymentMismatch,
)
from .pursuing import Pursuit
from .settling import close, give_back_what_can_be
from .storing import Books, create, take, take_all


@dataclass(frozen=True, slots=True)
class Authorised:
    """The money is held."""

    payment_id: UUID
    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """No money is held, and none will be for this attempt."""

    payment_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """It may be held or not: the same attempt can ask again, or give it back."""

    payment_id: UUID


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The attempt was undone meanwhile; what was held or comes to be held goes back."""

    payment_id: UUID


Authorisation = Authorised | Declined | Unsure | GivenBack


NO_CURRENCY: Final = "X" * 3
"""As ISO 4217 says it: of a payment that never came about, whose attempt is given up all the same."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What an attempt is to be paid with, the card aside. `id` is the attempt's, and becomes the payment's."""

    id: UUID
    customer_id: str
    amount: int
    currency: str


class Payments:
    def __init__(self, database: Database, pursuit: Pursuit, *, captures_at_once: bool = True) -> None:
        self._database = database
        self._pursuit = pursuit
        self._rules = pursuit.rules
        self._captures_at_once = captures_at_once

    @step("PaymentService", "processPayment")
    async def authorise(self, charge: Charge, card: str) -> Authorisation:
        """Asked again for the same attempt, it asks the gateway with the same key: nobody pays twice."""
        async with self._database.begin() as session:
            books, asked = await self._begin(session, charge)
        if asked:
            books = await self._pursuit.pursue(books.payment, asked, card)
        answer = _as_authorisation(books)
        if isinstance(answer, Declined):
            note_refusal(PaymentFailed.code)
        return answer

    async def order_created(self, session: AsyncSession, payment_id: UUID, order_id: UUID, by: str) -> Payment | None:
        """For the transaction that writes the order: none if the attempt was undone, and no order may come of it.

        What is captured at once is written down here, so that it happens whatever becomes of this process.
        """
        books, now = await take(session, payment_id), datetime.now(UTC)
        payment = books.payment
        if not payment.is_wanted or not payment.authorised or payment.order_id not in (None, order_id):
            return None
        payment.order_id, payment.updated_at = order_id, now
        if self._captures_at_once and payment.state == AUTHORISED:
            payment.begin_capture(now)
            books.write(CAPTURE, payment.open, by, now, self._rules.pace)
        await close(books, by, self._rules)
        return payment

    @step("PaymentService", "capturePayment")
    async def capture(self, payment_id: UUID, by: str, amount: int | None = None) -> Payment:
        """What was captured already stays so. A refusal of the gateway is tried again later, by itself."""
        async with self._database.begin() as session:
            books, now = await take(session, payment_id), datetime.now(UTC)
            asked = self._begin_capture(books, by, amount, now)
            await close(books, by, self._rules)
        return (await self._pursuit.pursue(books.payment, asked) if asked else books).payment

    async def void(self, payment_id: UUID, by: str) -> Payment:
        """Only what has not been captured; `give_back` finds out by itself."""
        async with self._database.begin() as session:
            books, now = await take(session, payment_id), datetime.now(UTC)
            if books.payment.state not in (AUTHORISED, CAPTURING, VOIDED):
                raise InvalidStatusTransition(books.payment.state, VOIDED)
            books.payment.give_up(now)
            asked = give_back_what_can_be(books, by, self._rules, now)
            await close(books, by, self._rules)
        return (await self._pursuit.pursue(books.payment, asked) if asked else books).payment

    @step("PaymentService", "processRefund")
    async def refund(self, payment_id: UUID, amount: int, cause: str, by: str) -> Operation:
        """Once for each cause, such as a return's id: the answer is how that refund stands."""
        async with self._database.begin() as session:
            books, now = await take(session, payment_id), datetime.now(UTC)
            asked = books.last(REFUND, cause)
            if asked is None:
                books.payment.owe(amount, now)
                asked = books.write(REFUND, amount, by, now, self._rules.pace, cause)
                await close(books, by, self._rules)
            elif asked.amount != amount:
                raise Conflict("This was refunded before, by another amount.")
        if asked.is_open:
            books = await self._pursuit.pursue(books.payment, asked)
        return books.last(REFUND, cause) or asked

    @step("PaymentService", "processRefund")
    async def give_back(self, payment_id: UUID, customer_id: str, by: str) -> Payment:
        """Voids or refunds, whichever fits; what is not known yet is given back as soon as it is.

        Also of an attempt that has no payment yet: one that comes later is not asked for any more.
        """
        async with self._database.begin() as session:
            now = datetime.now(UTC)
            nothing = _charged(Charge(payment_id, customer_id, 0, NO_CURRENCY), self._pursuit.gateway, now)
            nothing.state, nothing.unwanted_at = FAILED, now
            await create(session, nothing, by)
            books = await take(session, payment_id)
            books.payment.give_up(now)
            for each in books.journal:
                # What is not known need not be waited for: it is looked into at once.
                each.next_try_at = now if each.is_open else each.next_try_at
            asked = give_back_what_can_be(books, by, self._rules, now)
            await close(books, by, self._rules)
        return (await self._pursuit.pursue(books.payment, asked) if asked else books).payment

    async def order_cancelled(self, session: AsyncSession, payment_ids: Sequence[UUID], by: str) -> None:
        """For the transaction that cancels orders, before it locks them: what was paid goes back, by the job.

        Orders that nobody has paid for by card have no payment.
        """
        now = datetime.now(UTC)
        for books in await take_all(session, payment_ids):
            books.payment.give_up(now)
            for each in books.journal:
                each.next_try_at = now if each.is_open else each.next_try_at
            if asked := give_back_what_can_be(books, by, self._rules, now):
                asked.next_try_at = now
            await close(books, by, self._rules)

    async def _begin(self, session: AsyncSession, charge: Charge) -> tuple[Books, Operation | None]:
        now = datetime.now(UTC)
        is_new = await create(session, _charged(charge, self._pursuit.gateway, now), charge.customer_id)
        books = await take(session, charge.id)
        payment = books.payment
        if payment.is_wanted and (payment.customer_id, payment.amount, payment.currency) != (
            charge.customer_id,
            charge.amount,
            charge.currency,
        ):
            raise PaymentMismatch
        asked = books.last(AUTHORISE)
        if is_new:
            asked = books.write(AUTHORISE, charge.amount, charge.customer_id, now, self._rules.pace)
        elif not payment.is_wanted or not asked or not asked.is_open:
            return books, None
        else:
            asked.ask(now, self._rules.pace)
            if payment.state == UNKNOWN:
                payment.ask_again(now)
        await close(books, charge.customer_id, self._rules)
        return books, asked

    def _begin_capture(self, books: Books, by: str, amount: int | None, now: datetime) -> Operation | None:
        payment = books.payment
        if payment.captured:
            return None
        if not payment.is_wanted:
            raise NotWanted
        asked = books.last(CAPTURE, "")
        if payment.state == CAPTURING and asked and asked.is_open:
            return asked
        if payment.state != CAPTURING:
            payment.begin_capture(now)
        elif asked:
            asked.next_try_at = None
        return books.write(CAPTURE, amount or payment.open, by, now, self._rules.pace)


def _charged(charge: Charge, gateway: str, now: datetime) -> Payment:
    return Payment(charge.id, charge.customer_id, gateway, charge.currency, charge.amount, AUTHORISING, now, now)


def _as_authorisation(books: Books) -> Authorisation:
    payment = books.payment
    if not payment.is_wanted:
        return GivenBack(payment.id)
    if payment.state == FAILED:
        asked = books.last(AUTHORISE)
        return Declined(payment.id, (asked and asked.error) or Reason.REJECTED)
    if payment.state in (AUTHORISING, UNKNOWN):
        return Unsure(payment.id)
    return Authorised(payment.id, payment.reference or "")
