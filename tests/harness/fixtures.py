"""The fixtures of every test: a PostgreSQL, fresh databases on it, a RabbitMQ, empty virtual hosts on it."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from chassis.db import Database, migrate
from chassis.telemetry import configure_logging

from . import postgres, rabbitmq
from .postgres import PostgresServer
from .rabbitmq import RabbitMQ

FreshDatabase = Callable[[str], Awaitable[str]]


def pytest_configure() -> None:
    # How long an example takes says something of the machine, and nothing of the code.
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"rabbitmq_server", "rabbitmq_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("rabbitmq")


def pytest_collection_finish() -> None:
    # All modules stay until the end. Looking at each object of theirs again takes 0.2 s per collection.
    gc.freeze()


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Unconfigured, structlog draws each traceback with all its variables, which takes seconds."""
    configure_logging()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with postgres.provided() as server:
        yield server


@pytest.fixture
async def fresh_database(postgres_server: PostgresServer) -> AsyncIterator[FreshDatabase]:
    """`await fresh_database("sales")`: the URL of a new, migrated database; "chassis" has the chassis' tables alone."""
    async with databases_on(postgres_server) as create:
        yield create


@asynccontextmanager
async def databases_on(server: PostgresServer) -> AsyncIterator[FreshDatabase]:
    one_at_a_time = asyncio.Lock()
    async with AsyncExitStack() as databases:

        async def create(service: str) -> str:
            async with one_at_a_time:
                template = await server.template(service, partial(_migrate, service))
                return await databases.enter_async_context(server.database(service, template))

        yield create


async def _migrate(service: str, url: str) -> None:
    # The chassis' own migrations run for every service; where it stands alone there are no others.
    own = Path(str(files(service)), "no_others" if service == "chassis" else "migrations")
    database = Database(url, application_name="migrations")
    try:
        await migrate(database, own)
    finally:
        await database.close()


@pytest.fixture(scope="session")
def rabbitmq_server(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    with ExitStack() as stack:
        # That RabbitMQ is being installed is for the eyes of whoever waits.
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            server = stack.enter_context(rabbitmq.provided())
        yield server


@pytest.fixture
def rabbitmq_url(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    """The URL of an empty virtual host, gone after the test."""
    with rabbitmq_server.vhost() as url:
        yield url
