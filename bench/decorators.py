"""`python -m bench.decorators`: what naming steps in the code costs an order, and what keeping a record of them does.

Three whole platforms, whose turns at the same load alternate: the code as it is, the same code with the decorators
taken away, and as it is with all steps recorded. Beside that the direct figure, as what is sought is less than the
turns differ by anyway: what a decorated call takes longer than a plain one, times the calls that an order needs.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import psutil
import uvloop

from chassis import tracing
from chassis.steps import note_event, step
from tests.harness import postgres, rabbitmq
from tests.harness.fixtures import databases_on
from tests.harness.platform import Platform, running, until
from tests.harness.postgres import PostgresServer
from tests.harness.program import Command

from . import wares
from .load import Load, run
from .machine import plain as as_asyncpg_takes_it
from .undecorated import AWAY, STEPS

ALLOWED: Final = 0.01
_CALLS: Final = 200_000
_TURNS: Final = 9
_SERVICES: Final = ("sales", "product", "delivery")
"""Mail is no part of it: what it takes is many times the rest, and would hide what is sought."""
_SEEN: Final = "SELECT count(*) AS steps, sum(cardinality(emits)) AS events FROM recorded_spans WHERE participant != ''"


class Served(Command):
    """A process that has not imported anything before: see `undecorated`."""

    program = (sys.executable, "-m", "bench.undecorated")

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
        super().__init__(arguments, environment, output)
        self._times = psutil.Process(self.pid).cpu_times

    @property
    def cpu(self) -> float:
        """Seconds, so far."""
        if self.poll() is not None:
            return 0.0
        times = self._times()
        return float(times.user + times.system)


@dataclass
class Variant:
    name: str
    settings: Mapping[str, str]
    processes: list[Served] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Milliseconds for each order, by turns."""
    per_second: list[float] = field(default_factory=list)
    orders: int = 0

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> Served:
        self.processes.append(Served(arguments, environment, output))
        return self.processes[-1]


@dataclass(frozen=True)
class Calls:
    """Of one order; at most so many, as a step that is done for several at once is counted for each of them."""

    steps: float
    events: float


def main(rounds: int, clients: int, seconds: float) -> bool:
    plain, as_it_is, recorded = (
        Variant("decorators taken away", {STEPS: AWAY}),
        Variant("as it is, nothing recorded", {}),
        Variant("as it is, all recorded", {"RECORD_STEPS": "1"}),
    )
    variants = [plain, as_it_is, recorded]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres.provided(durable=True))
        broker = stack.enter_context(rabbitmq.provided())
        urls = [stack.enter_context(broker.vhost()) for _ in variants]
        load = Load("", (), wares.of_many(), clients, seconds)
        calls = uvloop.run(_compare(server, dict(zip(urls, variants, strict=True)), folder, load, rounds))
    print(f"{clients} clients, {rounds} rounds, everything on this machine; CPU of Sales, Product and Delivery")
    for variant in variants:
        _report(variant, plain)
    return _report_directly(calls, median(as_it_is.cpu))


async def _compare(
    server: PostgresServer, variants: Mapping[str, Variant], folder: Path, load: Load, rounds: int
) -> Calls:
    settings = {"LOG_LEVEL": "WARNING", "DELIVERY_DISPATCH_AFTER": "PT0S", "DELIVERY_DELIVER_AFTER": "PT0S"}
    async with AsyncExitStack() as stack:
        platforms: list[tuple[Variant, Platform]] = []
        for number, (url, variant) in enumerate(variants.items()):
            own = folder / str(number)
            own.mkdir()
            databases = await stack.enter_async_context(databases_on(server))
            starting = running(databases, url, own, settings={**settings, **variant.settings}, program=variant.start)
            platform = await stack.enter_async_context(starting)
            for notification in platform.replicas["notification"]:
                notification.stop()
            await wares.fill(as_asyncpg_takes_it(platform.databases["product"]))
            platforms.append((variant, platform))
        for number in range(rounds + 1):
            # None of them always comes after the same other one.
            first = number % len(platforms)
            for variant, platform in platforms[first:] + platforms[:first]:
                await _turn(variant, platform, load, counts=number > 0)
        return await _calls(*platforms[-1])


