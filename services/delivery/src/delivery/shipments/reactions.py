"""What Delivery does when something happened elsewhere, in the order of an order's life."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.consumer import Received
from chassis.ids import uuid7
from chassis.tracing import traceparents
from contracts.sales import OrderCreated

from .model import READY
from .storing import prepare

_TO_PACK = {"product_id", "variant_id", "quantity"}


async def prepare_shipments(session: AsyncSession, created: Sequence[Received[OrderCreated]]) -> None:
    """One shipment per order, however often its creation is told."""
    now = datetime.now(UTC)
    await prepare(session, [_ready(one.event, now, trace) for one, trace in zip(created, traceparents(), strict=True)])


def _ready(order: OrderCreated, now: datetime, traceparent: str) -> dict[str, Any]:
    items = [item.model_dump(mode="json", include=_TO_PACK, exclude_none=True) for item in order.items]
    return {
        "id": uuid7(),
        "order_id": order.order_id,
        "reservation_id": order.reservation_id,
        "status": READY,
        "order_status": order.status,
        "items": json.dumps(items),
        "shipping_address": order.shipping_address.model_dump_json(exclude_none=True),
        "created_at": now,
        "traceparent": traceparent,
    }
