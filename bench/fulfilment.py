"""`python -m bench.fulfilment`: how long everybody waits for answers while thousands of parcels are dispatched at once.

The whole platform runs, a process per service. Orders are placed and their parcels held back; then requests go on
steadily, first while nothing else is done, and then while all the parcels have become ready at once.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
import uvloop

from tests.harness import postgres, rabbitmq
from tests.harness.fixtures import databases_on
from tests.harness.platform import Platform, running, until
from tests.harness.postgres import PostgresServer

from . import wares
from .load import ADDRESS, Load, run
from .machine import plain
from .wares import PRODUCTS

CLIENTS = 4
# Between two requests of one client: what is measured is how long they take, and not how many can be crowded in.
PAUSE = 0.05

Taken = dict[str, list[float]]


def main(parcels: int, quiet: float) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres.provided(durable=True))
        url = stack.enter_context(stack.enter_context(rabbitmq.provided()).vhost())
        uvloop.run(_compare(server, url, folder, parcels, quiet))


async def _compare(server: PostgresServer, rabbitmq_url: str, folder: Path, parcels: int, seconds: float) -> None:
    settings = {"LOG_LEVEL": "WARNING", "DELIVERY_DISPATCH_AFTER": "PT0S", "DELIVERY_DELIVER_AFTER": "PT0S"}
    async with AsyncExitStack() as stack:
        databases = await stack.enter_async_context(databases_on(server))
        platform = await stack.enter_async_context(
            running(databases, rabbitmq_url, folder, autopilot=False, settings=settings)
        )
        # Mail is not what is measured here: it hears of everything when it is there again.
        for notification in platform.replicas["notification"]:
            notification.stop()
        await wares.fill(plain(platform.databases["product"]))
        await _hold(platform, parcels)
        await _start_autopilot(platform)
        await asyncio.sleep(2)
        quiet = await _load(platform, asyncio.create_task(asyncio.sleep(seconds)))
        load = os.getloadavg()[0]
        began = time.perf_counter()
        await platform.query("delivery", "UPDATE shipments SET status = 'READY' WHERE status = 'ON_HOLD'")
        shipped = asyncio.create_task(_timed(partial(_none_is, platform, "READY"), began))
        dispatching = await _load(platform, shipped)
        delivered = asyncio.create_task(_timed(partial(_none_is, platform, "SHIPPED"), began))
        delivering = await _load(platform, delivered)
        known = asyncio.create_task(_timed(partial(_sales_knows, platform, parcels), began))
        await _load(platform, known)
    print(f"{CLIENTS} clients, each with a pause of {PAUSE * 1000:.0f} ms, everything on this machine; load {load:.1f}")
    _report("nothing else is done", quiet)
    _report(f"{parcels:,} parcels leave", dispatching)
    _report("and the rest is delivered", delivering)
    print(f"dispatched after {shipped.result():.1f} s: {parcels / shipped.result():.0f}/s")
    print(f"delivered after {delivered.result():.1f} s, all known to Sales after {known.result():.1f} s")


async def _hold(platform: Platform, parcels: int) -> None:
    """Parcels of real orders, whose stock is held at Product; so many, whatever order of them the load has placed."""
    load = Load(platform.url("sales"), [platform.token("customer")], wares.of_many(), clients=32, seconds=1)
    while await _count(platform, "READY") < parcels:
        await run(load)
        await until(partial(_has_heard_of_all, platform), 120)
    await platform.query("delivery", "UPDATE shipments SET status = 'ON_HOLD' WHERE status = 'READY'")
    await platform.query(
        "delivery",
        "UPDATE shipments SET status = 'STOPPED', stop_reason = 'Too many.' WHERE id IN "
        "(SELECT id FROM shipments ORDER BY id OFFSET $1)",
        parcels,
    )
    for service in platform.databases:
        await platform.query(service, "ANALYZE")


async def _start_autopilot(platform: Platform) -> None:
    [delivery] = platform.replicas["delivery"]
    delivery.stop()
    delivery.start(DELIVERY_AUTOPILOT="true")
    await delivery.ready()


async def _load(platform: Platform, while_it_runs: "asyncio.Task[Any]") -> Taken:
    """How long each request took, in seconds, by what it was about."""
    taken: Taken = defaultdict(list)
    customer, staff = platform.token("customer"), platform.token("warehouse", "clerk")
    sales, delivery = f"{platform.url('sales')}/api/v1", f"{platform.url('delivery')}/api/v1"
    some = [str(row["id"]) for row in await platform.query("delivery", "SELECT id FROM shipments LIMIT 100")]

    async def ask(client: aiohttp.ClientSession, what: str, method: str, url: str, token: str, **more: Any) -> None:
        began = time.perf_counter()
        async with client.request(method, url, headers={"Authorization": f"Bearer {token}"}, **more) as answer:
            content = await answer.read()
        assert answer.status < 300, content
        taken[what].append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE)

    async def work(client: aiohttp.ClientSession, number: int) -> None:
        for turn in count(number):
            if while_it_runs.done():
                return
            items = [{"product_id": f"p{turn % PRODUCTS}", "quantity": 1}]
            order = {"items": items, "shipping_address": ADDRESS}
            await ask(client, "an order is placed", "POST", f"{sales}/orders", customer, json=order)
            await ask(client, "orders are listed", "GET", f"{sales}/orders", customer)
            await ask(client, "shipments are listed", "GET", f"{delivery}/shipments", staff)
            await ask(client, "the work list is read", "GET", f"{delivery}/work-list", staff)
            await ask(client, "a shipment is shown", "GET", f"{delivery}/shipments/{some[turn % len(some)]}", staff)

    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(work(client, number) for number in range(CLIENTS)))
    return taken


async def _timed(holds: Any, began: float) -> float:
    await until(holds, 600, every=0.1)
    return time.perf_counter() - began


async def _none_is(platform: Platform, status: str) -> bool:
    """Of those that were held back: the load's own orders come and go."""
    return await _count(platform, status) < 2 * CLIENTS


async def _sales_knows(platform: Platform, parcels: int) -> bool:
    known: int = await platform.value("sales", "SELECT count(*) FROM orders WHERE status = 'DELIVERED'")
    return known >= parcels


async def _has_heard_of_all(platform: Platform) -> bool:
    placed = await platform.value("sales", "SELECT count(*) FROM orders")
    return bool(placed == await platform.value("delivery", "SELECT count(*) FROM shipments"))


async def _count(platform: Platform, status: str) -> int:
    found: int = await platform.value("delivery", "SELECT count(*) FROM shipments WHERE status = $1", status)
    return found


def _report(name: str, taken: Mapping[str, Sequence[float]]) -> None:
    print(f"{name}:")
    everything = [seconds for each in taken.values() for seconds in each]
    for what, seconds in [*taken.items(), ("all of them", everything)]:
        cuts = quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
        p50, p95, p99 = (cuts[at - 1] * 1000 for at in (50, 95, 99))
        print(f"  {what:<24}{len(seconds):>7}   p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   p99 {p99:6.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.fulfilment", description=__doc__)
    parser.add_argument("--parcels", type=int, default=10_000)
    parser.add_argument("--quiet", type=float, default=20.0, help="how many seconds nothing else is done before")
    arguments = parser.parse_args()
    main(arguments.parcels, arguments.quiet)
