"""The platform in one process, with the broker inside it: the same promises as in the cluster."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.harness.embedded import embedded
from tests.harness.platform import Shopper, until


@pytest.mark.rule("BR-ORD-001")
async def test_of_200_orders_at_once_for_50_pieces_exactly_50_come_about_and_are_delivered(tmp_path: Path) -> None:
    async with embedded(tmp_path) as platform, aiohttp.ClientSession() as client:
        shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))

        answers = await asyncio.gather(*(shopper.order({"product_789": 1}, key=f"k{number}") for number in range(200)))

        assert Counter(status for status, _ in answers) == {201: 50, 400: 150}
        async with client.get(f"{platform.url('product')}/api/v1/products/product_789") as answer:
            assert (await answer.json())["available"] == 0

        async def delivered() -> bool:
            headers = {"Authorization": f"Bearer {platform.token('customer')}"}
            url = f"{platform.url('sales')}/api/v1/orders?status=DELIVERED&limit=100"
            async with client.get(url, headers=headers) as answer:
                return len((await answer.json())["items"]) == 50

        await until(delivered, 60)


async def test_one_key_sent_20_times_at_once_gives_one_order_and_20_equal_answers(tmp_path: Path) -> None:
    async with embedded(tmp_path) as platform, aiohttp.ClientSession() as client:
        shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))

        answers = await asyncio.gather(*(shopper.order({"product_456": 2}, key="the-same") for _ in range(20)))

        assert len(set(answers)) == 1
        assert answers[0][0] == 201
        order = json.loads(answers[0][1])
        assert order["status"] == "PENDING_SHIPMENT"


async def test_stopped_in_good_order_it_ends_with_0_and_started_again_it_has_its_orders(tmp_path: Path) -> None:
    async with embedded(tmp_path) as platform, aiohttp.ClientSession() as client:
        shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))
        _, text = await shopper.order({"product_456": 2}, key="k")
        code = await platform.stop()

    async with embedded(tmp_path) as platform, aiohttp.ClientSession() as client:
        headers = {"Authorization": f"Bearer {platform.token('customer')}"}
        url = f"{platform.url('sales')}/api/v1/orders/{json.loads(text)['order_id']}"

        async def delivered() -> bool:
            async with client.get(url, headers=headers) as answer:
                return bool((await answer.json())["status"] == "DELIVERED")

        await until(delivered, 60)

    assert code == 0
