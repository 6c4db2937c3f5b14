"""The platform inside the test's own process, where its steps can be recorded; called over HTTP, as everywhere."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from chassis.broker import Broker, InProcessBroker, Message, RabbitBroker
from chassis.keys import Signer
from chassis.service import Service
from chassis.serving import Site, serve
from chassis.tracing import new_traceparent
from orderflow import embedded, fleet
from orderflow.folder import Connection, Keys, new_keys

from .fixtures import FreshDatabase
from .ports import free_ports

_STARTED_WITHIN = 60.0


class InProcess:
    """As a journey sees a stack: where it answers, and what its secrets are."""

    name = "in process"

    def __init__(self, connection: Connection, keys: Keys, services: dict[str, Service]) -> None:
        self.people = keys.people_signer()
        self.carrier_secret = connection.carrier_secret
        self.mail_secret = connection.mail_secret
        self.mail_folder = connection.mail_folder
        self.services = services
        self.exchanges: dict[str, dict[str, Any]] = {}
        """What was asked and answered, by the trace that it began."""
        self.sent: Sequence[Message] = ()
        """To the broker, where that is ours."""
        self._connection = connection
        self._keys = keys

    def urls(self, service: str) -> list[str]:
        return [self._connection.urls[service]]

    def token_of(self, service: str, audience: str) -> str:
        """With which the one service calls the other."""
        return Signer(to_json(self._keys.services[service]).decode()).token(service, ["service"], audience)

    def begin(self, request: str, body: Any) -> tuple[str, dict[str, Any]]:
        """A new trace, and where the answer is to be noted."""
        trace = new_traceparent()
        exchange = self.exchanges[trace[3:35]] = {"request": request, "body": body}
        return trace, exchange


class Overheard(InProcessBroker):
    """Remembers all that was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Message] = []

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        self.sent += messages
        return await super().publish(messages)


def broker_at(url: str | None) -> Broker:
    return Overheard() if url is None else RabbitBroker(url, name="in process", on_lost=_lost)


@asynccontextmanager
async def in_process(
    fresh_database: FreshDatabase, broker: Broker, mail_folder: Path, **settings: Mapping[str, Any]
) -> AsyncIterator[InProcess]:
    """`settings` are those of single services, by their names, as they are when they have been read."""
    keys = new_keys(fleet.NAMES)
    connection = Connection(
        urls=dict(zip(fleet.NAMES, [f"http://127.0.0.1:{port}" for port in free_ports(len(fleet.NAMES))], strict=True)),
        tokens={},
        carrier_secret=keys.carrier_secret,
        mail_secret=keys.mail_secret,
        database_urls={name: await fresh_database(name) for name in fleet.NAMES},
        manual=True,
        mail_folder=mail_folder,
    )
    services: dict[str, Service] = {}
    for name in fleet.NAMES:
        told = embedded.settings(name, keys, connection).model_copy(update=settings.get(name, {}))
        services[name] = fleet.build(name, told, broker)
        async with services[name].database.begin() as session:
            await fleet.seed(name, session)
    platform = InProcess(connection, keys, services)
    stop, started = asyncio.Event(), asyncio.Event()
    if isinstance(broker, Overheard):
        platform.sent = broker.sent

    async def announce() -> None:
        started.set()

    sites = [Site(service.app(), "127.0.0.1", int(connection.urls[name][-5:])) for name, service in services.items()]
    running = asyncio.create_task(serve(sites, stop, announce))
    waiting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=_STARTED_WITHIN)
        assert started.is_set(), "The platform did not start."
        yield platform
    finally:
        waiting.cancel()
        stop.set()
        await running
        await broker.close()


def _lost(reason: str) -> None:
    raise AssertionError(f"The broker is lost: {reason}")
