"""Two processes of each service on one RabbitMQ: they share the work and never sell twice."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import aiohttp

from tests.harness.fixtures import FreshDatabase
from tests.harness.laws import at_rest, broken
from tests.harness.platform import Shopper, running, until


async def test_of_200_orders_at_once_for_50_pieces_exactly_50_come_about(
    fresh_database: FreshDatabase, rabbitmq_url: str, tmp_path: Path
) -> None:
    async with running(fresh_database, rabbitmq_url, tmp_path, replicas=2) as platform:
        await platform.stock("scarce", on_hand=50)

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as client:
            urls = [replica.url for replica in platform.replicas["sales"]]
            shopper = Shopper(client, urls, platform.token("customer"))
            answers = await asyncio.gather(*(shopper.order({"scarce": 1}, key=f"k{number}") for number in range(200)))
        await at_rest(platform)

        assert Counter(status for status, _ in answers) == {201: 50, 400: 150}
        refused = next(json.loads(text)["error"] for status, text in answers if status == 400)
        assert refused["code"] == "INSUFFICIENT_STOCK"
        assert refused["details"][0]["product_id"] == "scarce"
        assert await platform.value("sales", "SELECT count(*) FROM orders") == 50
        stock = (await platform.query("product", "SELECT on_hand, reserved FROM stock WHERE product_id = 'scarce'"))[0]
        assert tuple(stock) == (0, 0)
        assert await broken(platform) == {}


async def test_one_key_sent_20_times_at_once_to_two_processes_gives_one_order_and_20_equal_answers(
    fresh_database: FreshDatabase, rabbitmq_url: str, tmp_path: Path
) -> None:
    async with running(fresh_database, rabbitmq_url, tmp_path, replicas=2) as platform:
        await platform.stock("wanted", on_hand=50)

        async with aiohttp.ClientSession() as client:
            token = platform.token("customer")
            shoppers = [Shopper(client, [replica.url], token) for replica in platform.replicas["sales"]]
            answers = await asyncio.gather(
                *(shoppers[number % 2].order({"wanted": 2}, key="the-same") for number in range(20))
            )

        assert len(set(answers)) == 1
        assert answers[0][0] == 201
        assert await platform.value("sales", "SELECT count(*) FROM orders") == 1


async def test_sigterm_ends_every_service_in_good_order_and_the_other_replica_goes_on(
    fresh_database: FreshDatabase, rabbitmq_url: str, tmp_path: Path
) -> None:
    async with running(fresh_database, rabbitmq_url, tmp_path, replicas=2) as platform:
        await platform.stock("wanted", on_hand=500)

        async with aiohttp.ClientSession() as client:
            urls = [replica.url for replica in platform.replicas["sales"]]
            shopper = Shopper(client, urls, platform.token("customer"))
            orders = [asyncio.create_task(shopper.order({"wanted": 1}, key=f"k{number}")) for number in range(100)]
            await until(lambda: sum(order.done() for order in orders) > 10, 30, every=0.01)
            leaving = [platform.replicas["sales"][1], platform.replicas["delivery"][1]]
            codes = [await asyncio.to_thread(replica.stop) for replica in leaving]
            answers = await asyncio.gather(*orders)
        await at_rest(platform)

        assert codes == [0, 0]
        assert {status for status, _ in answers} == {201}
        assert await broken(platform) == {}
