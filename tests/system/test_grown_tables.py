"""Among many old orders nothing that an order needs is looked for in all of a table."""

import os
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import aiohttp
import asyncpg
import pytest

from bench.old import left
from tests.harness.embedded import Embedded, embedded
from tests.harness.platform import Shopper, until
from tests.harness.postgres import PostgresServer

OLD = 10_000
SERVICES = ("sales", "product", "delivery", "notification")
_DELIVERED = "SELECT count(*) FROM orders WHERE id > $1 AND status = 'DELIVERED'"
_READ_WHOLE = """
    SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE n_live_tup >= $1 AND seq_tup_read >= $1
"""


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


@pytest.fixture
def elsewhere(postgres_server: PostgresServer) -> Mapping[str, str]:
    """A server that is still there when the platform has ended, and has told it what it has read."""
    return {"DATABASE_URL": postgres_server.url("postgres")}


async def test_what_an_order_needs_is_found_among_thousands_without_reading_them(
    elsewhere: Mapping[str, str], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    urls = {service: postgres_server.url(f"orderflow_{service}").replace("+asyncpg", "") for service in SERVICES}
    try:
        with mock.patch.dict(os.environ, elsewhere):
            async with embedded(tmp_path) as platform, aiohttp.ClientSession() as client:
                shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))
                # Plans for a handful of rows are made here, and kept.
                await orders(platform, shopper, "before", 25)
                await grow(urls)
                await orders(platform, shopper, "after", 15)
                assert await platform.stop() == 0
        for service, url in urls.items():
            connection = await asyncpg.connect(url)
            read = {row["relname"]: row["seq_tup_read"] for row in await connection.fetch(_READ_WHOLE, OLD)}
            await connection.close()
            assert read == {}, service
    finally:
        for service in SERVICES:
            await postgres_server.drop(f"orderflow_{service}")
