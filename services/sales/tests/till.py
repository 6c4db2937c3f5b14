"""Payments on their own, for their tests: a till with its sandbox, and books that are compared with the ledger."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.breaker import Breaker
from chassis.db import Database
from chassis.errors import NotFound
from chassis.failpoints import hits
from chassis.ids import uuid7
from chassis.signature import sign
from contracts.sales.payments import OperationKind
from sales.payments.asking import Asking
from sales.payments.gateway import Question
from sales.payments.hearing import Hearing
from sales.payments.journal import Pace
from sales.payments.model import Payment
from sales.payments.paying import Authorisation, Charge, Payments
from sales.payments.pursuing import Pursuit
from sales.payments.sandbox import SandboxGateway
from sales.payments.sandbox_webhooks import SandboxReports
from sales.payments.settling import Rules

SECRET = "whsec_c2FuZGJveCBzYW5kYm94IHNhbmRib3g="
PRICE = 1999
OURS = {"declined", "insufficient_funds", "rejected", "voided_already", "captured_already"}
PACE = Pace(timedelta(seconds=30), timedelta(seconds=5), timedelta(hours=1), refund_tries=3)


async def _captured(session: AsyncSession, payment: Payment) -> None:
    record(session, "callback", "callback.captured", payment.id)


async def _ended(session: AsyncSession, payment: Payment) -> None:
    record(session, "callback", "callback.ended", payment.id)


class Till:
    """One process's payments."""

    def __init__(self, url: str, *, timeout: float = 5, automatic: bool = True) -> None:
        self.database = Database(url, application_name="till", pool_size=8)
        self.gateway = SandboxGateway(self.database, slow=timedelta(seconds=0.3))
        self.rules = Rules(PACE, _captured, _ended)
        self.asking = Asking(self.gateway, timedelta(seconds=timeout))
        self.pursuit = Pursuit(self.database, self.asking, self.rules)
        self.payments = Payments(self.database, self.pursuit, captures_at_once=automatic)
        self.hearing = Hearing([SandboxReports(SecretStr(SECRET))], self.rules)

    async def close(self) -> None:
        await self.pursuit.close()
        await self.database.close()

    async def authorise(
        self, card: str = "tok_ok", *, payment_id: UUID | None = None, amount: int = PRICE
    ) -> Authorisation:
        return await self.payments.authorise(Charge(payment_id or uuid7(), "grace", amount, "USD"), card)

    async def authorised(self, card: str = "tok_ok", amount: int = PRICE) -> UUID:
        return (await self.authorise(card, amount=amount)).payment_id

    async def captured(self, card: str = "tok_ok", amount: int = PRICE) -> UUID:
        payment_id = await self.authorised(card, amount)
        assert (await self.payments.capture(payment_id, "admin")).state == "CAPTURED"
        return payment_id

    async def give_back(self, payment_id: UUID) -> Payment:
        return await self.payments.give_back(payment_id, "grace", "job")

    async def order(self, payment_id: UUID, order_id: UUID | None = None) -> Payment | None:
        async with self.database.begin() as session:
            return await self.payments.order_created(session, payment_id, order_id or uuid7(), "grace")

    async def hear(self, event: Mapping[str, Any], event_id: str = "evt_1") -> str:
        body = json.dumps(event).encode()
        headers = sign(SECRET, event_id, datetime.now(UTC), body)
        async with self.database.begin() as session:
            return (await self.hearing.hear(session, "sandbox", headers, body)).result

    async def by_hand(self, payment_id: UUID, kind: OperationKind, amount: int = PRICE) -> dict[str, Any]:
        """Somebody does it at the gateway itself; what it will report of that."""
        payment = await self.payment(payment_id)
        if payment["reference"] is None:
            raise NotFound("They have no such payment.")
        key = uuid7()
        question = Question(key, kind, payment_id, amount, "USD", payment["reference"], datetime.now(UTC))
        await getattr(self.gateway, kind.value)(question)
        return report(f"{kind}.done", payment_id, key, amount, payment["reference"])

    async def time_passes(self) -> int:
        """All that waits for its time finds that it has come; the jobs do what is due then."""
        self.asking._breaker = Breaker("payment")
        await self.rows("UPDATE payment_operations SET next_try_at = now() WHERE next_try_at IS NOT NULL RETURNING 1")
        return await self.pursuit.take_up()

    async def quiet(self) -> None:
        for _ in range(30):
            if not await self.rows("SELECT id FROM payment_operations WHERE next_try_at IS NOT NULL"):
                return
            await self.time_passes()
        raise AssertionError("It does not come to rest.")

    async def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        async with self.database.begin() as session:
            return [dict(row) for row in (await session.execute(text(statement), values)).mappings()]

    async def count(self, table: str) -> int:
        return int((await self.rows(f"SELECT count(*) FROM {table}"))[0]["count"])

    async def until(self, statement: str) -> None:
        for _ in range(500):
            if await self.rows(statement):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("It has not come about.")

    async def until_hit(self, point: str) -> None:
        for _ in range(500):
            if hits().get(point):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("Nobody has come there.")

    async def payment(self, payment_id: UUID) -> dict[str, Any]:
        found = await self.rows("SELECT * FROM payments WHERE id = :id", id=payment_id)
        if not found:
            raise NotFound("There is no such payment.")
        return found[0]

    async def state(self, payment_id: UUID) -> str:
        return str((await self.payment(payment_id))["state"])

    async def journal(self, payment_id: UUID) -> list[tuple[str, int, str]]:
        rows = await self.rows(
            "SELECT kind, number, state FROM payment_operations WHERE payment_id = :id ORDER BY created_at, number",
            id=payment_id,
        )
        return [(row["kind"], row["number"], row["state"]) for row in rows]

    async def ledger(self, payment_id: UUID) -> list[tuple[str, int, str]]:
        rows = await self.rows(
            "SELECT kind, amount, state FROM sandbox_operations WHERE payment_id = :id ORDER BY at", id=payment_id
        )
        return [(row["kind"], row["amount"], row["state"]) for row in rows]

    async def told(self, event_type: str | None = None) -> list[dict[str, Any]]:
        events = [json.loads(row["body"]) for row in await self.rows("SELECT body FROM outbox ORDER BY id")]
        return [event["data"] for event in events if event_type in (None, event["event_type"])]

    async def called_back(self, payment_id: UUID) -> list[str]:
        rows = await self.rows(
            "SELECT action FROM audit_log WHERE actor = 'callback' AND entity_id = :id ORDER BY id", id=str(payment_id)
        )
        return [row["action"].removeprefix("callback.") for row in rows]

    async def balances(self) -> None:
        """The laws of money, of every payment, against what the gateway itself has written down."""
        journal = await self.rows("SELECT * FROM payment_operations")
        ledger = {row["key"]: row for row in await self.rows("SELECT * FROM sandbox_operations")}
        for payment in await self.rows("SELECT * FROM payments"):
            ours = [each for each in journal if each["payment_id"] == payment["id"]]
            theirs = [each for each in ledger.values() if each["payment_id"] == payment["id"]]
            _adds_up(payment, ours)
            _is_theirs(ours, theirs)
        assert {row["payment_id"] for row in ledger.values()} <= {row["payment_id"] for row in journal}


