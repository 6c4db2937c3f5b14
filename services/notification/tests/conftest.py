"""The fixtures of Notification's tests; what they are made of stands in factories and mail_server."""

from collections.abc import AsyncIterator

import pytest

from tests.harness.fixtures import FreshDatabase

from .factories import PostOffice, a_post_office
from .mail_server import MailServer


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer().serving() as running:
        yield running


@pytest.fixture
async def database_url(fresh_database: FreshDatabase) -> str:
    return await fresh_database("notification")


@pytest.fixture
async def office(database_url: str, server: MailServer) -> AsyncIterator[PostOffice]:
    async with a_post_office(database_url, server) as running:
        yield running


@pytest.fixture
async def second_office(database_url: str, server: MailServer) -> AsyncIterator[PostOffice]:
    """Another replica on the same database."""
    async with a_post_office(database_url, server) as running:
        yield running
