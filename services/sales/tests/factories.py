"""What the tests of Sales are made of: a running Sales, orders, and messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import httpx
from pydantic import SecretStr
from sqlalchemy import text

from chassis.broker import InProcessBroker, Message
from chassis.ids import uuid7
from chassis.keys import Role, Signer, new_keypair
from chassis.outbox import publish
from chassis.service import Service
from contracts.delivery.shipments import OrderStatusUpdated
from contracts.envelope import Envelope, Event
from contracts.sales.addresses import ShippingAddress
from contracts.sales.orders import OrderStatus
from sales.app import build
from sales.customers.passwords import Cost
from sales.orders.drafting import created
from sales.orders.model import Order, OrderLine
from sales.orders.placing import Placing
from sales.orders.writing import create_orders
from sales.settings import SalesSettings

from .fake_product import HELD, SALES_KEY, SALES_PUBLIC_KEY, FakeProduct

ADDRESS = {
    "name": "Grace Example",
    "line1": "1 Compiler Street",
    "city": "Arlington",
    "state": "VA",
    "postal_code": "22201",
    "country": "US",
}

CHEAP = Cost(memory_kib=64, rounds=1)
MAIL_SECRET = "a secret that only Sales and the mail share"
PEOPLES_KEY, PEOPLES_PUBLIC_KEY = new_keypair("people", ["customer", "warehouse", "admin"])


def token(subject: str, *roles: Role, **more: Any) -> str:
    return Signer(PEOPLES_KEY).token(subject, roles, **more)


def wanted(*items: tuple[str, int] | str, address: Mapping[str, Any] | None = ADDRESS, **more: Any) -> dict[str, Any]:
    """The body of an order: `wanted("lamp", ("desk", 2))`."""
    lines = [(item, 1) if isinstance(item, str) else item for item in items or ["lamp"]]
    body = {"items": [{"product_id": product_id, "quantity": quantity} for product_id, quantity in lines], **more}
    return body if address is None else {**body, "shipping_address": dict(address)}


def an_order(
    *,
    order_id: UUID | None = None,
    customer: str = "grace",
    status: OrderStatus = OrderStatus.PENDING_SHIPMENT,
    **more: Any,
) -> Order:
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "id": order_id or uuid7(),
        "customer_id": customer,
        "status": status,
        "reservation_id": uuid7(),
        "lines": [OrderLine("lamp", None, "A lamp", 2, 1999)],
        "subtotal": 3998,
        "shipping_cost": 0,
        "currency": "USD",
        "shipping_address": ShippingAddress.model_validate(ADDRESS),
        "created_at": now,
        "updated_at": now,
    }
    return Order(**{**fields, **more})


def report(
    order_id: UUID, status: OrderStatus, *, event_id: str | None = None, at: datetime | None = None, **more: Any
) -> Message:
    """Delivery's word on an order, as it is on the wire."""
    event = OrderStatusUpdated(
        order_id=order_id, previous_status=OrderStatus.PENDING_SHIPMENT, current_status=status, **more
    )
    return on_the_wire(Envelope.around(event, event_id or str(uuid4()), at or datetime.now(UTC)).encode())


def on_the_wire(body: bytes, exchange: str = "delivery.events") -> Message:
    said = json.loads(body)
    return Message(said["event_id"], said["event_type"], body, exchange)


def news(event: Event) -> Message:
    """As its own producer tells it."""
    return on_the_wire(Envelope.around(event, str(uuid7()), datetime.now(UTC)).encode(), event.exchange())