async def _turn(variant: Variant, platform: Platform, load: Load, *, counts: bool) -> None:
    before, cpu = await _delivered(platform), _cpu(variant)
    outcome = await run(replace(load, url=platform.url("sales"), tokens=[platform.token("customer")]))
    placed = outcome.answers[201]
    await until(partial(_reached, platform, before + placed), 300, every=0.05)
    # What is done behind the work is part of it.
    await asyncio.sleep(1)
    variant.orders += placed
    if counts:  # the first turn warms up
        variant.cpu.append((_cpu(variant) - cpu) * 1000 / placed)
        variant.per_second.append(outcome.per_second)


async def _delivered(platform: Platform) -> int:
    count: int = await platform.value("sales", "SELECT count(*) FROM orders WHERE status = 'DELIVERED'")
    return count


async def _reached(platform: Platform, wanted: int) -> bool:
    return await _delivered(platform) >= wanted


def _cpu(variant: Variant) -> float:
    return sum(process.cpu for process in variant.processes)


async def _calls(variant: Variant, platform: Platform) -> Calls:
    seen = [(await platform.query(service, _SEEN))[0] for service in _SERVICES]
    steps, events = sum(each["steps"] for each in seen), sum(each["events"] or 0 for each in seen)
    return Calls(steps / variant.orders, events / variant.orders)


def _report(variant: Variant, plain: Variant) -> None:
    more = sorted(ours / theirs - 1 for ours, theirs in zip(variant.cpu, plain.cpu, strict=True))
    against = (
        f"   {median(more):+.1%} of it, by rounds {more[0]:+.1%} to {more[-1]:+.1%}" if variant is not plain else ""
    )
    cpu = f"{median(variant.cpu):.3f} ms per order ({min(variant.cpu):.3f} to {max(variant.cpu):.3f})"
    print(f"{variant.name:<28}{cpu}   {median(variant.per_second):5.0f} orders/s{against}")


def _report_directly(calls: Calls, cpu_ms: float) -> bool:
    asynchronous, plain, noting = uvloop.run(_nanoseconds())
    slowest = max(asynchronous, plain)
    total = (calls.steps * slowest + calls.events * noting) / 1e6
    share = total / cpu_ms
    print(
        f"a decorated call takes longer than a plain one by {asynchronous:.0f} ns (async), {plain:.0f} ns (not async)"
    )
    print(f"an order needs at most {calls.steps:.1f} of them, and emits {calls.events:.1f} events at {noting:.0f} ns")
    print(f"that is at most {total * 1000:.2f} µs of {cpu_ms * 1000:.0f} µs: {share:.3%} (allowed: {ALLOWED:.0%})")
    return share < ALLOWED


async def _nanoseconds() -> tuple[float, float, float]:
    """As nothing is recorded here: the shortest of several turns, less what a call takes anyway."""
    assert not tracing.active

    async def plain_async(_session: object, _order_id: int, *, by: str) -> str:
        return by

    def plain(_session: object, _order_id: int, *, by: str) -> str:
        return by

    async def await_it(function: Callable[..., Awaitable[str]]) -> None:
        for _ in range(_CALLS):
            await function(None, 1, by="us")

    async def call_it(function: Callable[..., str]) -> None:
        for _ in range(_CALLS):
            function(None, 1, by="us")

    async def note_it(function: Callable[[str], None]) -> None:
        for _ in range(_CALLS):
            function("OrderPlaced")

    named = step("OrderService", "placeOrder")
    return (
        await _shortest(partial(await_it, named(plain_async))) - await _shortest(partial(await_it, plain_async)),
        await _shortest(partial(call_it, named(plain))) - await _shortest(partial(call_it, plain)),
        await _shortest(partial(note_it, note_event)),
    )


async def _shortest(do: Callable[[], Awaitable[None]]) -> float:
    """Nanoseconds for each call."""
    took = []
    for _ in range(_TURNS):
        began = time.perf_counter_ns()
        await do()
        took.append((time.perf_counter_ns() - began) / _CALLS)
    return min(took)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.decorators", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    arguments = parser.parse_args()
    sys.exit(0 if main(arguments.rounds, arguments.clients, arguments.seconds) else 1)
