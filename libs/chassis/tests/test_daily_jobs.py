"""A job with a time of day runs once each day: by one replica, late rather than never, and again only if it failed."""

import asyncio
from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.db import Database
from chassis.jobs import Clock, Job, database_time
from chassis.telemetry import Telemetry
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import execute

DAY = timedelta(days=1)
AT_THREE = time(3, tzinfo=UTC)


def moment(hours: int, minutes: int = 0, *, day: int = 1) -> datetime:
    return datetime(2026, 2, day, hours, minutes, tzinfo=UTC)


class Sweep:
    """Work of a day, and a clock that shows what it is set to."""

    def __init__(self) -> None:
        self.now = moment(0)
        self.ran: list[datetime] = []
        self.fails = self.breaks_off = False
        self.job = Job("sweep", at=AT_THREE, run=self)

    async def __call__(self) -> None:
        if self.fails:
            raise ZeroDivisionError
        if self.breaks_off:
            raise asyncio.CancelledError
        self.ran.append(self.now)

    async def time(self, _: AsyncConnection) -> datetime:
        return self.now

    async def at(self, now: datetime, *databases: Database) -> None:
        """Each looks at this time what is due, as replicas and restarted processes do."""
        self.now = now
        clocks = [Clock(database, [self.job], Telemetry("test"), self.time) for database in databases]
        await asyncio.gather(*(each.run_once(self.job) for each in clocks), return_exceptions=True)


@pytest.fixture
async def sweep(database: Database) -> Sweep:
    """It has been in service since yesterday."""
    sweep = Sweep()
    await sweep.at(moment(3), database)
    sweep.ran.clear()
    return sweep


async def test_it_runs_at_its_time_once_a_day(sweep: Sweep, database: Database) -> None:
    for day in (2, 3):
        for now in (moment(2, 59, day=day), moment(3, day=day), moment(3, 1, day=day), moment(23, 59, day=day)):
            await sweep.at(now, database)

    assert sweep.ran == [moment(3, day=2), moment(3, day=3)]


async def test_of_two_replicas_one_runs_it(sweep: Sweep, database: Database, replica: Database) -> None:
    for minute in range(3):
        await sweep.at(moment(3, minute, day=2), database, replica, database)

    assert sweep.ran == [moment(3, day=2)]


async def test_who_was_down_at_that_time_makes_up_for_it(sweep: Sweep, database: Database) -> None:
    await sweep.at(moment(2, 59, day=2), database)
    await sweep.at(moment(17, day=2), database)
    await sweep.at(moment(17, 1, day=2), database)
    await sweep.at(moment(3, day=3), database)

    assert sweep.ran == [moment(17, day=2), moment(3, day=3)]


async def test_days_that_were_missed_are_made_up_for_once(sweep: Sweep, database: Database) -> None:
    for minute in range(3):
        await sweep.at(moment(1, minute, day=9), database)

    assert sweep.ran == [moment(1, day=9)]


async def test_a_run_that_failed_is_tried_again_until_the_days_work_is_done(sweep: Sweep, database: Database) -> None:
    sweep.fails = True
    await sweep.at(moment(3, day=2), database)
    sweep.fails = False
    for minute in (1, 2):
        await sweep.at(moment(3, minute, day=2), database)

    assert sweep.ran == [moment(3, 1, day=2)]


async def test_a_run_that_broke_off_is_made_up_for_by_another_replica(
    sweep: Sweep, database: Database, replica: Database
) -> None:
    sweep.breaks_off = True
    await sweep.at(moment(3, day=2), database)
    sweep.breaks_off = False
    for minute in (1, 2):
        await sweep.at(moment(3, minute, day=2), replica)

    assert sweep.ran == [moment(3, 1, day=2)]


async def test_a_run_that_was_killed_is_made_up_for(sweep: Sweep, database: Database) -> None:
    await sweep.at(moment(3, day=2), database)
    await execute(database, "UPDATE job_runs SET finished_at = NULL")

    await sweep.at(moment(3, 1, day=2), database)

    assert sweep.ran == [moment(3, day=2), moment(3, 1, day=2)]


async def test_the_day_is_that_of_utc_wherever_the_clock_hangs(sweep: Sweep, database: Database) -> None:
    new_york = timezone(timedelta(hours=-5))

    await sweep.at(datetime(2026, 2, 1, 21, 59, tzinfo=new_york), database)
    await sweep.at(datetime(2026, 2, 1, 22, 0, tzinfo=new_york), database)

    assert sweep.ran == [moment(3, day=2)]


async def test_the_databases_clock_is_everybodys(database: Database) -> None:
    async with database.connect() as connection:
        now = await database_time(connection)

    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)


async def test_a_ticking_clock_runs_it(database: Database) -> None:
    sweep = Sweep()
    clock = Clock(database, [sweep.job], Telemetry("test"))

    running = asyncio.create_task(clock.run())
    await until(lambda: len(sweep.ran) == 1)
    clock.stop()
    await running
    assert sweep.job.looks_every == timedelta(minutes=1)


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"every": DAY, "at": AT_THREE},
        {"at": time(3)},
        {"at": time(3, tzinfo=timezone(timedelta(hours=1)))},
        {"at": AT_THREE, "everywhere": True},
    ],
)
def test_when_a_job_runs_is_said_in_one_way(when: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="sweep"):
        Job("sweep", run=Sweep(), **when)  # type: ignore[arg-type]
