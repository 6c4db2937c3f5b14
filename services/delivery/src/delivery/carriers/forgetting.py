"""Forgets reports that nobody asks about any more: in batches, and never before their webhooks could come again."""

from datetime import UTC, datetime, timedelta

from chassis.db import Database
from chassis.ids import first_uuid7_at
from chassis.retention import forget


async def forget_old_reports(database: Database, kept: timedelta) -> int:
    """Their ids ascend with the time. What still waits stays."""
    before = first_uuid7_at(datetime.now(UTC) - kept)
    return await forget(database, "carrier_reports", "id", before, only="next_try_at IS NULL")
