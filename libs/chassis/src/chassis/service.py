"""What a service is: what it serves, reacts to and runs; made here into an application with a beginning and an end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from fastapi import APIRouter, FastAPI, Request
from sqlalchemy import text

from .auth import Auth
from .broker import Broker, Subscription
from .consumer import Consumer, Reactions
from .db import Database, migrate
from .edge import install
from .errors import Unavailable
from .jobs import Clock, Job
from .relay import Relay
from .retention import retention_job
from .settings import Role
from .telemetry import Telemetry, logger

T = TypeVar("T")

log = logger("service")

# Without a worker in the API's process nobody wakes the relay on commit, so it looks by itself, this often.
_LOOK_ALONE = timedelta(milliseconds=20)
_LOOK_BESIDE = timedelta(milliseconds=500)


class Closing(Protocol):
    async def close(self) -> None: ...


@dataclass(frozen=True)
class Service:
    name: str
    database: Database
    broker: Broker
    auth: Auth
    migrations: Path
    routers: Sequence[APIRouter] = ()
    reactions: Reactions = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    provides: Sequence[object] = ()
    """What routes ask for by its type, see `provided`."""
    closes: Sequence[Closing] = ()
    role: Role = "all"

    @cached_property
    def telemetry(self) -> Telemetry:
        return Telemetry(self.name)

    @cached_property
    def consumer(self) -> Consumer:
        return Consumer(self.database, self.reactions, self.telemetry)

    @property
    def subscription(self) -> Subscription:
        bindings = {event.event_type: event.exchange() for event in self.reactions}
        return Subscription(service=self.name, bindings=bindings)

    async def prepare(self) -> None:
        """Brings the database to the schema that this code expects."""
        await migrate(self.database, self.migrations)

    def app(self) -> FastAPI:
        app = FastAPI(title=f"orderflow {self.name}", version="1", lifespan=self._lifespan)
        app.state.database = self.database
        app.state.auth = self.auth
        app.state.provided = {type(thing): thing for thing in self.provides}
        install(app, telemetry=self.telemetry)
        app.include_router(_health(self))
        if self.role != "worker":
            for router in self.routers:
                app.include_router(router)
        return app

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as leaving:
            leaving.push_async_callback(self.database.close)
            for thing in self.closes:
                leaving.push_async_callback(thing.close)
            if self.role != "api":
                await leaving.enter_async_context(self._working())
            log.info("started", role=self.role)
            yield
        log.info("stopped")

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        """The relay, the consumer and the jobs, from start until what they have begun is finished."""
        look_every = _LOOK_BESIDE if self.role == "all" else _LOOK_ALONE
        relay = Relay(self.database, self.broker, self.telemetry, look_every=look_every)
        clock = Clock(self.database, [*self.jobs, *self._own_jobs()], self.telemetry)
        consuming = await self.broker.subscribe(self.subscription, self.consumer.handle) if self.reactions else None
        running = [
            asyncio.create_task(relay.run(), name=f"{self.name} relay"),
            asyncio.create_task(clock.run(), name=f"{self.name} clock"),
        ]
        try:
            yield
        finally:
            if consuming:
                await consuming.stop()
            clock.stop()
            relay.stop()
            await _finish(running, within=timedelta(seconds=6))

    def _own_jobs(self) -> list[Job]:
        return [
            Job("parked_events", every=timedelta(milliseconds=500), run=self.consumer.retry_due, everywhere=True),
            Job("backlog", every=timedelta(seconds=5), run=self._measure_backlog, everywhere=True),
            retention_job(self.database),
        ]

    async def _measure_backlog(self) -> None:
        async with self.database.begin() as session:
            row = (await session.execute(_BACKLOG)).one()
        self.telemetry.outbox_waiting.set(row.waiting)
        self.telemetry.outbox_age.set(row.age)
        self.telemetry.parked_waiting.set(row.parked)


_BACKLOG = text(
    """
    SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(created_at)), 0) AS age,
        (SELECT count(*) FROM parked_events WHERE resolved_at IS NULL) AS parked
    FROM outbox WHERE sent_at IS NULL
    """
)


async def _finish(tasks: Sequence[asyncio.Task[None]], within: timedelta) -> None:
    _, late = await asyncio.wait(tasks, timeout=within.total_seconds())
    for task in late:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def provided(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """A dependency on one of the things that the service was built with."""

    async def find(request: Request) -> T:
        thing: T = request.app.state.provided[kind]
        return thing

    return find


def _health(service: Service) -> APIRouter:
    router = APIRouter(tags=["health"])
    checked_until = 0.0

    @router.get("/livez")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def ready() -> dict[str, str]:
        nonlocal checked_until
        # Probes come from many sides; one answer a second is fresh enough.
        if time.monotonic() >= checked_until:
            async with asyncio.timeout(5):
                await service.database.ready()
                await _broker_ready(service)
            checked_until = time.monotonic() + 1
        return {"status": "ok"}

    return router


async def _broker_ready(service: Service) -> None:
    if service.role == "api":
        return
    try:
        await service.broker.ready()
    except Exception as error:
        raise Unavailable("The message broker cannot be reached.") from error
