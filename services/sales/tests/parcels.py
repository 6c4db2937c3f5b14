"""Parcels for the tests of tracking, as Delivery tells of them, and as their customers see them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from chassis.broker import Message
from chassis.ids import uuid7
from contracts.delivery.shipments import ShipmentUpdated
from contracts.envelope import Envelope

from .factories import Sales, on_the_wire

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
TUESDAY = datetime(2026, 3, 3, 9, tzinfo=UTC)
FIRST: Mapping[str, Any] = {"tracking_number": "TRK-1", "carrier": "FedEx", "tracking_url": "https://fedex.test/TRK-1"}
SECOND: Mapping[str, Any] = {"tracking_number": "TRK-2", "carrier": "DHL", "tracking_url": "https://dhl.test/TRK-2"}


def shipment_id(order_id: UUID, number: int) -> UUID:
    return uuid5(NAMESPACE_OID, f"{order_id}/{number}")


def word_on(
    order_id: UUID,
    number: int,
    version: int,
    status: str = "READY",
    items: Mapping[str, int] | Sequence[Mapping[str, Any]] = MappingProxyType({"lamp": 1}),
    **more: Any,
) -> ShipmentUpdated:
    """Delivery's, on one parcel."""
    if isinstance(items, Mapping):
        items = [{"product_id": name, "quantity": quantity} for name, quantity in items.items()]
    return ShipmentUpdated.model_validate(
        {
            "shipment_id": shipment_id(order_id, number),
            "order_id": order_id,
            "number": number,
            "version": version,
            "status": status,
            "items": items,
            **more,
        }
    )


def parcel(*what: Any, event_id: str | None = None, **more: Any) -> Message:
    """As it is on the wire."""
    return on_the_wire(Envelope.around(word_on(*what, **more), event_id or str(uuid7()), MONDAY).encode())


async def tracked(sales: Sales, order_id: UUID, customer: str = "grace") -> dict[str, Any]:
    answer = await sales.get(f"/{order_id}/tracking", customer)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def parcels(sales: Sales, order_id: UUID) -> list[tuple[int, str, dict[str, int], str | None]]:
    """Number, status, what is in it, and its tracking number."""
    return [
        (
            each["number"],
            each["status"],
            {item["product_id"]: item["quantity"] for item in each["items"]},
            each["tracking_number"],
        )
        for each in (await tracked(sales, order_id))["parcels"]
    ]
