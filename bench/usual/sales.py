"""Sales in the usual way: an attempt, a call to Product, an order; each order by itself."""

import hashlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from chassis.ids import uuid7

from . import tables
from .forms import Address, OrderItemView, OrderView, PlaceOrder, QuotedItem, ReservationView
from .process import Given, Process, consume, event, poll_outbox, running, service

_CUSTOMER = "customer_demo"


def application(given: Given) -> FastAPI:
    app = service(given, _start)

    @app.post("/api/v1/orders", status_code=201, response_model=OrderView, responses={400: {}})
    async def place(wanted: PlaceOrder, request: Request) -> OrderView | JSONResponse:
        process: Process = request.app.state.process
        attempt = tables.Attempt(
            customer_id=_CUSTOMER,
            request_hash=hashlib.sha256(wanted.model_dump_json().encode()).digest(),
            lease_until=tables.now() + timedelta(seconds=20),
        )
        async with process.sessions.begin() as session:
            session.add(attempt)
        promise = await _reserve(process, attempt.id, wanted)
        async with process.sessions.begin() as session:
            session.add(attempt)
            if promise.state != "HELD":
                details = [item.model_dump(mode="json") for item in promise.items if not item.is_available]
                error = {"error": {"code": "INSUFFICIENT_STOCK", "message": "Not available.", "details": details}}
                attempt.state, attempt.answer_status, attempt.answer = "refused", 400, str(error)
                return JSONResponse(error, 400)
            order = _order(attempt.id, wanted, promise.items)
            session.add(order)
            answer = _view(order)
            attempt.state, attempt.order_id, attempt.answer_status = "placed", order.id, 201
            attempt.answer = answer.model_dump_json()
            session.add(tables.SalesOutbox(**event("sales", "order.created", _created(order))))
        return answer

    return app


async def _start(process: Process, stack: AsyncExitStack) -> None:
    bindings = {"order.status_updated": "delivery.events"}
    consuming = consume(process, "sales", tables.SalesInbox, bindings, _follow)
    polling = poll_outbox(process, tables.SalesOutbox, "sales.events")
    await stack.enter_async_context(running(consuming, polling))


async def _reserve(process: Process, attempt_id: UUID, wanted: PlaceOrder) -> ReservationView:
    items = [item.model_dump() for item in wanted.items]
    answer = await process.product.post("/reservations", json={"reservation_id": str(attempt_id), "items": items})
    answer.raise_for_status()
    return ReservationView.model_validate_json(answer.content)


def _order(attempt_id: UUID, wanted: PlaceOrder, promised: Sequence[QuotedItem]) -> tables.Order:
    items = [
        tables.OrderItem(
            line=line,
            product_id=item.product_id,
            name=item.name or "",
            quantity=item.requested,
            unit_price=int((item.unit_price or Decimal(0)) * 100),
        )
        for line, item in enumerate(promised, start=1)
    ]
    total = sum(item.quantity * item.unit_price for item in items)
    return tables.Order(
        id=uuid7(),
        customer_id=_CUSTOMER,
        status="PENDING_SHIPMENT",
        reservation_id=attempt_id,
        subtotal=total,
        shipping_cost=0,
        total=total,
        currency="EUR",
        shipping_address=wanted.shipping_address.model_dump(exclude_none=True),
        note=wanted.note,
        created_at=tables.now(),
        updated_at=tables.now(),
        items=items,
        history=[tables.OrderChange(to_status="PENDING_SHIPMENT", actor=_CUSTOMER)],
    )


def _view(order: tables.Order) -> OrderView:
    return OrderView(
        order_id=order.id,
        customer_id=order.customer_id,
        status=order.status,
        items=[
            OrderItemView(
                product_id=item.product_id,
                name=item.name,
                quantity=item.quantity,
                unit_price=_money(item.unit_price),
                subtotal=_money(item.quantity * item.unit_price),
            )
            for item in order.items
        ],
        subtotal=_money(order.subtotal),
        shipping_cost=_money(order.shipping_cost),
        total=_money(order.total),
        currency=order.currency,
        shipping_address=Address(**order.shipping_address),
        note=order.note,
        created_at=order.created_at,
        updated_at=order.updated_at,
        allowed_actions=["cancel"],
    )


def _created(order: tables.Order) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "reservation_id": order.reservation_id,
        "customer_id": order.customer_id,
        "status": order.status,
        "items": [
            {
                "product_id": item.product_id,
                "name": item.name,
                "quantity": item.quantity,
                "unit_price": _money(item.unit_price),
            }
            for item in order.items
        ],
        "shipping_cost": _money(order.shipping_cost),
        "total": _money(order.total),
        "currency": order.currency,
        "shipping_address": order.shipping_address,
        "created_at": order.created_at,
    }


async def _follow(session: Any, heard: dict[str, Any]) -> None:
    data = heard["data"]
    order = await session.get(tables.Order, UUID(data["order_id"]), with_for_update=True)
    if order is None or order.status != data["previous_status"]:
        raise LookupError("what comes before it has not been heard of yet")
    session.add(
        tables.OrderChange(
            order_id=order.id,
            from_status=order.status,
            to_status=data["current_status"],
            actor="delivery-service",
            event_id=heard["event_id"],
        )
    )
    order.status = data["current_status"]
    about = {"order_id": order.id, "customer_id": order.customer_id}
    if order.status == "SHIPPED":
        order.tracking_number, order.carrier = data["tracking_number"], data["carrier"]
        order.shipped_at = datetime.fromisoformat(heard["timestamp"])
        by = {"tracking_number": order.tracking_number, "carrier": order.carrier, "shipped_at": order.shipped_at}
        session.add(tables.SalesOutbox(**event("sales", "order.shipped", about | by)))
    else:
        order.delivered_at = datetime.fromisoformat(data["delivered_at"])
        order.delivery_location = data["delivery_location"]
        where = {"delivered_at": order.delivered_at, "delivery_location": order.delivery_location}
        session.add(tables.SalesOutbox(**event("sales", "order.delivered", about | where)))


def _money(minor: int) -> Decimal:
    return Decimal(minor).scaleb(-2)
