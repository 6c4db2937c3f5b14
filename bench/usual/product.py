"""Product in the usual way: a reservation locks the stock that it wants, in the order of its key."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from . import tables
from .forms import QuotedItem, ReservationView, Reserve, Settled
from .process import Given, Process, event, poll_outbox, running, service


def application(given: Given) -> FastAPI:
    app = service(given, _start)

    @app.post("/reservations", response_model=ReservationView)
    async def reserve(wanted: Reserve, request: Request) -> ReservationView:
        process: Process = request.app.state.process
        async with process.sessions.begin() as session:
            stock = await _lock(session, [item.product_id for item in wanted.items])
            items = [_quote(item.product_id, item.quantity, stock) for item in wanted.items]
            is_held = all(item.is_available for item in items)
            view = ReservationView(
                reservation_id=wanted.reservation_id,
                state="HELD" if is_held else "REFUSED",
                all_available=is_held,
                items=items,
            )
            answer = [item.model_dump(mode="json") for item in items]
            reservation = tables.Reservation(id=view.reservation_id, state=view.state, answer=answer, lines=[])
            session.add(reservation)
            if is_held:
                _hold(session, reservation, items, stock)
        return view

    @app.post("/reservations/{reservation_id}/deduction", response_model=Settled)
    async def deduct(reservation_id: UUID, request: Request) -> Settled:
        process: Process = request.app.state.process
        async with process.sessions.begin() as session:
            reservation = await session.get(tables.Reservation, reservation_id, with_for_update=True)
            if reservation is None:
                return Settled(reservation_id=reservation_id, state="UNKNOWN", done=False)
            if reservation.state == "HELD":
                stock = await _lock(session, [line.product_id for line in reservation.lines])
                _take(session, reservation, stock)
            state = reservation.state
        return Settled(reservation_id=reservation_id, state=state, done=state == "DEDUCTED")

    return app


async def _start(process: Process, stack: AsyncExitStack) -> None:
    await stack.enter_async_context(running(poll_outbox(process, tables.ProductOutbox, "product.events")))


async def _lock(session: AsyncSession, product_ids: Sequence[str]) -> dict[str, tables.Stock]:
    wanted = select(tables.Stock).where(tables.Stock.product_id.in_(product_ids)).order_by(tables.Stock.product_id)
    locked = wanted.options(joinedload(tables.Stock.product)).with_for_update(of=tables.Stock)
    return {row.product_id: row for row in await session.scalars(locked)}


def _quote(product_id: str, quantity: int, stock: dict[str, tables.Stock]) -> QuotedItem:
    found = stock.get(product_id)
    available = found.on_hand - found.reserved if found else 0
    return QuotedItem(
        product_id=product_id,
        requested=quantity,
        available=available,
        is_available=quantity <= available,
        name=found.product.name if found else None,
        unit_price=Decimal(found.product.price).scaleb(-2) if found else None,
        currency=found.product.currency if found else None,
    )


def _hold(
    session: AsyncSession,
    reservation: tables.Reservation,
    items: Sequence[QuotedItem],
    stock: dict[str, tables.Stock],
) -> None:
    for number, item in enumerate(items, start=1):
        stock[item.product_id].reserved += item.requested
        reservation.lines.append(
            tables.ReservationLine(line=number, product_id=item.product_id, quantity=item.requested)
        )
        session.add(_movement(reservation.id, "reserved", item.product_id, 0, item.requested))
    session.add(tables.ProductOutbox(**_event("inventory.reserved", reservation)))


def _take(session: AsyncSession, reservation: tables.Reservation, stock: dict[str, tables.Stock]) -> None:
    reservation.state, reservation.settled_at = "DEDUCTED", tables.now()
    for line in reservation.lines:
        stock[line.product_id].reserved -= line.quantity
        stock[line.product_id].on_hand -= line.quantity
        session.add(_movement(reservation.id, "deducted", line.product_id, -line.quantity, -line.quantity))
    session.add(tables.ProductOutbox(**_event("inventory.deducted", reservation)))


def _movement(cause: UUID, kind: str, product_id: str, on_hand: int, reserved: int) -> tables.Movement:
    actor = "sales" if kind == "reserved" else "delivery"
    return tables.Movement(
        product_id=product_id, kind=kind, on_hand_change=on_hand, reserved_change=reserved, cause=cause, actor=actor
    )


def _event(kind: str, reservation: tables.Reservation) -> dict[str, Any]:
    items = [{"product_id": line.product_id, "quantity": line.quantity} for line in reservation.lines]
    return event("product", kind, {"reservation_id": reservation.id, "items": items}, is_heard=False)
