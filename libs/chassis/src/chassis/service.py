"""What a service is: what it serves, reacts to and runs; made here into an application with a beginning and an end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from fastapi import APIRouter, FastAPI, Request
from sqlalchemy import text

from .audit_trail import router as audit_trail
from .auth import Auth
from .broker import Broker, Subscription
from .broker.patience import finish
from .broker.rabbit import end_process
from .consumer import Consumer, Reactions
from .db import Database, migrate
from .edge import install
from .errors import Unavailable
from .health import health
from .jobs import Clock, Job
from .recorder import recording
from .relay import Relay
from .retention import Retention, retention_job
from .settings import Role
from .shortcut import Shortcuts
from .telemetry import Telemetry, logger, service_name
from .young_tables import young_tables_job

T = TypeVar("T")

log = logger("service")

# Without a worker in the API's process nobody wakes the relay on commit, so it looks by itself, this often.
_LOOK_ALONE: Final = timedelta(milliseconds=20)
_LOOK_BESIDE: Final = timedelta(milliseconds=500)
# Requests have had their time before: together they must not take longer than a process has to end.
_FINISH_WITHIN: Final = timedelta(seconds=3)


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
    shortcuts: Shortcuts = field(default_factory=dict)
    """For routes of which there are so many requests that the framework's share of them counts."""
    rests_after_hearing: timedelta = timedelta(0)
    """At least, see `breather.UNHURRIED`."""
    rests_after_telling: timedelta = timedelta(0)
    """At least, as well."""
    role: Role = "all"
    retention: Retention = field(default_factory=Retention)

    @cached_property
    def telemetry(self) -> Telemetry:
        return Telemetry(self.name)

    @cached_property
    def consumer(self) -> Consumer:
        return Consumer(self.database, self.reactions, self.telemetry)

    @property
    def subscription(self) -> Subscription:
        bindings = {event.event_type: event.exchange() for event in self.reactions}
        return Subscription(service=self.name, bindings=bindings, rest=self.rests_after_hearing)

    async def prepare(self) -> None:
        """Brings the database to the schema that this code expects."""
        await migrate(self.database, self.migrations)

    def app(self) -> FastAPI:
        app = FastAPI(
            title=f"orderflow {self.name}",
            version="1",
            lifespan=self._lifespan,
            # A redirect would not be in the form of our refusals, and `chassis.telemetry` measures already.
            redirect_slashes=False,
            telemetry={"tracing": False, "metrics": False, "logs": False},
        )
        app.state.database = self.database
        app.state.auth = self.auth
        app.state.provided = {type(thing): thing for thing in self.provides}
        shortcuts = self.shortcuts if self.role != "worker" else None
        install(app, telemetry=self.telemetry, shortcuts=shortcuts)
        app.include_router(health([self.database.ready, *([] if self.role == "api" else [self._broker_ready])]))
        for router in [*self.routers, audit_trail] if self.role != "worker" else ():
            app.include_router(router)
        return app

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        # Whatever starts here inherits it: several services may share a process and its log.
        service_name.set(self.name)
        async with AsyncExitStack() as leaving:
            leaving.push_async_callback(self.database.close)
            for thing in self.closes:
                leaving.push_async_callback(thing.close)
            await leaving.enter_async_context(recording(self.database, self.name))
            if self.role != "api":
                await leaving.enter_async_context(self._working())
            log.info("started", role=self.role)
            yield
        log.info("stopped")

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        """The relay, the consumer and the jobs, from start until what they have begun is finished."""
        look_every = _LOOK_BESIDE if self.role == "all" else _LOOK_ALONE
        relay = Relay(self.database, self.broker, self.telemetry, look_every=look_every, rest=self.rests_after_telling)
        clock = Clock(self.database, [*self.jobs, *self._own_jobs()], self.telemetry)
        consuming = await self.broker.subscribe(self.subscription, self.consumer.handle) if self.reactions else None
        stopping = asyncio.Event()
        running = [
            _watched(relay.run(), f"{self.name} relay", stopping),
            _watched(clock.run(), f"{self.name} clock", stopping),
        ]
        try:
            yield
        finally:
            stopping.set()
            clock.stop()
            relay.stop()
            ending = [finish(task, _FINISH_WITHIN) for task in running]
            await asyncio.gather(*ending, *([consuming.stop()] if consuming else []))

    def _own_jobs(self) -> list[Job]:
        return [
            Job("parked_events", every=timedelta(milliseconds=500), run=self.consumer.retry_due, everywhere=True),
            Job("backlog", every=timedelta(seconds=5), run=self._measure_backlog, everywhere=True),
            retention_job(self.database, self.retention),
            young_tables_job(self.database),
        ]

    async def _measure_backlog(self) -> None:
        async with self.database.begin() as session:
            row = (await session.execute(_BACKLOG)).one()
        self.telemetry.outbox_waiting.set(row.waiting)
        self.telemetry.outbox_age.set(row.age)
        self.telemetry.parked_waiting.set(row.parked)

    async def _broker_ready(self) -> None:
        try:
            await self.broker.ready()
        except Exception as error:
            raise Unavailable("The message broker cannot be reached.") from error


_BACKLOG = text(
    """
    SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(created_at)), 0) AS age,
        (SELECT count(*) FROM parked_events WHERE resolved_at IS NULL) AS parked
    FROM outbox WHERE sent_at IS NULL
    """
)


def provided(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """A dependency on one of the things that the service was built with."""

    async def find(request: Request) -> T:
        thing: T = request.app.state.provided[kind]
        return thing

    return find


def _watched(work: Coroutine[Any, Any, None], name: str, stopping: asyncio.Event) -> asyncio.Task[None]:
    """A process without it would look well and do nothing: it ends, and its supervisor starts another."""

    def ended(task: asyncio.Task[None]) -> None:
        if not stopping.is_set():
            reason = "cancelled" if task.cancelled() else repr(task.exception())
            log.critical("work_ended", work=name, reason=reason)
            end_process(name)

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(ended)
    return task
