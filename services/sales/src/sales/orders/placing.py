"""Placing an order: attempt, reservation, order; each is written down before the next begins."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from chassis.coalescer import Coalescer
from chassis.db import Database
from chassis.errors import Unavailable
from chassis.failpoints import failpoint
from chassis.outbox import told
from chassis.steps import note_event, step
from chassis.tracing import traceparents
from contracts.product.inventory import Reservation
from contracts.sales.orders import PlaceOrder
from sales.customers.addresses import AddressBook

from .attempts import Attempts, Request
from .drafting import Wanted, add_up, created, draft
from .model import Order
from .pursuing import Answer, answered, begin, pursued, refuse
from .reading import view
from .stock import GivenBack, Held, Promise, Short, Stock, why_short
from .writing import create_and_tell

LONGEST: Final = timedelta(seconds=10)


class Placing:
    def __init__(self, database: Database, stock: Stock) -> None:
        self._database = database
        self._addresses = AddressBook(database)
        self._stock = stock
        self._attempts = Attempts(database, ahead=stock.reserve)
        self._create_order: Coalescer[tuple[Order, str], bool] = Coalescer(self._create_orders)

    @step("OrderService", "placeOrder")
    async def place(self, customer_id: str, order: PlaceOrder, key: str | None) -> Answer:
        items = add_up(order.items)
        request = Request(customer_id, key, hashlib.sha256(order.model_dump_json().encode()).digest())
        try:
            async with asyncio.timeout(LONGEST.total_seconds()):
                address = await self._addresses.address_for(customer_id, order.shipping_address)
                found = await begin(self._attempts, request)
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

    async def _pursue(self, attempt_id: UUID, wanted: Wanted) -> Answer:
        async with pursued(self._attempts, attempt_id):
            await failpoint("sales.order.attempted")
            promise = await self._stock.reserve(Reservation(reservation_id=attempt_id, items=list(wanted.items)))
            await failpoint("sales.order.reserved")
            answer = await self._settle(attempt_id, wanted, promise)
        await failpoint("sales.order.answered")
        return answer

    async def _settle(self, attempt_id: UUID, wanted: Wanted, promise: Promise) -> Answer:
        match promise:
            case Held():
                return await self._create(attempt_id, draft(wanted, promise))
            case Short():
                return await refuse(self._attempts, attempt_id, why_short(wanted.asked, promise.items))
            case GivenBack():
                raise Unavailable("The order took too long and its stock was given back. Please try again.")

    async def _create(self, attempt_id: UUID, order: Order) -> Answer:
        body = view(order).model_dump_json()
        if await self._create_order((order, body)):
            return Answer(201, body)
        # A retry that took the attempt over was faster, or the sweep was.
        if settled := await answered(self._attempts, attempt_id):
            return settled
        raise Unavailable("The order took too long and was given up. Please try again.")

    @step("OrderAggregate", "createOrder")
    async def _create_orders(self, new: Sequence[tuple[Order, str]]) -> list[bool]:
        orders, answers = [order for order, _ in new], [answer for _, answer in new]
        news = [(created(order), trace) for order, trace in zip(orders, traceparents(), strict=True)]
        await failpoint("sales.order.creating")
        done = await create_and_tell(self._database, orders, answers, [told(*each) for each in news])
        for event, trace in news:
            if event.order_id in done:
                note_event(event.domain_name, trace)
        await failpoint("sales.order.created")
        return [order.id in done for order in orders]
