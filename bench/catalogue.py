"""`python -m bench.catalogue`: every filter of the catalogue's list and every combination of them, over HTTP.

100,000 products that lie as badly as can be: the dearest stand in one category and are the oldest, ten are in stock,
and there is a word that the dearer half has and the others have not.
"""

import argparse
import base64
import itertools
import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import asyncpg
import psutil
import uvloop

from chassis.keys import new_keypair
from tests.harness import postgres
from tests.harness.fixtures import databases_on
from tests.harness.platform import Replica
from tests.harness.ports import free_ports
from tests.harness.postgres import PostgresServer

COUNT = 100_000
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_CATEGORY = "('00000000-0000-7000-8000-' || lpad(({0})::text, 12, '0'))::uuid"
_WORD = (
    "substr('bcdfghklmnprst', 1 + h % 14, 1) || substr('aeiou', 1 + h / 14 % 5, 1) || substr('lmnrst', 1 + h % 6, 1)"
)
_FILL = f"""
    INSERT INTO categories (id, name, name_key, depth)
    SELECT {_CATEGORY.format("n")}, 'top ' || n, 'top ' || n, 1 FROM generate_series(0, 9) AS n;
    INSERT INTO categories (id, name, name_key, parent_id, depth)
    SELECT {_CATEGORY.format("n + 1000")}, 'leaf ' || n, 'leaf ' || n, {_CATEGORY.format("n / 100")}, 2
    FROM generate_series(0, 999) AS n;
    INSERT INTO products (id, name, description, category_id, price, currency, in_stock, created_at)
    SELECT 'p' || n, 'Product ' || n,
        (SELECT string_agg({_WORD} || h, ' ')
            FROM (SELECT abs(hashint4(n * 30 + k)) % 5000 AS h FROM generate_series(1, 30) AS k) AS chosen)
            || CASE WHEN n % 2 = 0 THEN ' half' ELSE '' END || CASE WHEN n >= {COUNT // 2} THEN ' dearhalf' ELSE '' END
            || CASE WHEN n % 40000 = 7 THEN ' rare' ELSE '' END,
        {_CATEGORY.format(f"1000 + CASE WHEN n >= {COUNT * 7 // 10} THEN n % 100 ELSE 100 + n % 900 END")},
        1000 + n, 'EUR', n % 10000 = 0, '{FIRST.isoformat()}'::timestamptz - n * interval '1 minute'
    FROM generate_series(0, {COUNT - 1}) AS n
"""

Query = Mapping[str, str]
Filters = Mapping[str, Query]

LEAF, TREE = "00000000-0000-7000-8000-000000001105", "00000000-0000-7000-8000-000000000000"
WORDS: Filters = {
    "": {},
    "a word in 3": {"q": "rare"},
    "a word in half of all": {"q": "half"},
    "a word in the dearer half": {"q": "dearhalf"},
    "two words": {"q": "half dearhalf"},
    "how words begin": {"q": "bal"},
}
CATEGORIES: Filters = {"": {}, "a category": {"category_id": LEAF}, "the dearest 30 %": {"category_id": TREE}}
PRICES: Filters = {
    "": {},
    "1 % of prices": {"price_from": "500.00", "price_to": "509.99"},
    "50 % of prices": {"price_from": "510.00"},
}
STOCK: Filters = {"": {}, "in stock": {"in_stock": "true"}}
BARE = "a product by its key, bare"


@dataclass(frozen=True)
class Case:
    filters: str
    query: Query


