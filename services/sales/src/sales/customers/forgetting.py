"""Deletes what accounts leave behind: in batches what is over, at once what an erased customer had."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database

from .known_addresses import KnownAddress
from .mail_tokens import MailToken
from .sessions import end_sessions
from .slowdown import FORGOTTEN_AFTER

_OVER: Final = {
    "sessions": ("expires_at", timedelta(0)),
    "mail_tokens": ("expires_at", timedelta(0)),
    "slowdowns": ("last_at", FORGOTTEN_AFTER),
    "known_addresses": ("last_at", timedelta(days=90)),
}


async def forget_what_is_over(database: Database, batch: int = 1000) -> int:
    forgotten = 0
    for table, (since, keep) in _OVER.items():
        # By place and not by key: what is touched in between has moved, and stays.
        over = f"SELECT ctid FROM {table} WHERE {since} < now() - CAST(:keep AS interval) LIMIT :batch"
        statement = text(f"DELETE FROM {table} WHERE ctid IN ({over}) RETURNING 1")
        count = batch
        while count == batch:
            async with database.begin() as session:
                count = len((await session.execute(statement, {"keep": keep, "batch": batch})).all())
            forgotten += count
    return forgotten


async def forget_access(session: AsyncSession, customer_id: str) -> None:
    """Nobody gets into the account any more, by whatever they have."""
    await end_sessions(session, customer_id)
    await session.execute(delete(MailToken).where(MailToken.customer_id == customer_id))
    await session.execute(delete(KnownAddress).where(KnownAddress.customer_id == customer_id))
