"""A Product and a Sales for each test."""

from collections.abc import AsyncIterator

import pytest

from services.sales.tests.factories import Sales, running
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.till import Till, a_till
from tests.harness.fixtures import FreshDatabase


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


@pytest.fixture
async def till(database_url: str) -> AsyncIterator[Till]:
    async with a_till(database_url) as one:
        yield one


@pytest.fixture
async def second_till(database_url: str) -> AsyncIterator[Till]:
    """Of another process."""
    async with a_till(database_url) as one:
        yield one
