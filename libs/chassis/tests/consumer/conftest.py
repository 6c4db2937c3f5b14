"""A consumer whose reaction leaves traces, and an event that waits to be tried again."""

import pytest

from chassis.consumer import Consumer
from chassis.db import Database
from chassis.telemetry import Telemetry
from libs.chassis.tests.factories import Noting, placed


@pytest.fixture
def noting() -> Noting:
    return Noting()


@pytest.fixture
def consumer(database: Database, noting: Noting, telemetry: Telemetry) -> Consumer:
    return Consumer(database, noting.reactions, telemetry)


@pytest.fixture
async def event_id(consumer: Consumer, noting: Noting) -> str:
    """An event that was too early, and no longer is."""
    noting.postponed = {1}
    [message] = placed(1)
    await consumer.handle([message])
    noting.postponed = set()
    noting.calls.clear()
    return message.id
