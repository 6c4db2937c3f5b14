"""Among many old orders nothing that an order needs is looked for in all of a table."""

from collections.abc import Mapping
from pathlib import Path

import aiohttp
import asyncpg

from bench.old import left
from tests.harness.embedded import Embedded, embedded
from tests.harness.platform import Shopper, until

OLD = 10_000
_READ = "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE n_live_tup >= $1"


async def orders(platform: Embedded, shopper: Shopper, name: str, count: int) -> None:
    """Placed one after the other, so that each statement is asked often, and brought to their customers."""
    answers = [await shopper.order({"product_456": 1, "product_789": 1}, key=f"{name}-{n}") for n in range(count)]
    assert {status for status, _ in answers} == {201}

    async def delivered() -> bool:
        url = f"{platform.url('sales')}/api/v1/orders?limit={count}"
        headers = {"Authorization": f"Bearer {platform.token('customer')}"}
        async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
            return {order["status"] for order in (await answer.json())["items"]} == {"DELIVERED"}

    await until(delivered, 60)


async def grow(urls: Mapping[str, str]) -> None:
    """At once, so that nobody sees tables that have grown and are not analysed yet: `young_tables` has those tests."""
    for service, url in urls.items():
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                for rows in left(OLD):
                    if rows.service == service:
                        await connection.execute(f"INSERT INTO {rows.table} {rows.statement}")
                        await connection.execute(f"ANALYZE {rows.table}")
        finally:
            await connection.close()


async def read_whole(urls: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Of which large tables as many rows were read, one after the other, as they have at least."""
    read = {}
    for service, url in urls.items():
        connection = await asyncpg.connect(url)
        try:
            rows = await connection.fetch(_READ, OLD)
        finally:
            await connection.close()
        assert rows, "the counts are lost"
        read[service] = {row["relname"]: row["seq_tup_read"] for row in rows if row["seq_tup_read"] >= OLD}
    return read


def databases(platform: Embedded) -> dict[str, str]:
    return {service: url.replace("+asyncpg", "") for service, url in platform.connection["database_urls"].items()}


async def test_what_an_order_needs_is_found_among_thousands_without_reading_them(tmp_path: Path) -> None:
    async with embedded(tmp_path) as platform, aiohttp.ClientSession() as client:
        shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))
        # Plans for a handful of rows are made here, and kept.
        await orders(platform, shopper, "before", 25)
        await grow(databases(platform))
        await orders(platform, shopper, "after", 15)
        # Who has read something tells it to the server at its end at the latest.
        assert await platform.stop() == 0

    async with embedded(tmp_path) as platform:
        assert await read_whole(databases(platform)) == {service: {} for service in databases(platform)}
