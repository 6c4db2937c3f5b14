"""Work that runs by the clock: one runner among the replicas, unless the job says that several can share it."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from sqlalchemy import Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from .breather import breather
from .broker.patience import happens
from .db import Database
from .engine import describe
from .errors import Unavailable
from .tables import ChassisTable
from .telemetry import Telemetry, logger

log = logger("jobs")


class JobRun(ChassisTable):
    __tablename__ = "job_runs"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    started_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    error: Mapped[str | None] = mapped_column(Text)


# So late may a job be that has a time of day, and so soon is it tried again when it failed.
_LOOK: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Job:
    """Runs `every` so often, or once a day `at` a time in UTC; one that was missed is made up for."""

    name: str
    _: KW_ONLY
    run: Callable[[], Awaitable[object]]
    every: timedelta | None = None
    at: time | None = None
    everywhere: bool = False
    """Each replica runs it at once; the work itself is shared out by SKIP LOCKED."""
    woken_by: asyncio.Event | None = None
    """Runs at once when this is set, see `Database.woken`: the clock is for what nobody in this process has done."""
    breather: timedelta = timedelta(0)
    """The longest of those after a run, see `breather`: what comes meanwhile is done together."""

    def __post_init__(self) -> None:
        if (self.every is None) == (self.at is None) or (self.everywhere and self.at is not None):
            raise ValueError(f"{self.name}: a job runs every so often, or at a time of day and at one replica.")
        if self.at is not None and self.at.tzinfo is not UTC:
            raise ValueError(f"{self.name}: a time of day is in UTC.")

    @property
    def looks_every(self) -> timedelta:
        return _LOOK if self.every is None else self.every

    def due_since(self, now: datetime) -> datetime:
        """It is due if it has not run since then."""
        if self.at is None:
            return now - self.looks_every * 0.9
        today = datetime.combine(now.astimezone(UTC), self.at)
        return today if today <= now else today - timedelta(days=1)


# A run that failed or broke off is not the day's run.
_CLAIM = text(
    """
    INSERT INTO job_runs (name, started_at) VALUES (:name, :now)
    ON CONFLICT (name) DO UPDATE SET started_at = :now, finished_at = NULL
    WHERE job_runs.started_at < :due_since
        OR :is_daily AND (job_runs.finished_at IS NULL OR job_runs.error IS NOT NULL)
    RETURNING name
    """
)
_DONE = text("UPDATE job_runs SET finished_at = clock_timestamp(), error = :error WHERE name = :name")


async def database_time(connection: AsyncConnection) -> datetime:
    """One time for all replicas, however their own clocks go."""
    now: datetime = await connection.scalar(text("SELECT clock_timestamp()"))
    return now


class Clock:
    def __init__(
        self,
        database: Database,
        jobs: Sequence[Job],
        telemetry: Telemetry,
        now: Callable[[AsyncConnection], Awaitable[datetime]] = database_time,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._telemetry = telemetry
        self._now = now
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for job in self._jobs:
                group.create_task(self._repeat(job), name=f"job {job.name}")

    def stop(self) -> None:
        """Running jobs end by themselves; none starts any more."""
        self._stopping.set()
        for job in self._jobs:
            if job.woken_by is not None:
                job.woken_by.set()

    async def run_once(self, job: Job) -> bool:
        """Runs the job if it is due and no other replica has it; tells whether it ran."""
        async with self._sole_runner(job) as connection:
            if connection is None or not await self._claim(job, connection):
                return False
            error: str | None = None
            try:
                await job.run()
            except BaseException as failure:
                error = describe(failure)
                raise
            finally:
                await connection.execute(_DONE, {"name": job.name, "error": error})
        return True

    async def _claim(self, job: Job, connection: AsyncConnection) -> bool:
        now = await self._now(connection)
        about = {"name": job.name, "now": now, "due_since": job.due_since(now), "is_daily": job.at is not None}
        return await connection.scalar(_CLAIM, about) is not None

    async def _repeat(self, job: Job) -> None:
        while not self._stopping.is_set():
            if job.woken_by is not None:
                job.woken_by.clear()
            began = asyncio.get_running_loop().time()
            try:
                await (job.run() if job.everywhere else self.run_once(job))
            except Unavailable as error:
                log.warning("job_waits", job=job.name, reason=str(error))
            except Exception:
                self._telemetry.job_failures.labels(job.name).inc()
                log.exception("job_failed", job=job.name)
            await happens(self._stopping, within=breather(since=began, longest=job.breather))
            pause = job.looks_every.total_seconds() * random.uniform(0.9, 1.1)
            await happens(job.woken_by or self._stopping, within=pause)

    @asynccontextmanager
    async def _sole_runner(self, job: Job) -> AsyncIterator[AsyncConnection | None]:
        # A lock of the connection, not of a transaction: a job may take longer than a transaction may stay idle.
        key = int.from_bytes(hashlib.sha256(job.name.encode()).digest()[:8], signed=True)
        async with self._database.connect() as connection:
            if not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
                yield None
                return
            try:
                yield connection
            finally:
                # A connection that was lost has taken its lock with it.
                if not connection.invalidated:
                    await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
