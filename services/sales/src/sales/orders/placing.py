"""Placing an order: attempt, reservation, order; each is written down before the next begins."""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from chassis.coalescer import Coalescer
from chassis.db import Database
from chassis.errors import Invalid, KeyReused, Unavailable
from chassis.failpoints import failpoint
from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.refusals import envelope
from chassis.steps import step
from chassis.tracing import traceparents
from contracts.product import RequestedItem, Reservation, ReservationState, ReservationView
from contracts.sales import OrderCreated, OrderedItem, OrderItem, OrderStatus, PlaceOrder, ShippingAddress
from contracts.text import MAX_QUANTITY
from sales.customers.addresses import address_for

from .attempts import Attempt, Attempts, Request
from .model import Order, OrderLine
from .reading import view
from .stock import Stock
from .writing import create_orders

_LONGEST: Final = timedelta(seconds=10)
_FIRST_LOOK, _LATER_LOOKS = 0.02, 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What the customer is told, now and whenever the same request comes again."""

    status: int
    body: str
    replayed: bool = False


class Placing:
    def __init__(self, database: Database, stock: Stock) -> None:
        self._database = database
        self._stock = stock
        self._attempts = Attempts(database)
        self._create_order: Coalescer[tuple[Order, str], bool] = Coalescer(self._create_orders)

    @step("OrderService", "placeOrder")
    async def place(self, customer_id: str, order: PlaceOrder, key: str | None) -> Answer:
        items = add_up(order.items)
        address = await address_for(self._database, customer_id, order.shipping_address)
        request = Request(customer_id, key, hashlib.sha256(order.model_dump_json().encode()).digest())
        try:
            async with asyncio.timeout(_LONGEST.total_seconds()):
                found = await self._claim(request)
                if isinstance(found, Answer):
                    return found
                await failpoint("sales.order.attempted")
                return await self._pursue(found.id, customer_id, order.note, items, address)
        except TimeoutError:
            raise Unavailable("The order could not be placed in time. Please try again with the same key.") from None

    async def close(self) -> None:
        await self._attempts.close()
        await self._stock.close()
        await self._create_order.close()

    async def _claim(self, request: Request) -> Attempt | Answer:
        """An attempt of our own, or the answer that the key has; while another request has it we wait for that."""
        pause = _FIRST_LOOK
        while True:
            attempt = await self._attempts.claim(request)
            if attempt.is_ours:
                return attempt
            if not attempt.same_request:
                raise KeyReused("This Idempotency-Key was used before, for another order.")
            if attempt.answer:
                return Answer(*attempt.answer, replayed=True)
            if attempt.lapsed and await self._attempts.take_over(attempt.id):
                return attempt
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LATER_LOOKS)

    async def _pursue(
        self, attempt_id: UUID, customer_id: str, note: str | None, items: Sequence[OrderItem], address: ShippingAddress
    ) -> Answer:
        try:
            requested = [RequestedItem(**dict(item)) for item in items]
            reservation = await self._stock.reserve(Reservation(reservation_id=attempt_id, items=requested))
            await failpoint("sales.order.reserved")
            if reservation.state == ReservationState.REFUSED:
                return await self._refuse(attempt_id, reservation)
            if reservation.state != ReservationState.HELD:
                raise Unavailable("The order took too long and its stock was given back. Please try again.")
            order = _order(customer_id, note, address, reservation)
            order.check_total()
            answer = view(order).model_dump_json()
            if not await self._create_order((order, answer)):
                raise Unavailable("The order took too long and was given up. Please try again.")
        except Exception:
            # A retry with the same key may go on from here at once; without one the sweep gives the stock back.
            with suppress(Unavailable):
                await self._attempts.let_go(attempt_id)
            raise
        await failpoint("sales.order.created")
        return Answer(201, answer)

    async def _refuse(self, attempt_id: UUID, reservation: ReservationView) -> Answer:
        short = [
            {
                "field": f"items.{number}.quantity",
                "message": f"{item.available} available, {item.requested} asked for.",
                **item.model_dump(mode="json", include=_SHOWN, exclude_none=True),
            }
            for number, item in enumerate(reservation.items)
            if not item.is_available
        ]
        response = envelope(400, "INSUFFICIENT_STOCK", "Not all items are available; no order was made.", short)
        body = bytes(response.body).decode()
        await self._attempts.refuse((attempt_id, body))
        return Answer(400, body)

    @step("OrderAggregate", "createOrder")
    async def _create_orders(self, new: Sequence[tuple[Order, str]]) -> list[bool]:
        orders = [order for order, _ in new]
        async with self._database.begin() as session:
            created = await create_orders(session, orders, [answer for _, answer in new])
            for order, trace in zip(orders, traceparents(), strict=True):
                if order.id in created:
                    publish(session, _created(order), traceparent=trace)
            await failpoint("sales.order.creating")
        return [order.id in created for order in orders]


_SHOWN: Final = {"product_id", "variant_id", "requested", "available", "is_available"}


def add_up(items: Sequence[OrderItem]) -> list[OrderItem]:
    """The same product twice is one line; the lines keep the order in which their products came first."""
    summed: dict[tuple[str, UUID | None], int] = {}
    for number, item in enumerate(items):
        quantity = summed.get((item.product_id, item.variant_id), 0) + item.quantity
        if quantity > MAX_QUANTITY:
            detail = {"field": f"items.{number}.quantity", "message": f"This must be at most {MAX_QUANTITY} in all."}
            raise Invalid("The request is not valid. The details say why.", [detail])
        summed[item.product_id, item.variant_id] = quantity
    return [
        OrderItem(product_id=product_id, variant_id=variant_id, quantity=quantity)
        for (product_id, variant_id), quantity in summed.items()
    ]


def _order(customer_id: str, note: str | None, address: ShippingAddress, reservation: ReservationView) -> Order:
    lines = [
        OrderLine(item.product_id, item.variant_id, item.name or item.product_id, item.requested, item.unit_price or 0)
        for item in reservation.items
    ]
    now = datetime.now(UTC)
    return Order(
        id=uuid7(),
        customer_id=customer_id,
        status=OrderStatus.PENDING_SHIPMENT,
        reservation_id=reservation.reservation_id,
        lines=lines,
        subtotal=sum(line.subtotal for line in lines),
        shipping_cost=0,
        currency=reservation.items[0].currency or "",
        shipping_address=address,
        created_at=now,
        updated_at=now,
        note=note,
    )


def _created(order: Order) -> OrderCreated:
    items = [
        OrderedItem(
            product_id=line.product_id,
            variant_id=line.variant_id,
            quantity=line.quantity,
            unit_price=line.unit_price,
        )
        for line in order.lines
    ]
    return OrderCreated(
        order_id=order.id,
        reservation_id=order.reservation_id,
        customer_id=order.customer_id,
        status=order.status,
        items=items,
        total=order.total,
        currency=order.currency,
        shipping_address=order.shipping_address,
        created_at=order.created_at,
    )
