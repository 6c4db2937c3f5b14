"""`make bench`: rounds of floor and orders in turn, their medians and the ratios between them."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import aiohttp
import uvloop

from tests.harness import postgres, rabbitmq
from tests.harness.fixtures import databases_on
from tests.harness.platform import Platform, running, until
from tests.harness.ports import free_ports
from tests.harness.postgres import PostgresServer

from .load import Load, Outcome, run

PRODUCTS = 1000


def main(rounds: int, clients: int, seconds: float) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres.provided(durable=True))
        url = stack.enter_context(stack.enter_context(rabbitmq.provided()).vhost())
        uvloop.run(_compare(server, url, folder, Load("", "", PRODUCTS, clients, seconds), rounds))


async def _compare(server: PostgresServer, rabbitmq_url: str, folder: Path, load: Load, rounds: int) -> None:
    settings = {"LOG_LEVEL": "WARNING", "DELIVERY_DISPATCH_AFTER": "PT0S", "DELIVERY_DELIVER_AFTER": "PT0S"}
    async with AsyncExitStack() as stack:
        databases = await stack.enter_async_context(databases_on(server))
        platform = await stack.enter_async_context(running(databases, rabbitmq_url, folder, settings=settings))
        floor_url = await stack.enter_async_context(_floor())
        await _fill(platform)
        load = replace(load, token=platform.token("customer"))
        await _measure(platform, replace(load, url=floor_url), replace(load, url=platform.url("sales")), rounds)


async def _measure(platform: Platform, at_floor: Load, at_sales: Load, rounds: int) -> None:
    floors: list[Outcome] = []
    orders: list[Outcome] = []
    whole: list[float] = []
    for number in range(rounds + 1):
        floor = await run(at_floor)
        began, before = time.perf_counter(), await _delivered(platform)
        placed = await run(at_sales)
        await until(partial(_reached, platform, before + placed.answers[201]), 300, every=0.05)
        if number:  # the first round warms up
            floors.append(floor)
            orders.append(placed)
            whole.append(placed.answers[201] / (time.perf_counter() - began))
    _report(floors, orders, whole, at_sales.clients)


def _report(floors: list[Outcome], orders: list[Outcome], whole: list[float], clients: int) -> None:
    floor = median(outcome.per_second for outcome in floors)
    placed = median(outcome.per_second for outcome in orders)
    delivered = median(whole)
    refused = sum(count for outcome in orders for status, count in outcome.answers.items() if status != 201)
    print(f"{clients} clients, medians of {len(orders)} rounds, everything on this machine")
    print(f"floor: the request read and answered   {floor:8.0f}/s")
    print(
        f"orders accepted                        {placed:8.0f}/s   {placed / floor:.2f} of the floor   "
        f"p50 {median(o.p50_ms for o in orders):.1f} ms, p95 {median(o.p95_ms for o in orders):.1f} ms"
    )
    print(f"orders accepted and DELIVERED          {delivered:8.0f}/s   {delivered / floor:.2f} of the floor")
    print(f"answers other than 201: {refused}")


async def _fill(platform: Platform) -> None:
    await platform.query(
        "product",
        "INSERT INTO products (id, name, price, currency) "
        "SELECT 'p' || n, 'Product ' || n, 1000 + n, 'EUR' FROM generate_series(0, $1 - 1) n",
        PRODUCTS,
    )
    await platform.query("product", "INSERT INTO stock (product_id, on_hand) SELECT id, 1000000000 FROM products")
    await platform.query("product", "ANALYZE")


async def _delivered(platform: Platform) -> int:
    count: int = await platform.value("sales", "SELECT count(*) FROM orders WHERE status = 'DELIVERED'")
    return count


async def _reached(platform: Platform, wanted: int) -> bool:
    return await _delivered(platform) >= wanted


@asynccontextmanager
async def _floor() -> AsyncIterator[str]:
    port = free_ports(1)[0]
    process = subprocess.Popen([sys.executable, "-m", "bench.floor", str(port)])  # noqa: ASYNC220 (once, before all)
    url = f"http://127.0.0.1:{port}"
    try:
        await until(lambda: _answers(url), 30)
        yield url
    finally:
        process.terminate()
        process.wait(20)


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as client, client.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.clients, arguments.seconds)
