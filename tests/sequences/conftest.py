"""The whole platform in this process, on each of the two brokers, and the people who walk the sequences in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.harness.fixtures import FreshDatabase
from tests.harness.in_process import broker_at, in_process

from .cast import Cast
from .settling import to_its_end


@pytest.fixture(params=["in process", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
async def cast(request: pytest.FixtureRequest, fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Cast]:
    url = request.getfixturevalue("rabbitmq_url") if request.param == "rabbitmq" else None
    async with (
        in_process(fresh_database, broker_at(url), tmp_path / "mail") as platform,
        aiohttp.ClientSession() as client,
    ):
        yield Cast(platform, client)


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, pytest.Function) and "cast" in item.fixturenames:
        item.obj = to_its_end(item.obj)
