"""Forgets reports that nobody asks about any more: in batches, and never before their webhooks could come again."""

from datetime import UTC, datetime, timedelta
from typing import Final

from chassis.db import Database
from chassis.ids import first_uuid7_at

from .storing import forget

_BATCH: Final = 2_000


async def forget_old_reports(database: Database, kept: timedelta) -> int:
    forgotten = 0
    while True:
        before = first_uuid7_at(datetime.now(UTC) - kept)
        async with database.begin() as session:
            count = await forget(session, before, _BATCH)
        forgotten += count
        if count < _BATCH:
            return forgotten
