"""Status events that come twice, late or in the wrong order, over the real broker."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp

from tests.harness.fixtures import FreshDatabase
from tests.harness.platform import Platform, Shopper, running, until


async def test_duplicate_late_and_reordered_status_events_end_in_the_right_status(
    fresh_database: FreshDatabase, rabbitmq_url: str, tmp_path: Path
) -> None:
    async with running(fresh_database, rabbitmq_url, tmp_path, autopilot=False) as platform:
        await platform.stock("wanted", on_hand=10)
        async with aiohttp.ClientSession() as client:
            shopper = Shopper(client, [platform.url("sales")], platform.token("customer"))
            _, text = await shopper.order({"wanted": 1}, key="k")
        order_id = json.loads(text)["order_id"]
        shipped = _event(order_id, "PENDING_SHIPMENT", "SHIPPED", tracking_number="TRK123456789", carrier="FedEx")
        delivered = _event(
            order_id, "SHIPPED", "DELIVERED", delivered_at="2026-01-17T16:45:00Z", delivery_location="Door"
        )
        late = _event(order_id, "PENDING_SHIPMENT", "SHIPPED", tracking_number="TRK999999999", carrier="Other")

        await _send(rabbitmq_url, delivered, delivered, shipped, shipped)
        await until(lambda: _has_status(platform, order_id, "DELIVERED"), 60)
        await _send(rabbitmq_url, late)
        await until(lambda: _refusals(platform, order_id), 60)

        order = await _get(platform, f"/api/v1/orders/{order_id}")
        timeline = (await _get(platform, f"/api/v1/orders/{order_id}/timeline"))["entries"]
        assert order["status"] == "DELIVERED"
        assert order["tracking_number"] == "TRK123456789"
        assert order["delivery_location"] == "Door"
        assert [(entry["kind"], entry["to_status"], entry["event_id"]) for entry in timeline] == [
            ("changed", "PENDING_SHIPMENT", None),
            ("changed", "SHIPPED", shipped["event_id"]),
            ("changed", "DELIVERED", delivered["event_id"]),
            ("refused", "SHIPPED", late["event_id"]),
        ]
        assert "DELIVERED" in timeline[-1]["reason"]


def _event(order_id: str, previous: str, current: str, **data: str) -> dict[str, Any]:
    return {
        "event_id": f"evt_{uuid.uuid4().hex}",
        "event_type": "order.status_updated",
        "timestamp": datetime.now(UTC).isoformat(),
        "source": "delivery-service",
        "data": {"order_id": order_id, "previous_status": previous, "current_status": current, **data},
    }


async def _send(url: str, *events: dict[str, Any]) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange("delivery.events")
        for event in events:
            message = aio_pika.Message(json.dumps(event).encode(), message_id=event["event_id"], delivery_mode=2)
            await exchange.publish(message, routing_key=event["event_type"], mandatory=True)


async def _get(platform: Platform, path: str) -> Any:
    headers = {"Authorization": f"Bearer {platform.token('customer')}"}
    async with aiohttp.ClientSession() as client, client.get(platform.url("sales") + path, headers=headers) as answer:
        assert answer.status == 200
        return await answer.json()


async def _has_status(platform: Platform, order_id: str, status: str) -> bool:
    return bool((await _get(platform, f"/api/v1/orders/{order_id}"))["status"] == status)


async def _refusals(platform: Platform, order_id: str) -> bool:
    entries = (await _get(platform, f"/api/v1/orders/{order_id}/timeline"))["entries"]
    return any(entry["kind"] == "refused" for entry in entries)
