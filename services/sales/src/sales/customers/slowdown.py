"""Slows down whoever tries often, and locks nobody out: gates that close for a moment after each attempt too many.

An attempt is counted when it begins, in the statement that looks whether the gate is open: of guesses that come at
once, no more get through than may. What is refused is not counted, and an hour without attempts is forgotten. The
counts are in the database, so replicas count together; each gate's key is a hash.

A log-in passes three gates:
- the address on this account: 5 tries, then pauses of 1, 2, 4 … at most 60 seconds. A success opens it again;
- the address: 50 tries on whatever accounts, then pauses of up to 60 seconds;
- the account: 10 tries from wherever, then pauses of up to 30 seconds.
A success takes back what it counted at the last two and no more: nobody buys guesses with an account of their own.
They are not asked at all from an address where this account was logged in to before. So whoever hammers an account
from elsewhere does not keep its owner out; an owner at a new address, in the middle of that, can wait for one of the
short pauses or reset the password by mail, which makes that address a known one, too. Keys are made of the e-mail as
it was sent: an account that does not exist slows down as one that does.

Mails are asked for through two: an address may ask 10 times before it has to pause, and for one e-mail there are 3 in
a row, then pauses of up to 15 minutes, in which the mail that was sent last still holds.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Index, LargeBinary, delete, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import TooMany
from sales.db import SalesTable

FORGOTTEN_AFTER: Final = timedelta(hours=1)


class Slowdown(SalesTable):
    __tablename__ = "slowdowns"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    attempts: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    opens_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))

    __table_args__ = (Index("ix_slowdowns_last_at", "last_at", postgresql_using="brin"),)


class SlowDown(TooMany):
    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many attempts. Please wait a moment.", retry_after=retry_after)


@dataclass(frozen=True, slots=True)
class Gate:
    key: bytes
    free: int
    """So many attempts pass before the first pause."""
    longest: timedelta


def log_in_gates(email: str, address: str, *, known: bool) -> list[Gate]:
    """In the order in which everyone passes them, so that nobody waits in a ring."""
    mine = Gate(_key("log-in", email, address), 5, timedelta(seconds=60))
    if known:
        return [mine]
    return [
        mine,
        Gate(_key("log-in from", address), 50, timedelta(seconds=60)),
        Gate(_key("log-in to", email), 10, timedelta(seconds=30)),
    ]


def asking_gate(address: str) -> Gate:
    return Gate(_key("mail asked from", address), 10, timedelta(seconds=60))


def mailing_gate(purpose: str, email: str) -> Gate:
    return Gate(_key("mail to", purpose, email), 3, timedelta(minutes=15))


# The clock and not the transaction's time: whoever waited here for another attempt is later than that one.
_ENTER = text(
    """
    INSERT INTO slowdowns AS s (key, attempts, last_at, opens_at)
    VALUES (:key, 1, clock_timestamp(), clock_timestamp())
    ON CONFLICT (key) DO UPDATE SET
        attempts = CASE
            WHEN s.last_at < clock_timestamp() - CAST(:forgotten_after AS interval) THEN 1
            ELSE s.attempts + 1
        END,
        last_at = clock_timestamp(),
        opens_at = clock_timestamp() + CASE
            WHEN s.last_at < clock_timestamp() - CAST(:forgotten_after AS interval)
                OR s.attempts + 1 < :free THEN interval '0'
            ELSE least(interval '1 second' * power(2, least(s.attempts + 1 - :free, 30)), CAST(:longest AS interval))
        END
    WHERE s.opens_at <= clock_timestamp()
    RETURNING attempts
    """
)
# Where the free ones sufficed without this attempt, its pause goes with it: many who log in at once are no attack.
_TAKE_BACK = text(
    """
    UPDATE slowdowns SET
        attempts = attempts - 1, opens_at = CASE WHEN attempts - 1 < :free THEN clock_timestamp() ELSE opens_at END
    WHERE key = :key AND attempts > 0
    """
)
_PAUSE = text("SELECT ceil(extract(epoch FROM opens_at - clock_timestamp())) FROM slowdowns WHERE key = :key")


async def enter(session: AsyncSession, gate: Gate) -> bool:
    """Counts the attempt, unless the gate is closed."""
    values = {"key": gate.key, "free": gate.free, "longest": gate.longest, "forgotten_after": FORGOTTEN_AFTER}
    return await session.scalar(_ENTER, values) is not None


async def pass_through(session: AsyncSession, gates: Sequence[Gate]) -> None:
    """All or none: the caller's transaction, which is undone by the refusal, takes back what was counted before it."""
    for gate in gates:
        if not await enter(session, gate):
            pause = await session.scalar(_PAUSE, {"key": gate.key})
            raise SlowDown(max(1, int(pause or 0)))


async def take_back(session: AsyncSession, gates: Sequence[Gate]) -> None:
    """After a success: who knows the password has nothing to guess here; elsewhere this attempt was none."""
    mine, *others = gates
    await session.execute(delete(Slowdown).where(Slowdown.key == mine.key))
    for gate in others:
        await session.execute(_TAKE_BACK, {"key": gate.key, "free": gate.free})


def _key(*parts: str) -> bytes:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).digest()
