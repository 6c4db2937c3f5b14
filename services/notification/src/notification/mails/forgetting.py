"""Forgets mails that are over, long after the last event could be told again of which there would be a second one."""

from datetime import UTC, datetime, timedelta

from chassis.db import Database
from chassis.retention import forget


async def forget_old_mails(database: Database, keep: timedelta) -> int:
    before = datetime.now(UTC) - keep
    return await forget(database, "mails", "ended_at", before, only="state IN ('SENT', 'UNWANTED')")
