"""`python -m bench.sequences`: how long each step of the designed sequences takes, and each wait between them.

The whole platform runs, a process per service, and keeps a record of all steps. Everything that is designed happens
many times, in several shops at once; what was recorded is then compared with the designs and measured.
"""

import argparse
import asyncio
import os
import platform as machine
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aio_pika
import aiohttp
import uvloop

from chassis.db import Database
from chassis.recorder import configure_recording, recording
from chassis.telemetry import configure_logging
from chassis.tracing import service_name
from sales.carts.expiry import clean_up
from sales.settings import CartSettings
from sequences.design import Sequence as Design
from sequences.measured import Measured, Spread, Timings
from sequences.measuring import Trace, measure, traces
from sequences.observing import Recorded
from sequences.reading import read
from tests.harness import postgres, rabbitmq
from tests.harness.fixtures import databases_on
from tests.harness.platform import SERVICES, Platform, running, until
from tests.harness.postgres import PostgresServer

from .shop import Shop, work

FOLDER: Final = Path("docs/sequences")
OUTPUT: Final = FOLDER / "seen" / "timings.json"
_WARM_UP: Final = 3
"""Rounds in each shop that are not counted."""
_REST: Final = 0.4
"""The share of the time that is left to what is not begun by people."""
_SPANS: Final = """
    SELECT trace_id, span_id, parent_id, name, participant, action, heard_in, emits, error, started_at, ended_at
    FROM recorded_spans
"""
_LEFT_BEHIND: Final = "UPDATE shipments SET status = 'STOPPED', stop_reason = 'Closed.' WHERE status = 'READY'"
_OLD_CARTS: Final = """
    INSERT INTO carts (id, customer_id, touched_at)
    SELECT gen_random_uuid(), 'gone-' || gen_random_uuid(), now() - interval '1 year' FROM generate_series(1, 100)
"""
_STILL: Final = "SELECT count(*) FROM recorded_spans"

Window = tuple[datetime, datetime]


def main(rounds: int, shops: int, seconds: float, output: Path) -> None:
    configure_logging("WARNING")
    designs = read(FOLDER).all
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres.provided(durable=True))
        url = stack.enter_context(stack.enter_context(rabbitmq.provided()).vhost())
        recorded, versions = uvloop.run(_record(server, url, folder, rounds=rounds, shops=shops, seconds=seconds))
    seen = traces(recorded)
    found = {design.id: timings for design in designs if (timings := measure(design, designs, seen))}
    _report(designs, found, seen)
    where = f"{datetime.now(UTC):%Y-%m-%d}, {shops} shops at once, {versions}, all on this machine"
    measured = Measured(measured=f"{where}; by `python -m bench.sequences`.", sequences=found)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(measured.model_dump_json(indent=2, exclude_none=True) + "\n")
    print(f"{output} is written; `orderflow sequences draw` puts it into the documents.")


async def _record(
    server: PostgresServer, rabbitmq_url: str, folder: Path, *, rounds: int, shops: int, seconds: float
) -> tuple[list[Recorded], str]:
    loop = asyncio.get_running_loop()
    settings = {
        "LOG_LEVEL": "WARNING",
        "RECORD_STEPS": "1",
        "DELIVERY_DISPATCH_AFTER": "PT0S",
        "DELIVERY_DELIVER_AFTER": "PT0S",
    }
    async with (
        databases_on(server) as databases,
        running(databases, rabbitmq_url, folder, autopilot=False, settings=settings) as platform,
        aiohttp.ClientSession() as client,
    ):
        opened = [Shop(platform, client, number) for number in range(shops)]
        for shop in opened:
            await shop.open()
        end = loop.time() + seconds
        early_end = end - seconds * _REST
        days = await _many_times(opened, Shop.day, rounds, early_end)
        cleaning = await _clean_up_carts(platform, rounds, (early_end + end) / 2)
        await _start_autopilot(platform)
        orders = await _many_times(opened, Shop.order_and_wait, rounds, end)
        await _come_to_rest(platform)
        return await _begun_in([days, cleaning, orders], platform), await _versions(platform, rabbitmq_url)


