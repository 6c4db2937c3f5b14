"""What Delivery does when something happened elsewhere, in the order of an order's life."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.consumer import Postponed, Received
from chassis.db import wakes
from chassis.ids import uuid7
from chassis.steps import step
from chassis.telemetry import logger
from chassis.tracing import traceparents, working_for
from contracts.sales.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderedItem, OrderStatus

from .model import NEXT, ON_HOLD, READY, STOPPED, Shipment
from .siblings import Parcels, take_orders
from .storing import TO_DISPATCH, prepare, save

_SALES = "sales"

News = Sequence[Received[OrderConfirmed]] | Sequence[Received[OrderCancelled]]

log = logger("reactions")


async def prepare_shipments(session: AsyncSession, created: Sequence[Received[OrderCreated]]) -> None:
    """One shipment per order, however often its creation is told."""
    now = datetime.now(UTC)
    new = [_new(one.event, now, trace) for one, trace in zip(created, traceparents(), strict=True)]
    await prepare(session, new)
    if any(each["status"] == READY for each in new):
        wakes(session, TO_DISPATCH)


async def release_shipments(session: AsyncSession, confirmed: Sequence[Received[OrderConfirmed]]) -> list[Postponed]:
    """Parcels of orders that are paid for may leave."""
    orders = await take_orders(session, {one.event.order_id for one in confirmed})
    released = [shipment for parcels in orders.values() for shipment in parcels if shipment.status == ON_HOLD]
    for shipment, trace in _traced(released, confirmed):
        with working_for([trace]):
            _release(shipment)
            record(
                session, _SALES, "shipment.released", shipment.id, before={"status": ON_HOLD}, after={"status": READY}
            )
    if released:
        await save(session, released)
        wakes(session, TO_DISPATCH)
    return _not_heard_of(confirmed, orders)


async def stop_shipments(session: AsyncSession, cancelled: Sequence[Received[OrderCancelled]]) -> list[Postponed]:
    """Their stock is given back already, so a dispatch that runs at this moment gets none and ends by itself."""
    orders = await take_orders(session, {one.event.order_id for one in cancelled})
    stopped = [shipment for parcels in orders.values() for shipment in parcels if _can_stop(shipment)]
    for shipment, trace in _traced(stopped, cancelled):
        before = {"status": shipment.status}
        with working_for([trace]):
            _stop(shipment)
            after = {"status": STOPPED, "stop_reason": shipment.stop_reason}
            record(session, _SALES, "shipment.stopped", shipment.id, before=before, after=after)
    if stopped:
        await save(session, stopped)
    return _not_heard_of(cancelled, orders)


def _can_stop(shipment: Shipment) -> bool:
    if shipment.status != STOPPED and STOPPED not in NEXT[shipment.status]:
        # Product gave this order's stock both back and away, which it must not: for a human.
        log.error("cancelled_after_dispatch", shipment_id=str(shipment.id), status=shipment.status)
    return STOPPED in NEXT[shipment.status]


def _not_heard_of(news: News, orders: Mapping[UUID, Parcels]) -> list[Postponed]:
    return [
        Postponed(one.event_id, "The order's creation has not been heard of yet.")
        for one in news
        if one.event.order_id not in orders
    ]


@step("ShipmentAggregate", "releaseShipment")
def _release(shipment: Shipment) -> None:
    shipment.release()


@step("ShipmentAggregate", "stopShipment")
def _stop(shipment: Shipment) -> None:
    shipment.stop("The order was cancelled.")


def _traced(shipments: Sequence[Shipment], news: News) -> list[tuple[Shipment, str]]:
    """Each with the trace of what became of its order."""
    order_ids = [one.event.order_id for one in news]
    traces = dict(zip(order_ids, traceparents(), strict=True))
    return [(shipment, traces[shipment.order_id]) for shipment in shipments]


def _new(order: OrderCreated, now: datetime, traceparent: str) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "order_id": order.order_id,
        "reservation_id": order.reservation_id,
        "status": ON_HOLD if order.status == OrderStatus.PENDING else READY,
        "order_status": order.status,
        "items": json.dumps([_to_pack(item) for item in order.items]),
        "shipping_address": order.shipping_address.model_dump_json(exclude_none=True),
        "created_at": now,
        "traceparent": traceparent,
    }


def _to_pack(item: OrderedItem) -> dict[str, Any]:
    variant = {} if item.variant_id is None else {"variant_id": str(item.variant_id)}
    return {"product_id": item.product_id, **variant, "quantity": item.quantity}