def _adds_up(payment: Mapping[str, Any], journal: list[dict[str, Any]]) -> None:
    done: Counter[str] = Counter()
    for each in journal:
        done[each["kind"]] += each["amount"] if each["state"] == "done" else 0
    released = done["authorise"] - done["capture"] if done["capture"] else done["void"]
    assert payment["authorised"] == done["authorise"] == payment["captured"] + payment["voided"] + payment["open"]
    assert payment["captured"] == done["capture"] == payment["refunded"] + payment["kept"]
    assert payment["voided"] == released
    assert payment["refunded"] == done["refund"]
    assert payment["refunding"] == sum(
        each["amount"] for each in journal if each["kind"] == "refund" and _is_owed(each, journal)
    )


def _is_owed(refund: Mapping[str, Any], journal: list[dict[str, Any]]) -> bool:
    chain = [each for each in journal if each["kind"] == "refund" and each["cause"] == refund["cause"]]
    is_last = bool(refund["number"] == max(each["number"] for each in chain))
    return is_last and refund["state"] != "done"


def _is_theirs(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """Row by row, in both directions; what was done by hand, there or here, has no key in common."""
    by_hand = Counter((each["kind"], each["amount"]) for each in ours if each["cause"].startswith("gateway:"))
    known = {each["id"]: each for each in ours if not each["cause"].startswith("gateway:")}
    for row in theirs:
        if row["key"] not in known:
            by_hand[row["kind"], row["amount"]] -= row["state"] == "done"
        elif not known[row["key"]]["completed_by"]:
            mine = known[row["key"]]
            assert (mine["kind"], mine["amount"]) == (row["kind"], row["amount"])
            expected = {"done": {"done"}, "refused": {"refused", "manual"}, "forestalled": {"refused"}}
            assert mine["state"] in expected[row["state"]] | {"asked", "unknown"}, (mine, row)
    assert not any(by_hand.values()), by_hand
    there = {row["key"] for row in theirs}
    for mine in known.values():
        if mine["state"] == "done" and not mine["completed_by"]:
            assert mine["id"] in there, mine


def report(
    kind: str, payment_id: UUID, key: UUID, amount: int = PRICE, payment_reference: str = "sbx_1"
) -> dict[str, Any]:
    """The sandbox's word on an operation."""
    return {
        "type": kind,
        "data": {
            "payment_id": str(payment_id),
            "payment_reference": payment_reference,
            "key": str(key),
            "amount": amount,
            "reference": f"sbx_{key.hex}",
        },
    }


@asynccontextmanager
async def a_till(url: str, **more: Any) -> AsyncIterator[Till]:
    till = Till(url, **more)
    try:
        yield till
    finally:
        await till.close()
