"""Following what Delivery reports, for the tests: an order, what becomes of it, what waits, and what was told."""

from typing import Any
from uuid import UUID

from .factories import Sales, an_order

CREATED = ("changed", None, "PENDING_SHIPMENT", None)
WAS_SHIPPED = ("changed", "PENDING_SHIPMENT", "SHIPPED", "s")
WAS_DELIVERED = ("changed", "SHIPPED", "DELIVERED", "d")


async def an_order_in(sales: Sales, **more: Any) -> UUID:
    order = an_order(**more)
    await sales.write(order)
    return order.id


async def status_of(sales: Sales, order_id: UUID) -> str:
    return str((await sales.get(f"/{order_id}")).json()["status"])


async def timeline_of(sales: Sales, order_id: UUID) -> list[tuple[str, str | None, str, str | None]]:
    entries = (await sales.get(f"/{order_id}/timeline")).json()["entries"]
    return [(entry["kind"], entry["from_status"], entry["to_status"], entry["event_id"]) for entry in entries]


async def parked(sales: Sales) -> list[str]:
    rows = await sales.rows("SELECT event_id FROM parked_events WHERE resolved_at IS NULL ORDER BY event_id")
    return [row["event_id"] for row in rows]


async def time_passes_for_parked_events(sales: Sales) -> None:
    await sales.rows("UPDATE parked_events SET next_attempt_at = now() RETURNING 1")
    await sales.service.consumer.retry_due()


async def told(sales: Sales) -> list[str]:
    return [event["event_type"] for event in await sales.published() if event["event_type"] != "order.created"]
