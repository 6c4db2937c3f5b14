"""A Product and a Sales for each test."""

from collections.abc import AsyncIterator

import pytest

from chassis.telemetry import configure_logging
from services.sales.tests.factories import FakeProduct, Sales, running
from tests.harness.fixtures import FreshDatabase


@pytest.fixture(autouse=True)
def plain_log() -> None:
    # structlog's own way to show an exception, with all local variables, takes seconds.
    configure_logging()


@pytest.fixture
async def product() -> AsyncIterator[FakeProduct]:
    fake = FakeProduct()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database("sales")


@pytest.fixture
async def sales(database_url: str, product: FakeProduct) -> AsyncIterator[Sales]:
    async with running(database_url, product) as one:
        yield one
