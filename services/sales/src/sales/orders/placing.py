"""Placing an order: attempt, reservation, order; each is written down before the next begins."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from chassis.coalescer import Coalescer
from chassis.db import Database
from chassis.errors import KeyReused, Unavailable
from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.refusals import envelope, status_of
from chassis.steps import step
from chassis.telemetry import logger
from chassis.tracing import traceparents
from contracts.product import Reservation
from contracts.sales import PlaceOrder
from sales.customers.addresses import AddressBook

from .attempts import Attempt, Attempts, Request
from .drafting import Wanted, add_up, created, draft
from .model import Order
from .reading import view
from .stock import GivenBack, Held, InsufficientStock, Promise, Short, Stock
from .writing import create_orders

_LONGEST: Final = timedelta(seconds=10)
_FIRST_LOOK, _LATER_LOOKS = 0.02, 0.2

log = logger("placing")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the customer is told, now and whenever the same request comes again."""

    status: int
    body: str
    replayed: bool = False


class Placing:
    def __init__(self, database: Database, stock: Stock) -> None:
        self._database = database
        self._addresses = AddressBook(database)
        self._stock = stock
        self._attempts = Attempts(database)
        self._create_order: Coalescer[tuple[Order, str], bool] = Coalescer(self._create_orders)

    @step("OrderService", "placeOrder")
    async def place(self, customer_id: str, order: PlaceOrder, key: str | None) -> Answer:
        items = add_up(order.items)
        request = Request(customer_id, key, hashlib.sha256(order.model_dump_json().encode()).digest())
        try:
            async with asyncio.timeout(_LONGEST.total_seconds()):
                address = await self._addresses.address_for(customer_id, order.shipping_address)
                found = await self._claim(request)
                if isinstance(found, Answer):
                    return found
                return await self._pursue(found.id, Wanted(customer_id, order.items, items, address, order.note))
        except TimeoutError:
            raise Unavailable("The order could not be placed in time. Please try again with the same key.") from None

    async def close(self) -> None:
        await self._addresses.close()
        await self._stock.close()
        await self._create_order.close()
        await self._attempts.close()

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

    async def _pursue(self, attempt_id: UUID, wanted: Wanted) -> Answer:
        try:
            await failpoint("sales.order.attempted")
            promise = await self._stock.reserve(Reservation(reservation_id=attempt_id, items=list(wanted.items)))
            await failpoint("sales.order.reserved")
            answer = await self._settle(attempt_id, wanted, promise)
        except (Exception, asyncio.CancelledError):
            await self._let_go(attempt_id)
            raise
        await failpoint("sales.order.answered")
        return answer

    async def _settle(self, attempt_id: UUID, wanted: Wanted, promise: Promise) -> Answer:
        match promise:
            case Held():
                return await self._create(attempt_id, draft(wanted, promise))
            case Short():
                return await self._refuse(attempt_id, InsufficientStock(wanted.asked, promise.items))
            case GivenBack():
                raise Unavailable("The order took too long and its stock was given back. Please try again.")

    async def _create(self, attempt_id: UUID, order: Order) -> Answer:
        body = view(order).model_dump_json()
        if await self._create_order((order, body)):
            return Answer(201, body)
        # A retry that took the attempt over was faster, or the sweep was.
        if settled := await self._attempts.answer_of(attempt_id):
            return Answer(*settled, replayed=True)
        raise Unavailable("The order took too long and was given up. Please try again.")

    async def _refuse(self, attempt_id: UUID, refused: InsufficientStock) -> Answer:
        status = status_of(type(refused))
        body = bytes(envelope(status, refused.code, refused.message, refused.details).body).decode()
        await self._attempts.refuse((attempt_id, status, body))
        return Answer(status, body)

    async def _let_go(self, attempt_id: UUID) -> None:
        """A retry with the same key may go on from here at once; without one the sweep gives the stock back."""
        try:
            # Bounded, because its lease ends anyhow: the customer need not wait for this.
            async with asyncio.timeout(1):
                await self._attempts.let_go(attempt_id)
        except Exception as error:
            log.warning("attempt_kept", attempt_id=str(attempt_id), reason=f"{type(error).__name__}: {error}")

    @step("OrderAggregate", "createOrder")
    async def _create_orders(self, new: Sequence[tuple[Order, str]]) -> list[bool]:
        orders = [order for order, _ in new]
        async with self._database.begin() as session:
            done = await create_orders(session, orders, [answer for _, answer in new])
            for order, trace in zip(orders, traceparents(), strict=True):
                if order.id in done:
                    publish(session, created(order), traceparent=trace)
            await failpoint("sales.order.creating")
        await failpoint("sales.order.created")
        return [order.id in done for order in orders]
