"""Delivery in the usual way: looks for parcels, and ships or delivers several at once, each in its own transaction."""

import asyncio
from contextlib import AsyncExitStack
from random import choices
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from . import tables
from .forms import Settled
from .process import Given, Process, consume, event, poll_outbox, running, service

_CARRIER = "OrderFlow Express"
_AT_ONCE = 8
_MOST = 100
_LOOK_EVERY = 0.1


def application(given: Given) -> FastAPI:
    return service(given, _start)


async def _start(process: Process, stack: AsyncExitStack) -> None:
    consuming = consume(process, "delivery", tables.DeliveryInbox, {"order.created": "sales.events"}, _prepare)
    polling = poll_outbox(process, tables.DeliveryOutbox, "delivery.events")
    dispatching, delivering = _work(process, "READY", _dispatch), _work(process, "SHIPPED", _deliver)
    await stack.enter_async_context(running(consuming, polling, dispatching, delivering))


async def _prepare(session: AsyncSession, heard: dict[str, Any]) -> None:
    order = heard["data"]
    session.add(
        tables.Shipment(
            order_id=UUID(order["order_id"]),
            reservation_id=UUID(order["reservation_id"]),
            items=[{"product_id": item["product_id"], "quantity": item["quantity"]} for item in order["items"]],
            shipping_address=order["shipping_address"],
        )
    )


async def _work(process: Process, status: str, step: Any) -> None:
    """Looks for what there is to do, and does several of it at once."""
    ids = select(tables.Shipment.id).where(tables.Shipment.status == status).order_by(tables.Shipment.id)
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def one(shipment_id: UUID) -> None:
        async with at_once, process.sessions.begin() as session:
            shipment = await session.get(tables.Shipment, shipment_id, with_for_update=True)
            if shipment is not None and shipment.status == status:
                await step(process, session, shipment)

    while True:
        async with process.sessions() as session:
            found = (await session.scalars(ids.limit(_MOST))).all()
        await asyncio.gather(*map(one, found))
        if not found:
            await asyncio.sleep(_LOOK_EVERY)


async def _dispatch(process: Process, session: AsyncSession, shipment: tables.Shipment) -> None:
    answer = await process.product.post(f"/reservations/{shipment.reservation_id}/deduction")
    answer.raise_for_status()
    if not Settled.model_validate_json(answer.content).done:
        shipment.status = "STOPPED"
        return
    shipment.status, shipment.shipped_at, shipment.carrier = "SHIPPED", tables.now(), _CARRIER
    shipment.tracking_number = "TRK" + "".join(choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=12))
    about = {
        "order_id": shipment.order_id,
        "previous_status": "PENDING_SHIPMENT",
        "current_status": "SHIPPED",
        "tracking_number": shipment.tracking_number,
        "carrier": shipment.carrier,
    }
    session.add(tables.DeliveryOutbox(**event("delivery", "order.status_updated", about)))


async def _deliver(_: Process, session: AsyncSession, shipment: tables.Shipment) -> None:
    shipment.status, shipment.delivered_at, shipment.delivery_location = "DELIVERED", tables.now(), "Front door"
    about = {
        "order_id": shipment.order_id,
        "previous_status": "SHIPPED",
        "current_status": "DELIVERED",
        "delivered_at": shipment.delivered_at,
        "delivery_location": shipment.delivery_location,
    }
    session.add(tables.DeliveryOutbox(**event("delivery", "order.status_updated", about)))
