"""What happens to orders while processes die and the broker is away: nothing is lost, nothing is doubled."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from email import message_from_bytes
from pathlib import Path

import aiohttp
import pytest

from tests.harness.fixtures import FreshDatabase
from tests.harness.laws import at_rest, broken
from tests.harness.platform import SERVICES, Platform, Shopper, running, until
from tests.harness.rabbitmq import RabbitMQ

ORDERS = 500


@pytest.mark.rule("BR-EVENT-001", "BR-EVENT-002")
async def test_every_accepted_order_is_delivered_once_though_each_service_is_killed_and_the_broker_stopped(
    fresh_database: FreshDatabase, rabbitmq_server: RabbitMQ, rabbitmq_url: str, tmp_path: Path
) -> None:
    async with running(fresh_database, rabbitmq_url, tmp_path) as platform:
        for number in range(10):
            await platform.stock(f"p{number}", on_hand=1000)
        await platform.address("customer_demo", "ada@example.org")
        during_outage: list[int] = []

        async def faults() -> None:
            # First: orders are sure to come meanwhile, however slow this machine is.
            async with rabbitmq_server.down():
                before = await _accepted(platform)
                await asyncio.sleep(20)
                during_outage.append(await _accepted(platform) - before)
            for service in SERVICES:
                replica = platform.replicas[service][0]
                replica.kill()
                await asyncio.sleep(1)
                replica.start()
                await replica.ready()
                await asyncio.sleep(2)

        answers = await _shop(platform, ORDERS, spread=45, meanwhile=faults)
        await at_rest(platform)

        assert [status for status, _ in answers if status != 201] == []
        assert during_outage[0] > 20, "orders are accepted while the broker is away"
        assert await _accepted(platform) == ORDERS
        assert await platform.value("sales", "SELECT count(*) FROM orders WHERE status = 'DELIVERED'") == ORDERS
        assert await broken(platform) == {}
        await until(lambda: _has_sent_all(platform), within=180)
        copies = Counter(_message_ids(platform))
        assert len(copies) == 3 * ORDERS, "received, on its way, delivered: of each order"
        assert copies.total() - len(copies) <= 1, "of the mail that was being sent when Notification was killed"


async def test_killing_every_process_at_once_again_and_again_loses_nothing(
    fresh_database: FreshDatabase, rabbitmq_url: str, tmp_path: Path
) -> None:
    async with running(fresh_database, rabbitmq_url, tmp_path, replicas=2) as platform:
        for number in range(10):
            await platform.stock(f"p{number}", on_hand=1000)

        async def faults() -> None:
            for _ in range(3):
                await asyncio.sleep(1.5)
                for replica in platform.each():
                    replica.kill()
                for replica in platform.each():
                    replica.start()
                await asyncio.gather(*(replica.ready() for replica in platform.each()))

        answers = await _shop(platform, 200, spread=8, meanwhile=faults)
        await at_rest(platform)

        assert [status for status, _ in answers if status != 201] == []
        assert await _accepted(platform) == 200
        assert await broken(platform) == {}


async def _shop(
    platform: Platform, count: int, *, spread: float, meanwhile: Callable[[], Awaitable[None]]
) -> list[tuple[int, str]]:
    """Orders come evenly, spread over some seconds, while something else happens."""
    began = time.monotonic()
    timeout = aiohttp.ClientTimeout(total=15)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=64)) as client:
        urls = [replica.url for replica in platform.replicas["sales"]]
        shopper = Shopper(client, urls, platform.token("customer"))

        async def one(number: int) -> tuple[int, str]:
            await asyncio.sleep(max(0.0, began + spread * number / count - time.monotonic()))
            items = {f"p{number % 10}": 1, f"p{(number * 7 + 3) % 10}": 2}
            return await shopper.order(items, key=f"order-{number}")

        async with asyncio.TaskGroup() as group:
            group.create_task(_awaited(meanwhile))
            orders = [group.create_task(one(number)) for number in range(count)]
    return [order.result() for order in orders]


async def _awaited(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def _has_sent_all(platform: Platform) -> bool:
    waiting = await platform.value("notification", "SELECT count(*) FROM mails WHERE state <> 'SENT'")
    return bool(waiting == 0)


def _message_ids(platform: Platform) -> Iterator[str]:
    """Of every copy that has left."""
    for file in platform.mail_folder.glob("*.eml"):
        yield str(message_from_bytes(file.read_bytes())["Message-ID"])


async def _accepted(platform: Platform) -> int:
    count: int = await platform.value("sales", "SELECT count(*) FROM orders")
    return count
