"""From the order to the door, without a cart, a card or people: the flow that everything else stands on."""

from typing import Any

import pytest

from .cast import Cast
from .parcels import BY_ITSELF, parcel, status

ITEMS = [{"product_id": "product_456", "quantity": 2}, {"product_id": "product_789", "quantity": 1}]


@pytest.fixture
def settings() -> dict[str, dict[str, Any]]:
    return BY_ITSELF


@pytest.mark.sequence("SEQ-CORE-001")
async def test_an_order_of_what_is_there_is_shipped_and_delivered(cast: Cast) -> None:
    placed = await cast.customer.post("sales", "/orders", {"items": ITEMS})
    for subject in ("On its way", "Delivered"):
        await cast.is_told(f"{subject}: your order {placed['order_id']}")

    timeline = await cast.customer.get("sales", f"/orders/{placed['order_id']}/timeline")
    assert (placed.status, placed["status"]) == (201, "PENDING_SHIPMENT")
    assert [entry["to_status"] for entry in timeline["entries"]] == ["PENDING_SHIPMENT", "SHIPPED", "DELIVERED"]
    assert (await parcel(cast, placed["order_id"]))["status"] == "DELIVERED"
    assert await status(cast, placed["order_id"]) == "DELIVERED"


@pytest.mark.sequence("SEQ-CORE-001", exception="INSUFFICIENT_STOCK")
async def test_of_what_is_not_there_no_order_is_made(cast: Cast) -> None:
    refused = await cast.customer.post("sales", "/orders", {"items": [ITEMS[0], {**ITEMS[1], "quantity": 51}]})

    assert (refused.status, refused.code) == (400, "INSUFFICIENT_STOCK")
    assert [(short["product_id"], short["available"]) for short in refused["error"]["details"]] == [("product_789", 50)]
    assert (await cast.customer.get("sales", "/orders"))["items"] == []
    assert (await cast.visitor.get("product", "/products/product_456"))["available"] == 150
