"""A gateway to try things with: the card's token chooses what happens, and its ledger survives any crash of ours.

    TOKEN = "tok_" mood ("__" mood)…        mood = NAME ["_" TIMES]
    ok · decline · insufficient_funds · slow · webhook_twice
    timeout_before (nothing has happened) · timeout_after (it has) · the same of a later step: capture_timeout_before …
    capture_fails · void_fails · refund_fails

`tok_capture_fails_2__refund_fails`: two captures are refused, and every refund. The ledger is the outside world, kept
in Sales' database for want of another: never written in the same transaction as anything of Sales.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from contracts.sales.payments import OperationKind

from .gateway import Done, Found, Outcome, Question, Reason, Refused, Unanswered, Unheard
from .journal import AUTHORISE, CAPTURE, REFUND, VOID
from .tables import sandbox_operations as ledger

NAME: Final = "sandbox"
MOODS: Final = frozenset(
    {"ok", "decline", "insufficient_funds", "slow", "webhook_twice"}
    | {f"{step}timeout_{when}" for step in ("", "capture_", "void_", "refund_") for when in ("before", "after")}
    | {f"{step}_fails" for step in ("capture", "void", "refund")}
)
_MOOD: Final = re.compile(r"([a-z_]+?)(?:_(\d{1,3}))?")

Moods = Mapping[str, float]
Tell = Callable[[Mapping[str, Any], int], Awaitable[None]]


class SandboxGateway:
    name = NAME

    def __init__(self, database: Database, *, tell: Tell | None = None, slow: timedelta = timedelta(seconds=2)) -> None:
        self._database = database
        self._tell = tell
        self._slow = slow.total_seconds()
        self._missed: Counter[tuple[UUID, OperationKind]] = Counter()
        self._telling: set[asyncio.Task[None]] = set()

    async def authorise(self, question: Question, card: str) -> Outcome:
        return await self._answer(question, card)

    async def capture(self, question: Question) -> Outcome:
        return await self._answer(question, await self._card_of(question))

    async def void(self, question: Question) -> Outcome:
        return await self._answer(question, await self._card_of(question))

    async def refund(self, question: Question) -> Outcome:
        return await self._answer(question, await self._card_of(question))

    async def look_up(self, question: Question) -> Found:
        async with self._database.begin() as session:
            return await _known(session, question.key) or Unheard()

    async def forestall(self, question: Question) -> Found:
        async with self._database.begin() as session:
            await _enter(session, question, "forestalled", Reason.NEVER_ASKED, None)
            return await _known(session, question.key) or Unheard()

    async def close(self) -> None:
        while self._telling:
            await asyncio.gather(*self._telling)

    async def _answer(self, question: Question, card: str) -> Outcome:
        moods, step = _moods(card), "" if question.kind == AUTHORISE else f"{question.kind}_"
        missed = question.payment_id, question.kind
        if self._missed[missed] < moods.get(f"{step}timeout_before", 0):
            self._missed[missed] += 1
            raise Unanswered("time-out before")
        async with self._database.begin() as session:
            outcome, times, is_new = await self._do(session, question, card, moods)
        if is_new and self._tell is not None:
            self._spawn(self._tell(_event(question, outcome), 2 if "webhook_twice" in moods else 1))
        if "slow" in moods:
            await asyncio.sleep(self._slow)
        if is_new and times < moods.get(f"{step}timeout_after", 0):
            raise Unanswered("time-out after")
        return outcome

    async def _do(
        self, session: AsyncSession, question: Question, card: str, moods: Moods
    ) -> tuple[Outcome, int, bool]:
        """What became of it, how many of its kind there were before, and whether it is done only now."""
        if question.kind != AUTHORISE:
            # One after the other for each payment, as a real gateway does it.
            await session.execute(_OF_PAYMENT.with_for_update(), {"reference": question.payment_reference})
        rows = (await session.execute(_OF_PAYMENT, {"reference": _payment_reference(question)})).mappings().all()
        before = sum(row["kind"] == question.kind and row["state"] != "forestalled" for row in rows)
        if known := await _known(session, question.key):
            return known, before, False
        reason = _refusal(question, rows, moods)
        is_new = await _enter(session, question, "refused" if reason else "done", reason, card)
        found = await _known(session, question.key)
        assert found is not None
        return found, before, is_new

    async def _card_of(self, question: Question) -> str:
        async with self._database.begin() as session:
            rows = (await session.execute(_OF_PAYMENT, {"reference": question.payment_reference})).mappings().all()
        return next((row["card"] for row in rows if row["kind"] == AUTHORISE), "")

    def _spawn(self, telling: Awaitable[None]) -> None:
        task = asyncio.ensure_future(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


_OF_PAYMENT = select(ledger).where(ledger.c.payment_reference == bindparam("reference")).order_by(ledger.c.key)


def _moods(card: str) -> Moods:
    if not card.startswith("tok_"):
        return {}
    found = [_MOOD.fullmatch(mood) for mood in card.removeprefix("tok_").split("__")]
    return {match[1]: float(match[2] or inf) for match in found if match and match[1] in MOODS}


def _refusal(question: Question, rows: Sequence[Mapping[Any, Any]], moods: Moods) -> Reason | None:
    """By the rules of every gateway first, by the mood that the card chose then."""
    sums: Counter[str] = Counter()
    for row in rows:
        if row["state"] == "done":
            sums[row["kind"]] += row["amount"]
    if question.kind != AUTHORISE and not sums[AUTHORISE]:
        return Reason.REJECTED
    if question.kind in (CAPTURE, VOID) and sums[VOID]:
        return Reason.VOIDED_ALREADY
    if question.kind in (CAPTURE, VOID) and sums[CAPTURE]:
        return Reason.CAPTURED_ALREADY
    if question.kind == CAPTURE and question.amount > sums[AUTHORISE]:
        return Reason.REJECTED
    if question.kind == REFUND and question.amount > sums[CAPTURE] - sums[REFUND]:
        return Reason.REJECTED
    if question.kind == AUTHORISE:
        return _declines(moods)
    failures = sum(row["kind"] == question.kind and row["state"] == "refused" for row in rows)
    if failures < moods.get(f"{question.kind}_fails", 0):
        return Reason.DECLINED if question.kind == CAPTURE else Reason.REJECTED
    return None


def _declines(moods: Moods) -> Reason | None:
    if not moods:
        return Reason.REJECTED
    if "decline" in moods:
        return Reason.DECLINED
    return Reason.INSUFFICIENT_FUNDS if "insufficient_funds" in moods else None


def _payment_reference(question: Question) -> str:
    return question.payment_reference or f"sbx_{question.key.hex}"


async def _enter(
    session: AsyncSession, question: Question, state: str, reason: Reason | None, card: str | None
) -> bool:
    row = {
        "key": question.key,
        "kind": question.kind,
        "reference": f"sbx_{question.key.hex}",
        "payment_id": question.payment_id,
        "payment_reference": _payment_reference(question),
        "amount": question.amount,
        "currency": question.currency,
        "state": state,
        "reason": reason,
        "card": card,
        "at": datetime.now(UTC),
    }
    new = insert(ledger).values(row).on_conflict_do_nothing().returning(ledger.c.key)
    return await session.scalar(new) is not None


async def _known(session: AsyncSession, key: UUID) -> Outcome | None:
    row = (await session.execute(select(ledger).where(ledger.c.key == key))).mappings().one_or_none()
    if row is None:
        return None
    return Done(row["reference"]) if row["state"] == "done" else Refused(Reason(row["reason"]))


def _event(question: Question, outcome: Outcome) -> dict[str, Any]:
    refused = isinstance(outcome, Refused)
    return {
        "type": f"{question.kind}.{'refused' if refused else 'done'}",
        "data": {
            "event_id": f"evt_{question.key.hex}",
            "payment_id": str(question.payment_id),
            "payment_reference": _payment_reference(question),
            "key": str(question.key),
            "amount": question.amount,
            "reference": f"sbx_{question.key.hex}",
            "reason": outcome.reason if isinstance(outcome, Refused) else None,
        },
    }
