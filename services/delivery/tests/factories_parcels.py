"""Orders in several parcels, for the tests of those."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from httpx import Response

from contracts.sales.orders import OrderCreated, OrderedItem
from tests.harness.platform import until

from .factories import Desk, an_order
from .factories_desk import Clerk

A, B = "product_456", "product_789"


def a_large_order(**told: Any) -> OrderCreated:
    """Six pieces of one thing and three of another."""
    items = [OrderedItem(product_id=A, quantity=6, unit_price=100), OrderedItem(product_id=B, quantity=3, unit_price=5)]
    return an_order(**{"items": items, "total": 615, **told})


def some(**quantities: int) -> dict[str, Any]:
    """`some(product_456=2)`: what goes into a parcel of its own."""
    return {"items": [{"product_id": product_id, "quantity": n} for product_id, n in quantities.items()]}


async def split(desk: Desk, shipment: Mapping[str, Any], body: object, key: str | None = None) -> Response:
    return await Clerk(desk).post(f"/shipments/{shipment['shipment_id']}/split", body, key)


async def in_parcels(desk: Desk, *quantities: int, order: OrderCreated | None = None) -> list[dict[str, Any]]:
    """One order in several parcels: these many pieces of A in each further one, and the rest in the first."""
    first = await desk.ready(order or a_large_order())
    for quantity in quantities:
        answer = await split(desk, first, some(**{A: quantity}))
        assert answer.status_code == 201, answer.text
    return await parcels_of(desk, first)


async def parcels_of(desk: Desk, shipment: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = (await desk.get(f"?order_id={shipment['order_id']}")).json()["items"]
    return sorted(found, key=lambda parcel: parcel["number"])


async def told_of(desk: Desk, event_type: str) -> list[dict[str, Any]]:
    return [event["data"] for event in await desk.published() if event["event_type"] == event_type]


async def order_statuses(desk: Desk) -> list[str]:
    return [event["current_status"] for event in await told_of(desk, "order.status_updated")]


def content(parcels: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """What they hold together."""
    pieces = Counter[str]()
    for parcel in parcels:
        for item in parcel["items"]:
            pieces[item["product_id"]] += item["quantity"]
    return pieces


async def until_somebody_waits(desk: Desk, how_many: int = 1) -> None:
    """For a lock that another transaction holds."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async def they_wait() -> bool:
        return len(await desk.query(waiting)) >= how_many

    await until(they_wait, within=10, every=0.01)
