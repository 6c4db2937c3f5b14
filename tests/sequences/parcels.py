"""Orders on their way to the walks that are about their parcels."""

from datetime import timedelta
from typing import Any

from .cast import CARRIER, Cast

_SOON = timedelta(milliseconds=200)
BY_ITSELF: dict[str, dict[str, Any]] = {
    "delivery": {"autopilot": True, "dispatch_after": _SOON, "deliver_after": _SOON}
}
"""What services are told for a walk without warehouse and carrier."""
SETS = {"product_id": "product_456", "quantity": 2}


async def places_order(cast: Cast, *items: dict[str, Any]) -> str:
    """Its id, as soon as there is a parcel for it."""
    placed = await cast.customer.post("sales", "/orders", {"items": [*items] or [SETS]})
    assert placed.status == 201, placed
    await parcel(cast, placed["order_id"])
    return str(placed["order_id"])


async def parcel(cast: Cast, order_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def is_there() -> bool:
        found.extend((await cast.staff.get("delivery", f"/shipments?order_id={order_id}"))["items"])
        return bool(found)

    await cast.eventually(is_there)
    return found[0]


async def dispatches(cast: Cast, order_id: str) -> Any:
    """With a label, the same in each walk: each has databases of its own."""
    shipment_id = (await parcel(cast, order_id))["shipment_id"]
    label = {"carrier": CARRIER, "tracking_number": "TRK123456789"}
    return await cast.staff.post("delivery", f"/shipments/{shipment_id}/dispatch", label)


async def ships_order(cast: Cast) -> dict[str, Any]:
    """The parcel, when everybody has heard that it has left."""
    order_id = await places_order(cast)
    shipped = await dispatches(cast, order_id)
    assert shipped.status == 200, shipped
    await cast.is_told(f"On its way: your order {order_id}")
    return dict(shipped.body)


async def status(cast: Cast, order_id: str) -> str:
    return str((await cast.customer.get("sales", f"/orders/{order_id}"))["status"])
