"""A database with the chassis' tables and one of the tests' own, a replica on it, and a wire to it that can be cut."""

from collections.abc import AsyncIterator, Iterator

import pytest

from chassis import failpoints
from chassis.broker import Broker, InProcessBroker, RabbitBroker
from chassis.db import Database
from chassis.telemetry import Telemetry
from libs.chassis.tests.factories import EFFECTS, DatabaseWire, execute
from tests.harness.fixtures import FreshDatabase


@pytest.fixture
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database("chassis")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, application_name="test")
    await execute(database, EFFECTS)
    yield database
    await database.close()


@pytest.fixture
async def replica(database: Database) -> AsyncIterator[Database]:
    """Another process's view of the same database."""
    replica = Database(database.url, application_name="replica")
    yield replica
    await replica.close()


@pytest.fixture
async def wire(database: Database) -> AsyncIterator[DatabaseWire]:
    async with DatabaseWire(database.url).laid() as wire:
        yield wire


@pytest.fixture
async def fragile(wire: DatabaseWire) -> AsyncIterator[Database]:
    """The same database over the wire."""
    fragile = Database(wire.url, application_name="fragile", pool_size=2)
    yield fragile
    await fragile.close()


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("test")


@pytest.fixture(params=["in process", pytest.param("RabbitMQ", marks=pytest.mark.rabbitmq)])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    broker: Broker = (
        InProcessBroker() if request.param == "in process" else RabbitBroker(request.getfixturevalue("rabbitmq_url"))
    )
    yield broker
    await broker.close()


@pytest.fixture
def disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()
