"""The stack of `orderflow serve`: a process per service, a RabbitMQ, and a PostgreSQL that is ours to stop."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import URL

from chassis.db import Database
from orderflow import fleet
from orderflow.postgres import own_postgres
from tests.harness.platform import CARRIER_SECRET, MAIL_SECRET, SERVICES, Platform, running
from tests.harness.rabbitmq import RabbitMQ

from .events import send
from .mails import written
from .stack import ready


class ProcessStack:
    name: ClassVar[str] = "processes"
    parts = SERVICES
    carrier_secret = CARRIER_SECRET
    mail_secret = MAIL_SECRET

    def __init__(self, platform: Platform, postgres: "StoppablePostgres", rabbitmq: RabbitMQ, broker_url: str) -> None:
        self._platform = platform
        self._postgres = postgres
        self._rabbitmq = rabbitmq
        self._broker_url = broker_url
        self.people = platform.people

    def urls(self, service: str) -> list[str]:
        return [replica.url for replica in self._platform.replicas[service]]

    def kill(self, part: str) -> None:
        self._platform.replicas[part][0].kill()

    async def revive(self, part: str) -> None:
        self._platform.replicas[part][0].start()

    def broker_away(self) -> AbstractAsyncContextManager[None]:
        return self._rabbitmq.down()

    @asynccontextmanager
    async def database_away(self) -> AsyncIterator[None]:
        await self._postgres.stop()
        try:
            yield
        finally:
            await self._postgres.start()

    @asynccontextmanager
    async def scaled(self, replicas: int) -> AsyncIterator[None]:
        await self._platform.grow(replicas)
        try:
            yield
        finally:
            self._platform.shrink(1)
            await ready(self)

    async def tell(self, *events: Mapping[str, Any]) -> None:
        await send(self._broker_url, events)

    def mails(self) -> list[bytes]:
        return written(self._platform.mail_folder)

    def logs(self) -> str:
        return "\n".join(f"--- {replica.service}\n{replica.log()[-4000:]}" for replica in self._platform.each())


class StoppablePostgres:
    """In the same place each time, so that whoever knew it finds it again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = AsyncExitStack()

    async def start(self) -> URL:
        server = own_postgres(self._folder / "db", self._folder / "db.log", SERVICES)
        return await self._running.enter_async_context(server)

    async def stop(self) -> None:
        await self._running.aclose()


@asynccontextmanager
async def process_stack(folder: Path, rabbitmq: RabbitMQ, broker_url: str) -> AsyncIterator[ProcessStack]:
    postgres = StoppablePostgres(folder)
    server = await postgres.start()

    async def database(service: str) -> str:
        return server.set(database=service).render_as_string(hide_password=False)

    try:
        async with running(database, broker_url, folder, autopilot=False) as platform:
            for service in fleet.NAMES:
                await _seed(service, await database(service))
            yield ProcessStack(platform, postgres, rabbitmq, broker_url)
    finally:
        await postgres.stop()


async def _seed(service: fleet.Name, url: str) -> None:
    database = Database(fleet.with_driver(url), application_name="seed")
    try:
        async with database.begin() as session:
            await fleet.seed(service, session)
    finally:
        await database.close()
