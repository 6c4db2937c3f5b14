"""`python -m bench.carts`: how long carts take to answer while nothing is deleted, and while expired ones are."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp
import asyncpg
import uvloop
from pydantic import BaseModel, SecretStr
from pydantic_core import to_jsonable_python

from chassis.broker import InProcessBroker
from chassis.serving import Site, serve, stop_on_signals
from sales.app import build
from sales.settings import SalesSettings
from services.sales.tests.factories import settings, token
from services.sales.tests.fake_product import FakeProduct, Ware
from tests.harness import postgres
from tests.harness.fixtures import databases_on
from tests.harness.platform import until
from tests.harness.ports import free_ports
from tests.harness.postgres import PostgresServer

CUSTOMERS = 500
CLIENTS = 4
# Between two requests of one client: what is measured is how long they take, and not how many can be crowded in.
PAUSE = 0.1
QUIET = 20.0

_FILL = """
    WITH old AS (
        INSERT INTO carts (id, customer_id, token_hash, touched_at)
        SELECT gen_random_uuid(), CASE n % 2 WHEN 0 THEN 'gone-' || n END, CASE n % 2 WHEN 1 THEN n::text::bytea END,
            now() - interval '40 days' + n * interval '1 second'
        FROM generate_series(1, {carts}) AS n
        RETURNING id
    ), live AS (
        INSERT INTO carts (id, customer_id, touched_at)
        SELECT gen_random_uuid(), 'customer-' || n, now() FROM generate_series(0, {customers} - 1) AS n
        RETURNING id
    )
    INSERT INTO cart_items (id, cart_id, product_id, quantity, name, unit_price, currency)
    SELECT gen_random_uuid(), id, 'product-' || line, 1 + line, 'A product', 1999, 'EUR'
    FROM (SELECT id FROM old UNION ALL SELECT id FROM live) AS carts CROSS JOIN generate_series(1, 3) AS line
"""


def main(carts: int) -> None:
    with ExitStack() as stack:
        log = Path(stack.enter_context(tempfile.TemporaryDirectory()), "sales.log")
        server = stack.enter_context(postgres.provided(durable=True))
        uvloop.run(_compare(server, log, carts))


async def _compare(server: PostgresServer, log: Path, carts: int) -> None:
    product = FakeProduct()
    product.everything_else = Ware(10**6)
    await product.start()
    async with databases_on(server) as create:
        url = await create("sales")
        database = await asyncpg.connect(url.replace("+asyncpg", ""))
        environment = _environment(settings(url, product, role="all"))
        async with _sales(environment, log) as api:
            await until(lambda: _is_cleaned_up(database), 60)
            await database.execute(_FILL.format(carts=carts, customers=CUSTOMERS))
            await database.execute("VACUUM ANALYZE")
        async with _sales(environment, log) as api:
            quiet = await _load(api, asyncio.create_task(asyncio.sleep(QUIET)))
        await database.execute("DELETE FROM job_runs WHERE name = 'clean_up_carts'")
        async with _sales(environment, log) as api:
            began = time.perf_counter()
            deleting = await _load(api, asyncio.create_task(until(lambda: _is_cleaned_up(database), 600, every=0.2)))
            took = time.perf_counter() - began
            # Before and after: a machine is not equally fast at all times.
            quiet += await _load(api, asyncio.create_task(asyncio.sleep(QUIET)))
        left = await database.fetchval("SELECT count(*) FROM carts")
        await database.close()
    await product.stop()
    assert left == CUSTOMERS, f"{left} carts are left"
    _report(quiet, deleting, carts, took)


def _report(quiet: list[float], deleting: list[float], carts: int, took: float) -> None:
    print(f"{CLIENTS} clients that look into their carts and change them, everything on this machine")
    for name, seconds in (("nothing is deleted", quiet), ("carts are deleted", deleting)):
        p50, p95 = median(seconds) * 1000, _p95(seconds) * 1000
        print(f"{name:20} {len(seconds):6} requests   p50 {p50:6.1f} ms   p95 {p95:6.1f} ms")
    print(f"ratio                p50 {median(deleting) / median(quiet):.2f}   p95 {_p95(deleting) / _p95(quiet):.2f}")
    print(f"{carts} carts deleted in {took:.0f} s: {carts / took:.0f}/s")


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1]


async def _load(url: str, while_it_runs: asyncio.Task[Any]) -> list[float]:
    """How long each request took, in seconds."""
    taken: list[float] = []

    async def shop(client: aiohttp.ClientSession, number: int) -> None:
        for turn in count(number * 7):
            if while_it_runs.done():
                return
            headers = {"Authorization": f"Bearer {tokens[turn % CUSTOMERS]}"}
            began = time.perf_counter()
            async with client.get(f"{url}/api/v1/cart", headers=headers) as answer:
                cart = await answer.json()
                assert cart["refreshed"], cart
            taken.append(time.perf_counter() - began)
            item, body = cart["items"][turn % 3]["item_id"], {"quantity": 1 + turn % 9}
            began = time.perf_counter()
            async with client.put(f"{url}/api/v1/cart/items/{item}", headers=headers, json=body) as answer:
                assert answer.status == 200, await answer.text()
            taken.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)

    tokens = [token(f"customer-{number}", "customer", lives=timedelta(hours=1)) for number in range(CUSTOMERS)]
    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(shop(client, number) for number in range(CLIENTS)))
    await while_it_runs
    return taken


async def _is_cleaned_up(database: asyncpg.Connection) -> bool:
    done = "SELECT error IS NULL FROM job_runs WHERE name = 'clean_up_carts' AND finished_at IS NOT NULL"
    return bool(await database.fetchval(done))


@asynccontextmanager
async def _sales(environment: Mapping[str, str], log: Path) -> AsyncIterator[str]:
    """A process of its own, whose jobs run beside its requests."""
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "bench.carts", "--serve", str(port)]
    with log.open("ab") as out:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=out, stderr=out)  # noqa: ASYNC220
    try:
        try:
            await until(lambda: _answers(f"http://127.0.0.1:{port}"), 30)
        except AssertionError:
            raise RuntimeError(f"Sales is not ready:\n{log.read_text()[-4000:]}") from None  # noqa: ASYNC240
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as client, client.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _serve(port: int) -> None:
    await serve([Site(build(SalesSettings(), InProcessBroker()).app(), "127.0.0.1", port)], stop_on_signals())


def _environment(told: SalesSettings) -> dict[str, str]:
    plain = {name: _plain(getattr(told, name)) for name in told.model_fields_set}
    return {
        f"SALES_{name.upper()}": each if isinstance(each, str) else json.dumps(each) for name, each in plain.items()
    }


def _plain(value: Any) -> Any:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case BaseModel():
            return {name: _plain(each) for name, each in value}
        case _:
            return to_jsonable_python(value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.carts", description=__doc__)
    parser.add_argument("--carts", type=int, default=200_000)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(_serve(arguments.serve))
    else:
        main(arguments.carts)
