"""Forgets mails that are over, long after the last event could be told again of which there would be a second one."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text

from chassis.db import Database

_BATCH: Final = 5_000

_FORGET = text(
    """
    DELETE FROM mails WHERE id IN (
        SELECT id FROM mails WHERE state IN ('SENT', 'UNWANTED') AND ended_at < :before LIMIT :batch
    ) RETURNING 1
    """
)


async def forget_old_mails(database: Database, keep: timedelta) -> int:
    forgotten, count = 0, _BATCH
    while count == _BATCH:
        async with database.begin() as session:
            before = datetime.now(UTC) - keep
            count = len((await session.execute(_FORGET, {"before": before, "batch": _BATCH})).all())
        forgotten += count
    return forgotten
