"""A job runs when it is due, at one replica, whatever becomes of the replica and of the job."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import text

from chassis.db import Database, wakes
from chassis.engine import DatabaseAway
from chassis.jobs import Clock, Job
from chassis.telemetry import Telemetry
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import DatabaseWire, eventually, execute

OFTEN = timedelta(milliseconds=50)
HOURLY = timedelta(hours=1)


class Work:
    """Counts its runs and how many of them there were at once, and fails as often as it is told to."""

    def __init__(self, *, failures: int = 0) -> None:
        self.runs = self.ended = self.at_once = self.most_at_once = 0
        self.failures = failures
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> None:
        self.runs += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await asyncio.sleep(0.01)
            await self.open.wait()
            if self.failures:
                self.failures -= 1
                raise ZeroDivisionError("the job's own fault")
            self.ended += 1
        finally:
            self.at_once -= 1


def clock(database: Database, *jobs: Job, telemetry: Telemetry | None = None) -> Clock:
    return Clock(database, jobs, telemetry or Telemetry("test"))


@asynccontextmanager
async def ticking(*clocks: Clock) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in clocks]
    try:
        yield
    finally:
        for each in clocks:
            each.stop()
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)


async def test_of_two_replicas_one_runs_the_job_at_a_time(database: Database, replica: Database) -> None:
    work = Work()
    job = Job("work", every=OFTEN, run=work)

    async with ticking(clock(database, job), clock(replica, job)):
        await until(lambda: work.runs >= 10)

    assert work.most_at_once == 1


async def test_a_job_runs_as_often_as_it_should_however_many_replicas_there_are(
    database: Database, replica: Database
) -> None:
    work = Work()
    job = Job("work", every=HOURLY, run=work)

    assert [await clock(each, job).run_once(job) for each in (database, replica, database)] == [True, False, False]
    assert work.runs == 1


async def test_when_a_job_is_due_is_remembered_when_everything_is_started_anew(database: Database) -> None:
    work = Work()
    job = Job("work", every=HOURLY, run=work)
    await clock(database, job).run_once(job)

    restarted = Database(database.url, application_name="restarted")
    assert not await clock(restarted, job).run_once(job)
    await execute(restarted, "UPDATE job_runs SET started_at = started_at - interval '55 minutes'")
    assert await clock(restarted, job).run_once(job)
    await restarted.close()


async def test_a_runner_that_dies_frees_the_job(database: Database, replica: Database, wire: DatabaseWire) -> None:
    work, other = Work(), Work()
    work.open.clear()
    dying = Database(wire.url, application_name="dying")
    running = asyncio.create_task(clock(dying).run_once(Job("work", every=OFTEN, run=work)))
    await until(lambda: work.runs == 1)
    await asyncio.sleep(0.1)
    assert not await clock(replica).run_once(Job("work", every=OFTEN, run=other))

    wire.go_away()
    await eventually(lambda: clock(replica).run_once(Job("work", every=OFTEN, run=other)), within=5)
    work.open.set()
    [outcome] = await asyncio.gather(running, return_exceptions=True)

    assert other.ended == 1
    assert isinstance(outcome, DatabaseAway)
    await dying.close()


async def test_a_failing_job_is_counted_and_runs_again(database: Database, telemetry: Telemetry) -> None:
    work = Work(failures=2)

    async with ticking(clock(database, Job("work", every=OFTEN, run=work), telemetry=telemetry)):
        await until(lambda: work.ended == 1)

    assert telemetry.registry.get_sample_value("job_failures_total", {"job": "work"}) == 2


async def test_a_job_that_failed_waits_for_its_next_turn(database: Database) -> None:
    work = Work(failures=1)
    job = Job("work", every=HOURLY, run=work)
    await asyncio.gather(clock(database).run_once(job), return_exceptions=True)

    assert not await clock(database).run_once(job)
    assert work.runs == 1


async def test_what_a_job_failed_with_is_on_record_until_it_works(database: Database) -> None:
    job = Job("work", every=timedelta(0), run=Work(failures=1))
    [failure] = await asyncio.gather(clock(database).run_once(job), return_exceptions=True)
    assert isinstance(failure, ZeroDivisionError)
    assert await record(database) == (True, "ZeroDivisionError: the job's own fault")

    await clock(database).run_once(job)

    assert await record(database) == (True, None)


async def test_a_job_that_is_cancelled_is_not_on_record_as_done(database: Database) -> None:
    work = Work()
    work.open.clear()
    running = asyncio.create_task(clock(database).run_once(Job("work", every=HOURLY, run=work)))
    await until(lambda: work.runs == 1)

    running.cancel()
    await asyncio.wait([running])

    _, error = await record(database)
    assert error is not None
    assert error.startswith("CancelledError")


async def record(database: Database) -> tuple[bool, str | None]:
    async with database.begin() as session:
        row = (await session.execute(text("SELECT finished_at IS NOT NULL, error FROM job_runs"))).one()
    return row[0], row[1]


async def test_one_failing_job_does_not_stop_the_others(database: Database) -> None:
    good, bad = Work(), Work(failures=1_000)

    async with ticking(clock(database, Job("bad", every=OFTEN, run=bad), Job("good", every=OFTEN, run=good))):
        await until(lambda: good.ended >= 3 and bad.runs >= 3)


async def test_work_that_can_be_shared_runs_at_every_replica(database: Database, replica: Database) -> None:
    here, there = Work(), Work()

    def shared(run: Callable[[], Awaitable[object]]) -> Job:
        return Job("work", every=HOURLY, run=run, everywhere=True)

    async with ticking(clock(database, shared(here)), clock(replica, shared(there))):
        await until(lambda: here.runs == there.runs == 1)


async def test_stopping_lets_the_running_job_finish_and_starts_none(database: Database) -> None:
    work, waiting = Work(), Work()
    work.open.clear()
    jobs = Job("work", every=OFTEN, run=work), Job("waiting", every=OFTEN, run=waiting)
    ticker = clock(database, *jobs)
    task = asyncio.create_task(ticker.run())
    await until(lambda: work.runs == 1 and waiting.ended >= 1)

    ticker.stop()
    await asyncio.sleep(0.2)
    assert not task.done()
    runs = waiting.runs
    work.open.set()
    await asyncio.wait_for(task, 2)

    assert (work.ended, waiting.runs) == (1, runs)


async def test_while_the_database_is_away_jobs_wait_and_go_on_afterwards(
    fragile: Database, wire: DatabaseWire, telemetry: Telemetry
) -> None:
    work = Work()
    async with ticking(clock(fragile, Job("work", every=OFTEN, run=work), telemetry=telemetry)):
        await until(lambda: work.ended >= 1)
        wire.go_away()
        await asyncio.sleep(0.3)
        ended = work.ended
        wire.come_back()
        await until(lambda: work.ended > ended + 1)

    assert not telemetry.registry.get_sample_value("job_failures_total", {"job": "work"})


async def test_no_job_holds_a_lock_when_it_is_done(database: Database) -> None:
    await clock(database).run_once(Job("work", every=OFTEN, run=Work()))

    async with database.begin() as session:
        locks = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert await session.scalar(locks) == 0


async def test_a_job_that_is_woken_does_not_wait_for_the_clock(database: Database) -> None:
    work = Work()
    woken = database.woken("work")
    job = Job("work", every=HOURLY, run=work, everywhere=True, woken_by=woken)

    async with ticking(clock(database, job)):
        await until(lambda: work.ended == 1)
        woken.set()
        await until(lambda: work.ended == 2)
        work.open.clear()
        woken.set()
        await until(lambda: work.runs == 3)
        # What comes while it runs is not lost.
        woken.set()
        work.open.set()
        await until(lambda: work.ended == 4)


async def test_after_a_run_others_have_half_as_much_time_as_it_took(database: Database) -> None:
    now = asyncio.get_running_loop().time
    woken = database.woken("work")
    runs: list[tuple[float, float]] = []

    async def work() -> None:
        began = now()
        await asyncio.sleep(0.05)
        # More has come meanwhile, as under load it always has.
        woken.set()
        runs.append((began, now()))

    job = Job("work", every=HOURLY, run=work, everywhere=True, woken_by=woken, breather=HOURLY)
    async with ticking(clock(database, job)):
        await until(lambda: len(runs) >= 3)

    for (began, ended), (next_began, _) in pairwise(runs):
        assert next_began - ended >= (ended - began) / 2


async def test_a_commit_wakes_whoever_waits_for_what_it_has_written(database: Database, replica: Database) -> None:
    async with database.begin() as session:
        wakes(session, "letters")
        assert not database.woken("letters").is_set()
    with suppress(ZeroDivisionError):
        await _failing(database)

    assert database.woken("letters").is_set()
    assert not database.woken("parcels").is_set()
    assert not replica.woken("letters").is_set()


async def _failing(database: Database) -> None:
    async with database.begin() as session:
        wakes(session, "parcels")
        raise ZeroDivisionError
