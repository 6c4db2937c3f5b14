"""Pursues what was written down until the books say how it ended: at once by those who wrote it, or later by a job."""

import asyncio
from collections.abc import Awaitable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from chassis.db import Database
from chassis.errors import Away
from chassis.failpoints import failpoint
from chassis.steps import step
from chassis.tracing import working_for
from contracts.sales.payments import OperationKind

from .asking import Asking
from .gateway import Found, Question, Reason, Refused, Unanswered, Unheard
from .journal import AUTHORISE, CAPTURE, REFUND, VOID, Operation
from .model import Payment
from .settling import Rules, close, doubt, give_back_what_can_be, settle
from .storing import PAYMENTS, Books, payment_of, take

_BATCH: Final = 20
_ACTIONS: Final = {
    AUTHORISE: "processPayment",
    CAPTURE: "capturePayment",
    VOID: "processRefund",
    REFUND: "processRefund",
}

# Those that are claimed are nobody else's for a lease; who dies with them only makes them wait that long.
_CLAIM = text(
    """
    WITH due AS (
        SELECT id FROM payment_operations WHERE next_try_at <= now()
        ORDER BY next_try_at LIMIT :batch FOR UPDATE SKIP LOCKED
    )
    UPDATE payment_operations SET next_try_at = now() + CAST(:lease AS interval)
    FROM due WHERE payment_operations.id = due.id
    RETURNING payment_operations.id, payment_operations.kind, payment_operations.traceparent
    """
)


class Pursuit:
    def __init__(self, database: Database, asking: Asking, rules: Rules) -> None:
        self.rules = rules
        self._database = database
        self._asking = asking
        self._steps = {kind: step(PAYMENTS, action)(self._take_up) for kind, action in _ACTIONS.items()}

    @property
    def gateway(self) -> str:
        return self._asking.gateway.name

    async def pursue(self, payment: Payment, asked: Operation, card: str | None = None) -> Books:
        """Asks what is written down, and what follows from the answer, until nothing is left to be asked now."""
        await failpoint(f"sales.payment.{asked.kind}.written")
        question = asked.question(payment)
        return await self._follow(question, self._asking.ask(question, card))

    async def take_up(self) -> int:
        """What was asked and not answered, or refused and may be tried again: as far as its time has come."""
        taken = 0
        while True:
            async with self._database.begin() as session:
                lease = self.rules.pace.lease
                due = (await session.execute(_CLAIM, {"batch": _BATCH, "lease": lease})).all()
            results = await asyncio.gather(*(self._go_on(*row) for row in due), return_exceptions=True)
            taken += len(due)
            for failure in (each for each in results if isinstance(each, BaseException)):
                raise failure
            if len(due) < _BATCH:
                return taken

    async def close(self) -> None:
        await self._asking.close()

    async def _go_on(self, operation_id: UUID, kind: OperationKind, traceparent: str | None) -> None:
        """In the trace of what it was asked for, as the step that it is there."""
        with working_for([traceparent]) if traceparent else nullcontext():
            await self._steps[kind](operation_id)

    async def _take_up(self, operation_id: UUID) -> None:
        async with self._database.begin() as session:
            payment_id = await payment_of(session, operation_id)
            assert payment_id is not None
            books, now = await take(session, payment_id), datetime.now(UTC)
            operation = books.operation(operation_id)
            following: Operation | None = None
            if operation.waits_for_another_try:
                following = self._again(books, operation, now)
                await close(books, operation.asked_by, self.rules)
        if following:
            await self.pursue(books.payment, following)
        elif operation.is_open:
            question = operation.question(books.payment)
            await self._follow(question, self._find_out(question, is_wanted=books.payment.is_wanted))

    def _again(self, books: Books, refused: Operation, now: datetime) -> Operation | None:
        """With a key of its own: a refusal would only be repeated under the old one."""
        refused.next_try_at = None
        if refused.kind != REFUND and not books.payment.is_wanted:
            return give_back_what_can_be(books, refused.asked_by, self.rules, now)
        return books.write(refused.kind, refused.amount, refused.asked_by, now, self.rules.pace, refused.cause)

    async def _find_out(self, question: Question, *, is_wanted: bool) -> Found:
        found = await self._asking.look_up(question)
        if not isinstance(found, Unheard):
            return found
        await failpoint(f"sales.payment.{question.kind}.unheard")
        if question.kind == AUTHORISE:
            # Nobody has the card any more, so that it cannot be asked again.
            return await self._asking.forestall(question)
        if question.kind == CAPTURE and not is_wanted:
            return Refused(Reason.NEVER_ASKED)
        return await self._asking.ask(question)

    async def _follow(self, question: Question, answer: Awaitable[Found]) -> Books:
        while True:
            try:
                found: Found | str = await answer
            except Unanswered as unanswered:
                found = unanswered.reason
            except Away:
                found = "not asked"
            await failpoint(f"sales.payment.{question.kind}.answered")
            books, following = await self._write(question, found)
            await failpoint(f"sales.payment.{question.kind}.settled")
            if following is None:
                return books
            await failpoint(f"sales.payment.{following.kind}.written")
            question = following.question(books.payment)
            answer = self._asking.ask(question)

    async def _write(self, question: Question, found: Found | str) -> tuple[Books, Operation | None]:
        async with self._database.begin() as session:
            books, now = await take(session, question.payment_id), datetime.now(UTC)
            operation = books.operation(question.key)
            match found:
                case str(reason):
                    doubt(books, operation, reason, self.rules, now)
                case Unheard():
                    doubt(books, operation, "unheard of", self.rules, now)
                case outcome:
                    settle(books, operation, outcome, self.rules, now)
            following = give_back_what_can_be(books, operation.asked_by, self.rules, now)
            await close(books, operation.asked_by, self.rules)
            await failpoint(f"sales.payment.{question.kind}.settling")
        return books, following
