"""Writes letters down as mails that wait to be sent: many in one statement, each once however often it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import wakes
from chassis.ids import uuid7
from chassis.statements import ID, INSTANT, TEXT, with_arrays

from .model import OPERATIONS

__all__ = ["OPERATIONS", "WRITTEN", "Letter", "write"]

WRITTEN: Final = "mails.written"
"""What a commit wakes that has written letters."""


@dataclass(frozen=True)
class Letter:
    """What is to be said to whom because of which event. The address is looked up when it is sent."""

    event_id: str
    message: str
    recipient: str
    """A customer's id, or `OPERATIONS`."""
    about: Mapping[str, Any]
    """What the message's templates say, as JSON: no address and no token, only the ids that they are found by."""
    at: datetime
    """When it happened: mails to one customer go in this order."""
    traceparent: str | None = None
    """The trace that the sending belongs to."""


_COLUMNS: Final = {
    "id": ID,
    "event_id": TEXT,
    "message": TEXT,
    "recipient": TEXT,
    "about": TEXT,
    "at": INSTANT,
    "traceparent": TEXT,
}
# In one order for everyone: two replicas that are told of the same events would otherwise wait for each other. A mail
# stands behind an older one of its customer's only if we hold that one: whoever marks it waits for us, sees ours, and
# lets it come forward. For one that is being marked at this moment nobody waits, and nobody stands behind it.
_WRITE = with_arrays(
    f"""
    WITH written AS (
        INSERT INTO mails ({", ".join(_COLUMNS)}, behind)
        SELECT id, event_id, message, recipient, about::jsonb, at, traceparent, recipient <> :operations AND (
            lag(id) OVER (PARTITION BY recipient ORDER BY at, id) IS NOT NULL OR EXISTS (
                SELECT FROM mails AS older WHERE older.state = 'QUEUED' AND older.recipient = new.recipient
                    AND (older.at, older.id) < (new.at, new.id)
                ORDER BY older.at DESC, older.id DESC LIMIT 1 FOR SHARE SKIP LOCKED
            )
        )
        FROM unnest({", ".join(f":{name}" for name in _COLUMNS)}) AS new ({", ".join(_COLUMNS)})
        ORDER BY event_id, message, recipient
        ON CONFLICT (event_id, message, recipient) DO NOTHING
        RETURNING behind
    )
    SELECT count(*) AS count, coalesce(bool_and(behind), true) AS all_behind FROM written
    """,
    **_COLUMNS,
)
_STAND_ALONE = with_arrays("UPDATE mails SET behind = false WHERE id = ANY(:ids) AND behind", ids=ID)


async def write(session: AsyncSession, letters: Sequence[Letter]) -> None:
    """What was written before stays as it is. Where all stand behind others the sending need not be woken."""
    if not letters:
        return
    # Ids ascend in the order given: it decides between letters of the same moment.
    rows = [
        {
            "id": uuid7(),
            "event_id": letter.event_id,
            "message": letter.message,
            "recipient": letter.recipient,
            "about": to_json(letter.about).decode(),
            "at": letter.at,
            "traceparent": letter.traceparent,
        }
        for letter in letters
    ]
    about = {name: [row[name] for row in rows] for name in _COLUMNS}
    written, all_behind = (await session.execute(_WRITE, {**about, "operations": OPERATIONS})).one()
    if written < len(rows):
        # Some may stand behind one that was written long ago, and that is over.
        await session.execute(_STAND_ALONE, {"ids": about["id"]})
    if written < len(rows) or not all_behind:
        wakes(session, WRITTEN)
