"""An order that is cancelled and dispatched at the same moment: one of the two wins, never both, the books agree."""

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness.fixtures import FreshDatabase
from tests.harness.laws import at_rest, broken
from tests.harness.platform import Platform, Shopper, running, until

RACES = 50
AT_ONCE = 10
"""As many as a service keeps connections for: whoever has to wait for one is refused when three seconds are over."""


class Desk:
    """Someone who asks one service, and hears status and code."""

    def __init__(self, client: aiohttp.ClientSession, url: str, token: str) -> None:
        self._client = client
        self._url = f"{url}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def post(self, path: str) -> tuple[int, Any]:
        async with self._client.post(self._url + path, headers=self._headers) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str) -> Any:
        async with self._client.get(self._url + path, headers=self._headers) as answer:
            return await answer.json()


async def all_prepared(platform: Platform, orders: int) -> dict[str, str]:
    """The shipment of each order, once there is one for all."""

    async def prepared() -> bool:
        return bool(await platform.value("delivery", "SELECT count(*) FROM shipments") == orders)

    await until(prepared, 60)
    rows = await platform.query("delivery", "SELECT order_id, id FROM shipments")
    return {str(row["order_id"]): str(row["id"]) for row in rows}


@pytest.mark.rule("BR-ORD-007")
async def test_of_cancelling_and_dispatching_exactly_one_wins_each_time(
    fresh_database: FreshDatabase, rabbitmq_url: str, tmp_path: Path
) -> None:
    async with (
        running(fresh_database, rabbitmq_url, tmp_path, autopilot=False) as platform,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as client,
    ):
        await platform.stock("wanted", on_hand=RACES)
        shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))
        placed = await asyncio.gather(*(shopper.order({"wanted": 1}, key=f"k{number}") for number in range(RACES)))
        orders = [json.loads(text)["order_id"] for _, text in placed]
        shipments = await all_prepared(platform, RACES)
        customer = Desk(client, platform.url("sales"), platform.token("customer"))
        clerk = Desk(client, platform.url("delivery"), platform.token("warehouse", "clerk"))
        lanes = asyncio.Semaphore(AT_ONCE)

        async def race(order_id: str) -> tuple[int, int]:
            attempts = [
                customer.post(f"/orders/{order_id}/cancellation"),
                clerk.post(f"/shipments/{shipments[order_id]}/dispatch"),
            ]
            first = random.randrange(2)
            async with lanes:
                answers = await asyncio.gather(*(attempts if first == 0 else reversed(attempts)))
            cancelled, dispatched = answers if first == 0 else reversed(answers)
            assert cancelled[0] == 200 or cancelled[1]["error"]["code"] == "CANCELLATION_NOT_ALLOWED", cancelled
            assert dispatched[0] == 200 or dispatched[1]["error"]["code"] in LOST, dispatched
            return cancelled[0], dispatched[0]

        outcomes = Counter(await asyncio.gather(*map(race, orders)))
        for shipment_id in shipments.values():
            await clerk.post(f"/shipments/{shipment_id}/delivery")
        await at_rest(platform)

        assert set(outcomes) <= {(200, 409), (409, 200)}, outcomes
        assert outcomes.total() == RACES
        assert await broken(platform) == {}
        free = await platform.value("product", "SELECT on_hand FROM stock WHERE product_id = 'wanted'")
        assert free == outcomes[200, 409]


LOST = {"RESERVATION_RELEASED", "INVALID_STATUS_TRANSITION"}