async def _many_times(shops: list[Shop], do: Callable[[Shop], Awaitable[None]], rounds: int, end: float) -> Window:
    """When what counts was begun: services that have just started are slower."""
    await work(shops, do, _WARM_UP * len(shops), end)
    began = datetime.now(UTC)
    await work(shops, do, rounds, end)
    return began, datetime.now(UTC)


async def _clean_up_carts(platform: Platform, rounds: int, end: float) -> Window:
    """As the clock does at midnight: from here, with the recorder that Sales has."""
    began, loop = datetime.now(UTC), asyncio.get_running_loop()
    service_name.set("sales")
    configure_recording(1)
    database = Database(platform.databases["sales"], application_name="bench")
    async with recording(database, "sales"):
        for _ in range(rounds):
            if loop.time() < end:
                await platform.query("sales", _OLD_CARTS)
                await clean_up(database, CartSettings())
    await database.close()
    return began, datetime.now(UTC)


async def _start_autopilot(platform: Platform) -> None:
    """What people have left stays: it would have waited for long."""
    await platform.query("delivery", _LEFT_BEHIND)
    [delivery] = platform.replicas["delivery"]
    delivery.stop()
    delivery.start(DELIVERY_AUTOPILOT="true")
    await delivery.ready()


async def _come_to_rest(platform: Platform) -> None:
    """Until nothing has been recorded any more for longer than the recorders wait."""
    counts: list[int] = []

    async def is_still() -> bool:
        counts.append(sum([await platform.value(service, _STILL) for service in SERVICES]))
        return len(counts) > 1 and counts[-1] == counts[-2]

    await until(is_still, 60, every=1.5)


async def _begun_in(windows: Sequence[Window], platform: Platform) -> list[Recorded]:
    found = []
    for service in SERVICES:
        rows: list[dict[str, Any]] = [dict(row) for row in await platform.query(service, _SPANS)]
        found += [Recorded(service=service, **{**row, "emits": tuple(row["emits"])}) for row in rows]
    begun: dict[str, datetime] = {}
    for span in found:
        begun[span.trace_id] = min(span.started_at, begun.get(span.trace_id, span.started_at))
    return [span for span in found if any(first <= begun[span.trace_id] < last for first, last in windows)]


async def _versions(platform: Platform, rabbitmq_url: str) -> str:
    postgresql = str(await platform.value("sales", "SHOW server_version")).split()[0]
    async with await aio_pika.connect(rabbitmq_url) as connection:
        transport = connection.transport
        assert transport is not None
        broker = str(transport.connection.server_properties["version"])
    parts = f"Python {machine.python_version()}, PostgreSQL {postgresql}, RabbitMQ {broker}"
    return f"{os.cpu_count()} cores, {parts}"


def _report(designs: Sequence[Design], found: dict[str, Timings], seen: Sequence[Trace]) -> None:
    print(f"{len(seen)} traces; milliseconds: p50, p95, longest")
    for design in designs:
        print(f"{design.id} {design.name}")
        if timings := found.get(design.id):
            print(f"  {timings.runs} runs: first call {_show(timings.first_call)}, whole {_show(timings.whole)}")
            _report_steps(design, timings)
        else:
            print("  no run went as planned")


def _report_steps(design: Design, timings: Timings) -> None:
    for step in design.steps:
        if timing := timings.steps.get(step.step):
            name = f"{step.step} {step.actor} → {step.target}: {step.action}"
            waits = f"   outbox {_show(timing.outbox)}" if timing.outbox else ""
            waits += f"   queue {_show(timing.queue)}" if timing.queue else ""
            print(f"    {name:<70}{_show(timing.took)}{waits}")


def _show(spread: Spread) -> str:
    return f"{spread.p50:7.1f} {spread.p95:7.1f} {spread.longest:7.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.sequences", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="how often everything happens")
    parser.add_argument("--shops", type=int, default=4, help="how many at once")
    parser.add_argument("--seconds", type=float, default=120.0, help="after which nothing new is begun")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.shops, arguments.seconds, arguments.output)
