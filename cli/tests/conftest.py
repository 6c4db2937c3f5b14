"""The fixtures of the command's tests: books in which something stands."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.harness.postgres import PostgresServer

from .trade import Trade, cleared, trade


@pytest.fixture(scope="session")
def traded(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trade]:
    """A platform that has stopped in good order; its databases are there to be copied."""
    yield asyncio.run(trade(postgres_server, tmp_path_factory.mktemp("traded")))
    asyncio.run(cleared(postgres_server))