async def eventually(condition: Callable[[], object], within: float = 30) -> None:
    for _ in range(int(within / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("It has not come about.")


class Sales:
    """One process of Sales, with the doors and windows that the tests look through."""

    def __init__(self, service: Service, product: FakeProduct) -> None:
        self.service = service
        self.product = product
        self.app = service.app()

    @cached_property
    def placing(self) -> Placing:
        return next(thing for thing in self.service.provides if isinstance(thing, Placing))

    def client(self, customer: str | None = "grace", *roles: Role, **headers: str) -> httpx.AsyncClient:
        if customer is not None:
            headers["Authorization"] = "Bearer " + token(customer, *(roles or ("customer",)))
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://sales", headers=headers)

    async def order(
        self, body: Mapping[str, Any] | None = None, key: str | None = None, customer: str = "grace"
    ) -> httpx.Response:
        async with self.client(customer) as client:
            headers = {} if key is None else {"Idempotency-Key": key}
            return await client.post("/api/v1/orders", json=body or wanted(), headers=headers)

    async def get(self, path: str, customer: str = "grace", *roles: Role, **params: Any) -> httpx.Response:
        async with self.client(customer, *roles) as client:
            return await client.get(f"/api/v1/orders{path}", params=params)

    async def order_again_until_answered(
        self, body: Mapping[str, Any] | None = None, key: str | None = None
    ) -> httpx.Response:
        """As clients do: the same request again, as long as the answer is that it may be sent again."""
        async with asyncio.timeout(20):
            while True:
                answer = await self.order(body, key)
                if answer.status_code not in (500, 503):
                    return answer
                await asyncio.sleep(0.1)

    async def write(self, *orders: Order) -> None:
        """Orders that stand, as if they had been placed."""
        for order in orders:
            await self.attempt(order.reservation_id, order.customer_id)
        async with self.service.database.begin() as session:
            await create_orders(session, orders, ["{}"] * len(orders))
            for order in orders:
                publish(session, created(order))

    async def attempt(self, attempt_id: UUID, customer: str = "grace") -> None:
        await self.rows(
            "INSERT INTO attempts (id, customer_id, request_hash, state, lease_until)"
            " VALUES (:id, :customer, '', 'open', now() + interval '1 minute') RETURNING 1",
            id=attempt_id,
            customer=customer,
        )

    async def sweep(self, after: timedelta = timedelta(0)) -> int:
        """What the job does, with a peer of its own, that has not yet been disappointed."""
        fresh = Sales(build(self.settings_like(undo_attempts_after=after), InProcessBroker()), self.product)
        try:
            async with asyncio.timeout(10):
                return await fresh.run("undo_stopped_attempts")
        finally:
            for thing in fresh.service.closes:
                await thing.close()
            await fresh.service.database.close()

    def settings_like(self, **more: Any) -> SalesSettings:
        return settings(self.service.database.url, self.product, **more)

    async def leases_end(self) -> None:
        """As if the processes that pursue the attempts had been gone for long."""
        await self.rows(
            "UPDATE attempts SET lease_until = now() - interval '1 second' WHERE state = 'open' RETURNING 1"
        )

    async def hear(self, *messages: Message) -> None:
        await self.service.consumer.handle(messages)

    async def run(self, job: str) -> int:
        [found] = [each for each in self.service.jobs if each.name == job]
        done = await found.run()
        assert isinstance(done, int)
        return done

    async def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        async with self.service.database.begin() as session:
            return [dict(row) for row in (await session.execute(text(statement), values)).mappings()]

    async def count(self, table: str) -> int:
        return int((await self.rows(f"SELECT count(*) FROM {table}"))[0]["count"])

    async def published(self, event_type: str | None = None) -> list[dict[str, Any]]:
        events = [json.loads(row["body"]) for row in await self.rows("SELECT body FROM outbox ORDER BY id")]
        return [event for event in events if event_type in (None, event["event_type"])]

    @asynccontextmanager
    async def holding(self, table: str, row_id: UUID) -> AsyncIterator[None]:
        """Somebody else has the row locked."""
        async with self.service.database.begin() as session:
            await session.execute(text(f"SELECT id FROM {table} WHERE id = :id FOR UPDATE"), {"id": row_id})
            yield

    async def is_free(self, table: str, row_id: UUID) -> bool:
        return bool(await self.rows(f"SELECT id FROM {table} WHERE id = :id FOR UPDATE SKIP LOCKED", id=row_id))

    async def waits(self, *tasks: asyncio.Task[Any]) -> bool:
        """Whether they wait for a lock; long enough for all that does not."""
        await asyncio.sleep(0.15)
        return not any(task.done() for task in tasks)

    async def nothing_is_halfway(self) -> None:
        """No order without its hold, no hold without its order, an event for each order."""
        orders = await self.rows("SELECT id, reservation_id FROM orders")
        holds = {id for id, one in self.product.reservations.items() if one.state == HELD}
        told = [event["data"]["order_id"] for event in await self.published("order.created")]
        unfinished = await self.rows("SELECT id FROM attempts WHERE state IN ('open', 'undoing')")

        assert {order["reservation_id"] for order in orders} == holds
        assert sorted(told) == sorted(str(order["id"]) for order in orders)
        assert unfinished == []


def settings(database_url: str, product: FakeProduct, **more: Any) -> SalesSettings:
    return SalesSettings(
        **{
            "database_url": SecretStr(database_url),
            "trusted_keys": json.dumps({"keys": [PEOPLES_PUBLIC_KEY, SALES_PUBLIC_KEY]}),
            "signing_key": SecretStr(SALES_KEY),
            "product_url": product.url,
            "role": "api",
            "accounts": {"login_key": PEOPLES_KEY, "mail_secret": MAIL_SECRET},
            **more,
        }
    )


@asynccontextmanager
async def running(
    database_url: str, product: FakeProduct, *, hashing: Cost = CHEAP, **more: Any
) -> AsyncIterator[Sales]:
    sales = Sales(build(settings(database_url, product, **more), InProcessBroker(), hashing=hashing), product)
    async with sales.app.router.lifespan_context(sales.app):
        yield sales
