"""Mails in the database: claimed by one replica at a time, marked by whoever has claimed them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from chassis.statements import ID, INSTANT, INTEGER, TEXT, with_arrays
from contracts.notification.mails import MailState

from .model import OFTEN_BEGUN, OPERATIONS, Mail
from .tables import mails

_CLAIMING: Final = 0x4D41494C
IN_A_ROW: Final = 20
"""So many mails to one customer are claimed together, to be sent one after the other."""

_LOOKED_AT: Final = 500
_LOOKS: Final = 10

# Who claims the end of a row must have seen the claim of its beginning: if anything is due, one at a time claims, for a
# few milliseconds. How many of them do not come first was seen before that, and only says whether to look closer.
_LOOK = text(
    """
    SELECT pg_advisory_xact_lock(:key), not_first FROM (
        SELECT count(*) FILTER (WHERE recipient <> :operations AND EXISTS (
            SELECT FROM mails AS older WHERE older.state = 'QUEUED' AND older.recipient = due.recipient
                AND (older.at, older.id) < (due.at, due.id)
        )) AS not_first
        FROM (
            SELECT id, recipient, at FROM mails
            WHERE state = 'QUEUED' AND NOT behind AND next_try_at <= :now
                AND (leased_until IS NULL OR leased_until <= :now)
            ORDER BY next_try_at, id LIMIT :lanes
        ) AS due
        HAVING count(*) > 0
    ) AS seen
    """
)
# Or each look would pass over all that a customer has waiting. The one that they wait for cannot be marked meanwhile:
# whoever marks it later sees them, and lets the next one come forward.
_STEP_ASIDE = text(
    """
    UPDATE mails SET behind = true FROM (
        SELECT mail.id FROM (
            SELECT id, recipient, at FROM mails
            WHERE state = 'QUEUED' AND NOT behind AND next_try_at <= :now
                AND (leased_until IS NULL OR leased_until <= :now) AND recipient <> :operations
            ORDER BY next_try_at, id LIMIT :looked_at
        ) AS mail CROSS JOIN LATERAL (
            SELECT 1 FROM mails AS older WHERE older.state = 'QUEUED' AND older.recipient = mail.recipient
                AND (older.at, older.id) < (mail.at, mail.id)
            ORDER BY older.at, older.id LIMIT 1 FOR SHARE SKIP LOCKED
        ) AS held
    ) AS waiting
    WHERE mails.id = waiting.id RETURNING 1
    """
)
_COME_FORWARD = with_arrays(
    """
    UPDATE mails SET behind = false, queued_at = now() FROM (
        SELECT first.id FROM unnest(:recipients) AS lane (recipient) CROSS JOIN LATERAL (
            SELECT id, behind FROM mails WHERE state = 'QUEUED' AND mails.recipient = lane.recipient
            ORDER BY at, id LIMIT 1
        ) AS first
        WHERE first.behind
    ) AS next
    WHERE mails.id = next.id
    """,
    recipients=TEXT,
)
# Of the customers for whom one is due: what waits for them from the oldest on, up to the first that is not due or in
# somebody's hands, which may be the oldest. Of operations' mails each goes for itself.
_CLAIM = text(
    """
    WITH due AS (
        SELECT id, recipient FROM mails
        WHERE state = 'QUEUED' AND NOT behind AND next_try_at <= :now
            AND (leased_until IS NULL OR leased_until <= :now) AND (begun >= :often) = :suspicious
        ORDER BY next_try_at, id LIMIT :lanes
    ), claimed AS (
        SELECT due.id FROM due WHERE due.recipient = :operations
        UNION
        SELECT line.id FROM due CROSS JOIN LATERAL (
            SELECT waiting.id, bool_and(
                waiting.next_try_at <= :now AND (waiting.leased_until IS NULL OR waiting.leased_until <= :now)
                AND (waiting.begun >= :often) = :suspicious
            ) OVER (ORDER BY waiting.at, waiting.id) AS is_free
            FROM (
                SELECT * FROM mails WHERE mails.state = 'QUEUED' AND mails.recipient = due.recipient
                ORDER BY mails.at, mails.id LIMIT :in_a_row
            ) AS waiting
        ) AS line
        WHERE due.recipient <> :operations AND line.is_free
    )
    UPDATE mails SET leased_until = :until, begun = mails.begun + 1
    FROM claimed WHERE mails.id = claimed.id RETURNING mails.*
    """
)
_MARKED: Final = {
    "id": ID,
    "state": TEXT,
    "tries": INTEGER,
    "next_try_at": INSTANT,
    "queued_at": INSTANT,
    "leased_until": INSTANT,
    "last_error": TEXT,
    "ended_at": INSTANT,
}
# Whoever was too slow must not undo what another has found out since; that a mail has left is true in any case. Of one
# customer's that end at once, through two replicas, each would take the other for the one to come forward: the second
# waits for the first.
_MARK = with_arrays(
    f"""
    WITH one_by_one AS MATERIALIZED (
        SELECT pg_advisory_xact_lock(lane) FROM (
            SELECT DISTINCT hashtextextended(recipient, :key) AS lane FROM unnest(:customers) AS ended (recipient)
            ORDER BY lane
        ) AS lanes
    )
    UPDATE mails SET state = new.state, tries = new.tries, next_try_at = new.next_try_at,
        queued_at = new.queued_at, leased_until = NULL, begun = 0, last_error = new.last_error, ended_at = new.ended_at
    FROM unnest({", ".join(f":{name}" for name in _MARKED)}) AS new ({", ".join(_MARKED)}),
        (SELECT count(*) FROM one_by_one) AS locked
    WHERE mails.id = new.id AND mails.state = 'QUEUED'
        AND (mails.leased_until = new.leased_until OR new.state = 'SENT')
    """,
    **_MARKED,
    customers=TEXT,
)

Lane = Sequence[Mail]
"""Mails that go one after the other."""


async def claim(
    session: AsyncSession, *, lanes: int, in_a_row: int, now: datetime, until: datetime, alone: bool = True
) -> list[Lane]:
    """Those that have waited longest first; nobody else is given them before `until`.

    What was begun often comes by itself, when there is nothing else: to whoever has no other mail in hand.
    """
    where = {"now": now, "operations": OPERATIONS}
    seen = (await session.execute(_LOOK, {**where, "key": _CLAIMING, "lanes": lanes})).one_or_none()
    if seen is None:
        return []
    if seen.not_first:
        await _let_step_aside(session, where, lanes)
    about = {**where, "until": until, "often": OFTEN_BEGUN}
    usual = {**about, "lanes": lanes, "in_a_row": in_a_row, "suspicious": False}
    claimed = await _claim(session, usual)
    if not claimed and alone:
        claimed = await _claim(session, {**about, "lanes": 1, "in_a_row": 1, "suspicious": True})
    claimed.sort(key=lambda mail: (_lane(mail), mail.at, mail.id))
    rows: list[Lane] = [list(lane) for _, lane in groupby(claimed, key=_lane)]
    return sorted(rows, key=lambda lane: lane[0].next_try_at)


async def mark(session: AsyncSession, done: Sequence[Mail]) -> None:
    """Writes down what became of them, and lets go of them."""
    customers = sorted({mail.recipient for mail in done if mail.state != MailState.QUEUED} - {OPERATIONS})
    what = {name: [getattr(mail, name) for mail in done] for name in _MARKED}
    await session.execute(_MARK, {**what, "key": _CLAIMING, "customers": customers})
    if customers:
        await session.execute(_COME_FORWARD, {"recipients": customers})


async def take(session: AsyncSession, mail_id: UUID) -> Mail:
    """Locked until the transaction ends."""
    found = await session.execute(select(mails).where(mails.c.id == mail_id).with_for_update())
    row = found.mappings().one_or_none()
    if row is None:
        raise NoSuchMail
    return as_mail(row)


async def queue(session: AsyncSession, mail: Mail) -> None:
    names = ("state", "tries", "next_try_at", "queued_at", "behind", "ended_at")
    changed = {name: getattr(mail, name) for name in names}
    await session.execute(update(mails).where(mails.c.id == mail.id).values(changed))


def as_mail(row: RowMapping) -> Mail:
    return Mail(**{**row, "state": MailState(row["state"])})


class NoSuchMail(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such mail.")


async def _let_step_aside(session: AsyncSession, where: Mapping[str, Any], lanes: int) -> None:
    for _ in range(_LOOKS):
        aside = len((await session.execute(_STEP_ASIDE, {**where, "looked_at": _LOOKED_AT})).all())
        if aside <= _LOOKED_AT - lanes:
            break


async def _claim(session: AsyncSession, about: Mapping[str, Any]) -> list[Mail]:
    return [as_mail(row) for row in (await session.execute(_CLAIM, about)).mappings()]


def _lane(mail: Mail) -> str:
    return str(mail.id) if mail.recipient == OPERATIONS else mail.recipient
