"""Puts payments and their operations into the database and takes them out, the payment locked, to change them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.errors import NotFound
from chassis.steps import traceparent_around
from contracts.sales.payments import OperationKind, OperationState, PaymentState

from .journal import Operation, Pace, key_of
from .model import Payment
from .tables import payment_operations as operations
from .tables import payments

PAYMENTS: Final = "PaymentService"
"""Who does what of the sequence designs is done here."""


class Books:
    """One payment and what was asked for it, locked until the transaction ends; `save` writes what has become of it."""

    def __init__(self, session: AsyncSession, payment: Payment, journal: Sequence[Operation]) -> None:
        self.session = session
        self.payment = payment
        self.journal = list(journal)
        self.before = asdict(payment)
        self._known = {each.id: asdict(each) for each in journal}

    def operation(self, operation_id: UUID) -> Operation:
        return next(each for each in self.journal if each.id == operation_id)

    def last(self, kind: OperationKind, cause: str | None = None) -> Operation | None:
        """The youngest of its kind that we asked for."""
        asked = [each for each in self.journal if each.kind == kind and cause in (None, each.cause)]
        return max(asked, key=lambda each: each.number, default=None)

    def write(self, kind: OperationKind, amount: int, by: str, now: datetime, pace: Pace, cause: str = "") -> Operation:
        """Writes down what is to be asked. It is asked once this is committed, or a job does it."""
        before = self.last(kind, cause)
        number = before.number + 1 if before else 1
        new = Operation(
            id=key_of(self.payment.id, kind, cause, number),
            payment_id=self.payment.id,
            kind=kind,
            cause=cause,
            number=number,
            amount=amount,
            state=OperationState.ASKED,
            asked_by=by,
            created_at=now,
            updated_at=now,
            next_try_at=now + pace.lease,
            told_at=before.told_at if before else None,
            traceparent=traceparent_around(PAYMENTS),
        )
        self.journal.append(new)
        return new

    def note(self, kind: OperationKind, amount: int, reference: str, cause: str, now: datetime) -> None:
        """Writes down what was done there without having been asked for from here."""
        done = Operation(
            id=key_of(self.payment.id, kind, cause, 1),
            payment_id=self.payment.id,
            kind=kind,
            cause=cause,
            number=1,
            amount=amount,
            state=OperationState.DONE,
            asked_by=f"gateway:{self.payment.gateway}",
            created_at=now,
            updated_at=now,
            next_try_at=None,
            reference=reference,
        )
        self.journal.append(done)

    async def save(self) -> None:
        changed = asdict(self.payment)
        if changed != self.before:
            await self.session.execute(update(payments).where(payments.c.id == self.payment.id).values(changed))
        # What has ended makes room: one at a time is under way.
        for each in sorted(self.journal, key=lambda each: each.is_open):
            row = asdict(each)
            if each.id not in self._known:
                await self.session.execute(insert(operations).values(row))
            elif row != self._known[each.id]:
                await self.session.execute(update(operations).where(operations.c.id == each.id).values(row))


async def create(session: AsyncSession, payment: Payment, by: str) -> bool:
    """Whether there was none for this attempt before; if there is, it waits for whoever writes it."""
    new = insert(payments).values(asdict(payment)).on_conflict_do_nothing().returning(payments.c.id)
    if await session.scalar(new) is None:
        return False
    after = {"state": payment.state, "amount": payment.amount, "currency": payment.currency}
    record(session, by, f"payment.{payment.state.lower()}", payment.id, after=after)
    return True


async def take(session: AsyncSession, payment_id: UUID) -> Books:
    found = (await session.execute(select(payments).where(payments.c.id == payment_id).with_for_update())).mappings()
    row = found.one_or_none()
    if row is None:
        raise NotFound("There is no such payment.")
    journal = (await session.execute(select(operations).where(operations.c.payment_id == payment_id))).mappings()
    return Books(session, as_payment(row), [as_operation(each) for each in journal])


async def take_all(session: AsyncSession, payment_ids: Sequence[UUID]) -> list[Books]:
    """Those that there are, locked in one order."""
    there = select(payments.c.id).where(payments.c.id.in_(payment_ids)).order_by(payments.c.id)
    return [await take(session, id) for id in (await session.scalars(there)).all()]


async def payment_of(session: AsyncSession, operation_id: UUID) -> UUID | None:
    found: UUID | None = await session.scalar(select(operations.c.payment_id).where(operations.c.id == operation_id))
    return found


async def payment_of_order(session: AsyncSession, order_id: UUID) -> UUID:
    found: UUID = (await session.scalars(select(payments.c.id).where(payments.c.order_id == order_id))).one()
    return found


async def payment_by_reference(session: AsyncSession, gateway: str, reference: str) -> UUID | None:
    known = payments.c.gateway == gateway, payments.c.reference == reference
    found: UUID | None = await session.scalar(select(payments.c.id).where(*known))
    return found


def as_payment(row: Mapping[Any, Any]) -> Payment:
    return Payment(**{**row, "state": PaymentState(row["state"])})


def as_operation(row: Mapping[Any, Any]) -> Operation:
    return Operation(**{**row, "kind": OperationKind(row["kind"]), "state": OperationState(row["state"])})
