"""A carrier that gets everything wrong, over a thousand orders: each ends as it must, and what was refused shows."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from delivery.carriers.simulator.playing import Answer, Post, Stage, play
from delivery.carriers.simulator.stories import Parcel, Story, write_stories
from delivery.carriers.simulator.tricks import Trick
from tests.harness.embedded import embedded
from tests.harness.fixtures import FreshDatabase
from tests.harness.laws import broken
from tests.harness.platform import CARRIER_SECRET, ORDERFLOW, Platform, Shopper, running, until

ORDERS = 1000
# Its customer has no address, and a thousand mails that are tried time and again are not what this is about.
SETTINGS = {"DELIVERY_CARRIERS__REPORTS__LONGEST_RETRY": "PT4S", "NOTIFICATION_RETRY__LATER": '["P1D"]'}

_STILL_UNDER_WAY = {
    "sales": "SELECT (SELECT count(*) FROM outbox WHERE sent_at IS NULL)"
    " + (SELECT count(*) FROM parked_events WHERE resolved_at IS NULL)",
    "delivery": "SELECT (SELECT count(*) FROM outbox WHERE sent_at IS NULL)"
    " + (SELECT count(*) FROM carrier_reports WHERE state = 'WAITING')"
    " + (SELECT count(*) FROM carrier_reports WHERE state = 'UNMATCHED' AND told_at IS NULL)",
}


class Staff:
    """At Delivery's API, as the warehouse is."""

    def __init__(self, client: aiohttp.ClientSession, url: str, token: str) -> None:
        self._client, self._url, self._headers = client, url, {"Authorization": f"Bearer {token}"}

    async def get(self, path: str) -> Any:
        async with self._client.get(self._url + path, headers=self._headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        async with self._client.post(self._url + path, json=body, headers=self._headers) as answer:
            assert answer.status in (200, 201), await answer.text()
            return await answer.json()


async def test_of_1000_orders_whose_carrier_gets_everything_wrong_each_ends_as_it_must(
    fresh_database: FreshDatabase, rabbitmq_url: str, tmp_path: Path
) -> None:
    async with (
        running(fresh_database, rabbitmq_url, tmp_path, autopilot=False, settings=SETTINGS) as platform,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as client,
    ):
        staff = Staff(client, platform.url("delivery"), platform.token("warehouse", "clerk"))
        stories = write_stories(await _ready(platform, client), set(Trick), seed=42)

        answers = await play(stories, Stage("Simulator", CARRIER_SECRET, _posting(client, platform), staff))
        await until(lambda: _all_right(platform, stories), 240, every=0.5)
        await until(lambda: _at_rest(platform), 120, every=0.5)

        assert [answer for answer in answers if not answer.is_as_expected] == []
        assert _tricks_played(answers) == dict.fromkeys(Trick, True)
        await _each_order_is_as_it_must_be(platform, stories)
        await _refusals_show(stories, staff)
        await _operations_were_told_once(platform, stories)
        assert await broken(platform) == {}


async def _ready(platform: Platform, client: aiohttp.ClientSession) -> list[Parcel]:
    await platform.stock("mug", on_hand=10 * ORDERS)
    shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))
    answers = await asyncio.gather(*(shopper.order({"mug": 1 + number % 3}, f"k{number}") for number in range(ORDERS)))
    assert {status for status, _ in answers} == {201}

    async def prepared() -> bool:
        return bool(await platform.value("delivery", "SELECT count(*) FROM shipments") == ORDERS)

    await until(prepared, 60)
    rows = await platform.query(
        "delivery",
        "SELECT id, (SELECT sum((item->>'quantity')::int) FROM jsonb_array_elements(items) AS item) AS pieces"
        " FROM shipments ORDER BY id",
    )
    return [Parcel(str(row["id"]), None, row["pieces"]) for row in rows]


def _posting(client: aiohttp.ClientSession, platform: Platform) -> Post:
    async def post(path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        async with client.post(platform.url("delivery") + path, data=body, headers=headers) as answer:
            return answer.status, await answer.json()

    return post


async def _all_right(platform: Platform, stories: Sequence[Story]) -> bool:
    rows = await platform.query("delivery", "SELECT tracking_number, status FROM shipments")
    expected = {number: status for story in stories for number, status in story.becomes.items()}
    return {row["tracking_number"]: row["status"] for row in rows} == expected


async def _at_rest(platform: Platform) -> bool:
    return not any([await platform.value(service, count) for service, count in _STILL_UNDER_WAY.items()])


def _tricks_played(answers: Sequence[Answer]) -> dict[Trick, bool]:
    played = Counter(trick for answer in answers for trick in answer.story.tricks)
    return {trick: played[trick] > 100 for trick in Trick}


async def _each_order_is_as_it_must_be(platform: Platform, stories: Sequence[Story]) -> None:
    orders = {
        str(row["id"]): str(row["order_id"])
        for row in await platform.query("delivery", "SELECT id, order_id FROM shipments")
    }
    expected = {orders[story.parcel.shipment_id]: "DELIVERED" if story.is_delivered else "SHIPPED" for story in stories}

    async def as_expected() -> bool:
        rows = await platform.query("sales", "SELECT id, status FROM orders")
        return {str(row["id"]): row["status"] for row in rows} == expected

    await until(as_expected, 30)
    assert set(expected.values()) == {"DELIVERED", "SHIPPED"}


async def _refusals_show(stories: Sequence[Story], staff: Staff) -> None:
    refused = [(story.shipments[number], number) for story in stories for number in story.refused_at]
    assert len(refused) > 10
    for shipment_id, _ in refused:
        entries = (await staff.get(f"/api/v1/shipments/{shipment_id}/timeline"))["entries"]
        codes = {entry.get("code") for entry in entries if entry["kind"] == "refused"}
        assert codes == {"INVALID_STATUS_TRANSITION"}


async def _operations_were_told_once(platform: Platform, stories: Sequence[Story]) -> None:
    told = await platform.query(
        "delivery",
        "SELECT body::json->'data'->>'tracking_number' AS number FROM outbox WHERE event_type = $1",
        "delivery.unmatched_tracking",
    )
    numbers = Counter(row["number"] for row in told)
    assert {number for story in stories for number in story.unknown} <= set(numbers)
    reports = await platform.value("delivery", "SELECT count(*) FROM carrier_reports WHERE told_at IS NOT NULL")
    assert sum(numbers.values()) == reports


async def test_the_command_plays_the_carrier_and_says_what_was_answered(tmp_path: Path) -> None:
    async with embedded(tmp_path, "--manual") as platform, aiohttp.ClientSession() as client:
        shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))
        await asyncio.gather(*(shopper.order({"product_456": 2}, key=f"k{number}") for number in range(12)))
        staff = Staff(client, platform.url("delivery"), platform.token("warehouse"))

        async def ready() -> bool:
            return len((await staff.get("/api/v1/shipments?status=READY"))["items"]) == 12

        await until(ready, 60)
        nothing = await _simulated(tmp_path)
        everything = await _simulated(tmp_path, "--dispatch", "--seed", "7")

    assert nothing == (1, "")
    code, said = everything
    assert code == 0, said
    assert "Simulator has 12 parcels (--seed 7)." in said
    assert "All of them are, and every answer was as expected." in said
    assert all(trick in said for trick in ("duplicates", "forged", "unknown"))


async def _simulated(folder: Path, *options: str) -> tuple[int, str]:
    command = [str(ORDERFLOW), "carrier", "simulate", "--data", str(folder / "data"), *options]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
