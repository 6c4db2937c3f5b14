"""The whole platform in this process, on each of the two brokers, and the people who walk the sequences in it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.notification.tests.mail_server import MailServer
from tests.harness.fixtures import FreshDatabase
from tests.harness.in_process import broker_at, in_process

from .cast import Cast
from .settling import to_its_end


@pytest.fixture
def settings() -> Mapping[str, Mapping[str, Any]]:
    """What single services are told otherwise: for tests to have their own fixture or parameter of this name."""
    return {}


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    async with MailServer().serving() as running:
        yield running


@pytest.fixture(params=["in process", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
async def cast(
    request: pytest.FixtureRequest,
    fresh_database: FreshDatabase,
    tmp_path: Path,
    settings: Mapping[str, Mapping[str, Any]],
) -> AsyncIterator[Cast]:
    url = request.getfixturevalue("rabbitmq_url") if request.param == "rabbitmq" else None
    async with (
        in_process(fresh_database, broker_at(url), tmp_path / "mail", **settings) as platform,
        aiohttp.ClientSession() as client,
    ):
        yield Cast(platform, client)


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, pytest.Function) and "cast" in item.fixturenames:
        item.obj = to_its_end(item.obj)
