"""A database of Product's and replicas of Product on it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.db import Database
from services.product.tests.factories import instance
from tests.harness.fixtures import FreshDatabase


@pytest.fixture
async def url(fresh_database: FreshDatabase) -> str:
    return await fresh_database("product")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, application_name="test")
    yield database
    await database.close()


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with instance(url) as client:
        yield client


@pytest.fixture
async def other_client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A second replica on the same database."""
    async with instance(url) as client:
        yield client
