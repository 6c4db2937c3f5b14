"""Looks at what a consumer left behind, and makes messages of all kinds."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from chassis import parking
from chassis.db import Database
from chassis.parking import ParkedEvent
from libs.chassis.tests.factories import column, parked


async def handled(database: Database) -> int:
    return sum(await column(database, "SELECT count(*) FROM inbox"))


async def waiting(database: Database) -> Sequence[ParkedEvent]:
    async with database.begin() as session:
        return await parking.waiting(session)


def envelope(**changes: Any) -> bytes:
    whole = {
        "event_id": "e-1",
        "event_type": "test.placed",
        "timestamp": datetime.now(UTC).isoformat(),
        "source": "sales-service",
        "data": {"number": 1},
    } | changes
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


async def state(database: Database, event_id: str) -> ParkedEvent:
    event = await parked(database, event_id)
    assert event is not None
    return event
