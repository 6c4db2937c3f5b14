"""Attempts to order: written down before anything outside is touched, for the retry and for the sweep to find."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from chassis.coalescer import Coalescer
from chassis.db import Database
from chassis.ids import uuid7
from chassis.statements import BYTEA, ID, INTEGER, TEXT, with_arrays
from sales.profile.people import NoLongerCustomer

# Longer than anything that an attempt waits for; a process that lives never loses its lease.
LEASE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, under which key, and a hash of what for."""

    customer_id: str
    key: str | None
    hash: bytes
    wanted: str | None = None
    """What for, where the request itself does not say it: the cart changes. As JSON."""


@dataclass(frozen=True, slots=True)
class Attempt:
    id: UUID
    is_ours: bool
    """This request has it to pursue; otherwise somebody had the key before."""
    same_request: bool = True
    lapsed: bool = False
    """Whoever pursued it is gone, or gave up without an answer."""
    answer: tuple[int, str] | None = None
    wanted: dict[str, Any] | None = None
    """As whoever wrote the attempt down had it."""


# Tokens outlive their customers by some minutes: who was erased is told so, and begins nothing.
_CLAIM = with_arrays(
    """
    WITH erased AS (
        SELECT id FROM customers WHERE id = ANY(:customers) AND status = 'ERASED'
    ), claimed AS (
        INSERT INTO attempts (id, customer_id, idempotency_key, request_hash, wanted, state, lease_until)
        SELECT id, customer_id, key, hash, wanted::jsonb, 'open', now() + :lease
        FROM unnest(:ids, :customers, :keys, :hashes, :wanted) AS new (id, customer_id, key, hash, wanted)
        WHERE customer_id NOT IN (SELECT id FROM erased) ORDER BY customer_id, key
        ON CONFLICT DO NOTHING RETURNING id
    )
    SELECT id, NULL AS erased FROM claimed UNION ALL SELECT NULL, id FROM erased
    """,
    ids=ID,
    customers=TEXT,
    keys=TEXT,
    hashes=BYTEA,
    wanted=TEXT,
)
_FIND = with_arrays(
    """
    SELECT id, customer_id, idempotency_key, request_hash, state = 'open' AND lease_until < now() AS lapsed,
        answer_status, answer, wanted
    FROM attempts JOIN unnest(:customers, :keys) AS asked (customer_id, idempotency_key)
        USING (customer_id, idempotency_key)
    """,
    customers=TEXT,
    keys=TEXT,
)
_IS_KNOWN = text("SELECT EXISTS (SELECT 1 FROM attempts WHERE customer_id = :customer_id AND idempotency_key = :key)")
_TAKE_OVER = text(
    """
    UPDATE attempts SET lease_until = now() + :lease
    WHERE id = :id AND state = 'open' AND lease_until < now() RETURNING id
    """
)
# A row that is locked is being answered or undone right now: there is nothing to let go, and nothing to wait for.
_LET_GO = with_arrays(
    """
    WITH open AS (
        SELECT id FROM attempts WHERE id = ANY(:ids) AND state = 'open' ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE attempts SET lease_until = now() FROM open WHERE attempts.id = open.id
    """,
    ids=ID,
)
_REFUSE = with_arrays(
    """
    WITH open AS (
        SELECT id FROM attempts WHERE id = ANY(:ids) AND state = 'open' ORDER BY id FOR UPDATE
    )
    UPDATE attempts SET state = 'refused', answer_status = refused.status, answer = refused.answer, wanted = NULL
    FROM open JOIN unnest(:ids, :statuses, :answers) AS refused (id, status, answer) ON refused.id = open.id
    WHERE attempts.id = open.id
    """,
    ids=ID,
    statuses=INTEGER,
    answers=TEXT,
)
_ANSWER = text("SELECT answer_status, answer FROM attempts WHERE id = :id AND answer IS NOT NULL")


class Attempts:
    def __init__(self, database: Database, ahead: Coalescer[Any, Any]) -> None:
        """`ahead` is where attempts go that are new."""
        self._database = database
        self.claim: Coalescer[Request, Attempt] = Coalescer(self._claim, ahead=ahead)
        """Writes an attempt down, or finds the one that has its key."""
        self.refuse: Coalescer[tuple[UUID, int, str], None] = Coalescer(self._refuse)
        """Keeps the refusal as the attempt's answer."""
        self.let_go: Coalescer[UUID, None] = Coalescer(self._let_go)
        """Ends its lease."""

    async def take_over(self, attempt_id: UUID) -> bool:
        async with self._database.begin() as session:
            return await session.scalar(_TAKE_OVER, {"id": attempt_id, "lease": LEASE}) is not None

    async def is_known(self, customer_id: str, key: str) -> bool:
        async with self._database.begin() as session:
            return bool(await session.scalar(_IS_KNOWN, {"customer_id": customer_id, "key": key}))

    async def answer_of(self, attempt_id: UUID) -> tuple[int, str] | None:
        async with self._database.begin() as session:
            row = (await session.execute(_ANSWER, {"id": attempt_id})).one_or_none()
        return (row.answer_status, row.answer) if row else None

    async def close(self) -> None:
        await self.claim.close()
        await self.refuse.close()
        await self.let_go.close()

    async def _claim(self, requests: Sequence[Request]) -> list[Attempt | NoLongerCustomer]:
        ids = [uuid7() for _ in requests]
        claimed = await self._database.run_alone(
            _CLAIM,
            {
                "ids": ids,
                "customers": [request.customer_id for request in requests],
                "keys": [request.key for request in requests],
                "hashes": [request.hash for request in requests],
                "wanted": [request.wanted for request in requests],
                "lease": LEASE,
            },
        )
        rows = claimed.all()
        new, erased = {row.id for row in rows}, {row.erased for row in rows}
        twins = [request for id, request in zip(ids, requests, strict=True) if id not in new]
        found = {}
        if twins:
            asked = {"customers": [twin.customer_id for twin in twins], "keys": [twin.key for twin in twins]}
            known = await self._database.run_alone(_FIND, asked)
            found = {(row.customer_id, row.idempotency_key): row for row in known}
        attempts: list[Attempt | NoLongerCustomer] = []
        for id, request in zip(ids, requests, strict=True):
            if request.customer_id in erased:
                attempts.append(NoLongerCustomer())
                continue
            row = found.get((request.customer_id, request.key))
            if id in new or row is None:
                # Neither new nor found: the other was undone in this very moment, and the next look will be ours.
                attempts.append(Attempt(id, is_ours=id in new))
                continue
            answer = (row.answer_status, row.answer) if row.answer is not None else None
            same = bytes(row.request_hash) == request.hash
            attempts.append(Attempt(row.id, False, same, row.lapsed, answer, row.wanted))
        return attempts

    async def _refuse(self, refusals: Sequence[tuple[UUID, int, str]]) -> list[None]:
        ids, statuses, answers = (list(column) for column in zip(*refusals, strict=True))
        await self._database.run_alone(_REFUSE, {"ids": ids, "statuses": statuses, "answers": answers})
        return [None] * len(refusals)

    async def _let_go(self, ids: Sequence[UUID]) -> list[None]:
        await self._database.run_alone(_LET_GO, {"ids": list(ids)})
        return [None] * len(ids)
