"""A complete service: it starts, serves, reacts and works by the clock, and when it is told to stop it finishes."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from chassis.broker import Broker, Consuming, Handle, InProcessBroker, NotReady, Subscription
from chassis.db import Database
from chassis.outbox import publish
from chassis.service import Service
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import DatabaseWire, Placed, eventually, execute, noted, placed, unsent
from libs.chassis.tests.relay.factories import FakeBroker
from libs.chassis.tests.tiny import Tiny, build
from tests.harness.ports import free_ports

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    app = service.app()
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://tiny") as client:
            yield client


async def is_noted(database: Database, name: str, *numbers: int) -> bool:
    return await noted(database, name) == [*numbers]


async def test_a_service_serves_reacts_and_works_by_the_clock(database: Database, broker: Broker) -> None:
    async with running(build(database.url, broker)) as client:
        answer = await client.post("/api/v1/things/7")
        assert answer.status_code == 201
        await eventually(lambda: is_noted(database, "placed", 7))
        await eventually(lambda: noted(database, "ticked"))
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/livez")).json() == {"status": "ok"}

    assert await unsent(database) == 0


async def test_what_a_service_was_built_with_is_closed_when_it_ends(database: Database) -> None:
    service = build(database.url, InProcessBroker())
    [tiny] = service.closes
    assert isinstance(tiny, Tiny)

    async with running(service):
        assert tiny.times_closed == 0

    assert tiny.times_closed == 1
    assert service.database.engine.pool.checkedin() == 0  # type: ignore[attr-defined]


async def test_a_service_that_nobody_waits_for_hears_and_tells_of_more_at_once(database: Database) -> None:
    class World(FakeBroker):
        rest = timedelta(0)

        async def subscribe(self, subscription: Subscription, handle: Handle) -> Consuming:
            self.rest = subscription.rest
            return await InProcessBroker().subscribe(subscription, handle)

    world, rest = World(), timedelta(seconds=3)
    service = build(database.url, world, rests_after_hearing=timedelta(seconds=7), rests_after_telling=rest)
    service.database.handover.kept_for = timedelta(minutes=1)
    async with running(service) as client:
        await until(lambda: service.database.handover.is_open)
        async with service.database.begin() as session:
            for number in (1, 2, 3):
                publish(session, Placed(number=number))
        await until(lambda: world.heard == [[1, 2, 3]])
        await client.post("/api/v1/things/4")
        await client.post("/api/v1/things/5")
        await until(lambda: len(world.all_heard) == 5)

    assert world.heard == [[1, 2, 3], [4, 5]]
    assert world.rest == timedelta(seconds=7)


async def test_an_api_alone_does_no_work_behind_the_requests(database: Database) -> None:
    class Unasked(InProcessBroker):
        async def ready(self) -> None:
            raise NotReady("an API needs no broker")

    broker = Unasked()
    async with running(build(database.url, broker, role="api")) as client:
        assert (await client.post("/api/v1/things/7")).status_code == 201
        assert (await client.get("/readyz")).status_code == 200
        await asyncio.sleep(0.4)

    assert await unsent(database) == 1
    assert await noted(database, "ticked") == []


async def test_a_worker_alone_works_and_serves_its_health_only(database: Database, broker: Broker) -> None:
    async with running(build(database.url, broker, role="worker")) as client:
        async with database.begin() as session:
            publish(session, Placed(number=7))
        await eventually(lambda: is_noted(database, "placed", 7))
        await eventually(lambda: noted(database, "ticked"))

        assert (await client.post("/api/v1/things/7")).status_code == 404
        assert (await client.get("/readyz")).status_code == 200


async def test_without_its_database_a_service_is_alive_but_not_ready(database: Database, wire: DatabaseWire) -> None:
    async with running(build(wire.url, InProcessBroker())) as client:
        assert (await client.get("/readyz")).status_code == 200

        wire.go_away()
        await asyncio.sleep(1.1)
        away = await client.get("/readyz")
        assert away.status_code == 503
        assert away.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert (await client.get("/livez")).status_code == 200

        wire.come_back()
        assert (await client.get("/readyz")).status_code == 200


class Moody(InProcessBroker):
    """Ready, away, or silent."""

    mood = "ready"

    async def ready(self) -> None:
        if self.mood == "away":
            raise NotReady("away")
        if self.mood == "silent":
            await asyncio.Event().wait()


@pytest.mark.parametrize("mood", ["away", "silent"])
async def test_without_its_broker_a_service_is_alive_but_not_ready(
    database: Database, mood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.health._WITHIN", 3)
    broker = Moody()
    async with running(build(database.url, broker)) as client:
        broker.mood = mood
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/livez")).status_code == 200
        broker.mood = "ready"
        assert (await client.get("/readyz")).status_code == 200


async def test_a_service_that_lost_its_worker_ends_its_process(database: Database) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    try:
        async with running(build(database.url, InProcessBroker())):
            [relay] = [task for task in asyncio.all_tasks() if task.get_name() == "tiny relay"]
            relay.cancel()
            await asyncio.wait_for(told.wait(), 30)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.default_int_handler)


async def test_a_service_that_is_stopped_in_good_order_ends_no_process(database: Database) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    try:
        async with running(build(database.url, InProcessBroker())):
            pass
        await asyncio.sleep(0.05)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    assert not told.is_set()


async def test_a_service_ends_when_its_message_and_its_job_are_finished(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take_time(tiny: Tiny) -> None:
        await execute(tiny.database, "INSERT INTO effects VALUES ('job begun', 1)")
        await asyncio.sleep(0.5)
        await execute(tiny.database, "INSERT INTO effects VALUES ('job done', 1)")

    monkeypatch.setattr(Tiny, "tick", take_time)
    broker = InProcessBroker()

    async with running(build(database.url, broker, seconds=0.5)):
        publishing = asyncio.create_task(broker.publish(placed(7)))
        await eventually(lambda: noted(database, "job begun"))
        await asyncio.sleep(0.1)
    ended_at = time.monotonic()

    assert await publishing == [None]
    assert time.monotonic() - ended_at < 0.2
    assert await noted(database, "placed") == [7]
    assert await noted(database, "job done") == [1]


async def test_a_job_that_hangs_does_not_keep_a_service_from_ending(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: Tiny) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Tiny, "tick", hang)
    started = time.monotonic()

    async with running(build(database.url, InProcessBroker())):
        await asyncio.sleep(0.2)

    assert 2 < time.monotonic() - started < 5


async def test_backlog_is_measured(database: Database) -> None:
    service = build(database.url, InProcessBroker())
    await execute(
        database,
        "INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, created_at)"
        " VALUES (gen_random_uuid(), 't', 'sales.events', false, '{}', now() - interval '1 minute')",
    )

    await service._measure_backlog()

    value = service.telemetry.registry.get_sample_value
    assert (value("outbox_waiting"), value("events_parked_waiting")) == (1, 0)
    age = value("outbox_age_seconds")
    assert age is not None
    assert 60 <= age < 90
    await service.database.close()


class Process:
    """A real process of the tiny service."""

    def __init__(self, database_url: str, rabbitmq_url: str) -> None:
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.output = ""
        self._told = [database_url, str(port), rabbitmq_url, "2"]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        module = [sys.executable, "-W", "error", "-m", "libs.chassis.tests.tiny"]
        self._process = await asyncio.create_subprocess_exec(
            *module, *self._told, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        await self.says("started")

    async def says(self, word: str) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            line = ""
            while not line.startswith(word):
                line = (await self._process.stdout.readline()).decode()
                assert line, f"the process has ended\n{self.output}"
                self.output += line

    async def end(self, by: signal.Signals) -> int | None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(by)
        async with asyncio.timeout(12):
            rest, _ = await self._process.communicate()
        self.output += rest.decode()
        return self._process.returncode


@pytest.fixture(params=["in process", pytest.param("RabbitMQ", marks=pytest.mark.rabbitmq)])
async def process(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Process]:
    process = Process(database.url, request.getfixturevalue("rabbitmq_url") if request.param == "RabbitMQ" else "")
    await process.start()
    yield process
    await process.end(signal.SIGKILL)


async def test_a_process_that_is_told_to_stop_finishes_its_request_and_its_message_and_ends_well(
    process: Process, database: Database
) -> None:
    async with httpx.AsyncClient(base_url=process.url, timeout=10) as client:
        assert (await client.post("/api/v1/things/1")).status_code == 201
        await process.says("reacting")
        asked = asyncio.create_task(client.post("/api/v1/things/2?seconds=1.5"))
        await asyncio.sleep(0.3)

        told_at = time.monotonic()
        code = await process.end(signal.SIGTERM)

        assert (await asked).status_code == 201
    assert code == 0
    assert time.monotonic() - told_at < 10
    assert await noted(database, "asked") == [1, 2]
    assert 1 in await noted(database, "placed")
    assert process.output.endswith("stopped\n")
    assert "Traceback" not in process.output


async def test_what_a_process_was_at_when_it_was_killed_is_done_by_the_next(
    process: Process, database: Database
) -> None:
    async with httpx.AsyncClient(base_url=process.url, timeout=10) as client:
        await client.post("/api/v1/things/1")
        await process.says("reacting")

        await process.end(signal.SIGKILL)
        assert await noted(database, "begun") == []
        await process.start()

        await eventually(lambda: is_noted(database, "placed", 1))
    assert await noted(database, "begun") == [1]
