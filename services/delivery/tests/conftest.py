"""The fixtures of Delivery's tests; what they are made of stands in factories."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from chassis import failpoints
from tests.harness.fixtures import FreshDatabase

from .factories import Desk, FakeProduct, a_desk


@pytest.fixture
async def product() -> AsyncIterator[FakeProduct]:
    async with FakeProduct().serving() as fake:
        yield fake


@pytest.fixture
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database("delivery")


@pytest.fixture
async def desk(database_url: str, product: FakeProduct) -> AsyncIterator[Desk]:
    async with a_desk(database_url, product) as running:
        yield running


@pytest.fixture
async def second_desk(database_url: str, product: FakeProduct) -> AsyncIterator[Desk]:
    """Another replica on the same database."""
    async with a_desk(database_url, product) as running:
        yield running


@pytest.fixture
def fails_at() -> Iterator[Callable[[str], None]]:
    """`fails_at("delivery.dispatch.deducted")`: whoever comes there next fails."""
    yield lambda name: failpoints.arm("test", f"{name}=raise*1")
    failpoints.disarm()


@pytest.fixture
def lingers_at() -> Iterator[Callable[[str], None]]:
    """Whoever comes there first stays for a while, so that everybody else meets them."""
    yield lambda name: failpoints.arm("test", f"{name}=sleep:0.3*1")
    failpoints.disarm()