def main(requests: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uvloop.run(_measure(stack.enter_context(postgres.provided(durable=True)), folder, requests))


async def _measure(server: PostgresServer, folder: Path, requests: int) -> None:
    async with AsyncExitStack() as stack:
        create = await stack.enter_async_context(databases_on(server))
        url = await create("product")
        database = await asyncpg.connect(url.replace("+asyncpg", ""))
        stack.push_async_callback(database.close)
        await database.execute(_FILL)
        await database.execute("VACUUM ANALYZE")
        product = await stack.enter_async_context(_product(url, folder))
        client = await stack.enter_async_context(aiohttp.ClientSession(product.url))
        before = _resident_mb()
        bare = await _bare(database, requests)
        one = [await _ask(client, f"/api/v1/products/p{number}", {}) for number in range(requests)]
        lists = [(case, [await _page(client, case.query) for _ in range(requests)]) for case in _cases()]
        _report({BARE: bare, "a product over HTTP": one}, lists)
        print(f"the service's memory: {before:.0f} MB before, {_resident_mb():.0f} MB after")


def _cases() -> Iterator[Case]:
    for chosen in itertools.product(WORDS.items(), CATEGORIES.items(), PRICES.items(), STOCK.items()):
        filters = ", ".join(name for name, _ in chosen if name) or "everything"
        query = {name: value for _, each in chosen for name, value in each.items()}
        for sort in ("newest", "cheapest", "dearest"):
            yield Case(filters, query | {"sort": sort})
            yield Case(filters, query | {"sort": sort, "cursor": _halfway(sort)})


def _halfway(sort: str) -> str:
    """The cursor of whoever has read on through half of the catalogue."""
    middle = COUNT // 2
    moment = (FIRST - timedelta(minutes=middle)).isoformat().replace("+00:00", "Z")
    key = [sort, moment if sort == "newest" else 1000 + middle, f"p{middle}"]
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).rstrip(b"=").decode()


@asynccontextmanager
async def _product(url: str, folder: Path) -> AsyncIterator[Replica]:
    """As an API alone it needs no broker."""
    _, trusted = new_keypair("people", ["admin"])
    environment = {
        "RABBITMQ_URL": "amqp://127.0.0.1:1",
        "LOG_LEVEL": "WARNING",
        "PRODUCT_DATABASE_URL": url,
        "PRODUCT_ROLE": "api",
        "PRODUCT_TRUSTED_KEYS": json.dumps({"keys": [trusted]}),
        "PRODUCT_SIGNING_KEY": new_keypair("product", ["service"])[0],
    }
    replica = Replica("product", 0, free_ports(1)[0], environment, folder)
    replica.start()
    try:
        await replica.ready()
        yield replica
    finally:
        replica.close()


async def _bare(database: asyncpg.Connection, requests: int) -> list[float]:
    took = []
    for number in range(requests):
        began = time.perf_counter()
        await database.fetchrow("SELECT * FROM products WHERE id = $1", f"p{number}")
        took.append((time.perf_counter() - began) * 1000)
    return took


async def _page(client: aiohttp.ClientSession, query: Query) -> float:
    return await _ask(client, "/api/v1/products", query)


async def _ask(client: aiohttp.ClientSession, path: str, query: Query) -> float:
    began = time.perf_counter()
    async with client.get(path, params=query) as answer:
        content = await answer.read()
    if answer.status != 200:
        raise RuntimeError(content.decode())
    return (time.perf_counter() - began) * 1000


def _resident_mb() -> float:
    [service] = psutil.Process().children()[-1:]
    return float(service.memory_info().rss) / 2**20


def _report(others: Mapping[str, Sequence[float]], lists: Sequence[tuple[Case, Sequence[float]]]) -> None:
    unit = median(others[BARE])
    print(f"{COUNT:,} products; milliseconds; times the bare look-up at the median")
    for name, took in others.items():
        _line(name, took, unit)
    for name in (each for filters in (WORDS, CATEGORIES, PRICES, STOCK) for each in filters if each):
        _line(f"{name}, alone", [ms for case, took in lists if case.filters == name for ms in took], unit)
        _line(
            f"{name}, with any others",
            [ms for case, took in lists if name in case.filters for ms in took],
            unit,
        )
    _line("every combination", [ms for _, took in lists for ms in took], unit)
    print("the slowest combinations, by p95:")
    for case, took in sorted(lists, key=lambda each: _p95(each[1]))[:-11:-1]:
        page = "halfway" if "cursor" in case.query else "first page"
        _line(f"{case.filters}, {case.query['sort']}, {page}", took, unit)


def _line(name: str, took: Sequence[float], unit: float) -> None:
    print(f"  {name:<75} p50 {median(took):6.2f}   p95 {_p95(took):6.2f}   x {median(took) / unit:6.1f}")


def _p95(took: Sequence[float]) -> float:
    return quantiles(took, n=20)[-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.catalogue", description=__doc__)
    parser.add_argument("--requests", type=int, default=20, help="of each combination")
    main(parser.parse_args().requests)
