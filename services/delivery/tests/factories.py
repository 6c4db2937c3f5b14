"""What the tests of Delivery are made of: orders, a Product that answers as it is told, a Delivery to work at."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from aiohttp.test_utils import TestServer as Server
from httpx import ASGITransport, AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import text

from chassis.auth import KeyRing, Role, Signer, new_keypair
from chassis.broker import InProcessBroker, Message
from chassis.consumer import Consumer
from chassis.db import Database
from chassis.ids import uuid7
from chassis.service import Service
from chassis.signature import sign
from chassis.telemetry import Telemetry
from chassis.tracing import new_traceparent
from contracts.envelope import Envelope, Event
from contracts.sales.addresses import ShippingAddress
from contracts.sales.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderedItem, OrderStatus
from delivery.app import build
from delivery.settings import DeliverySettings, DispatchingSettings

CARRIER_SECRET = "whsec_dGhlIHBhcmNlbCBpcyBhdCB0aGUgZG9vcg=="
TRACKED = {"carrier": "FedEx", "tracking_number": "TRK123456789"}

PEOPLE_KEY, PEOPLE = new_keypair("people", ["customer", "warehouse", "admin"])
DELIVERY_KEY, DELIVERY = new_keypair("delivery", ["service"])
TRUSTED = json.dumps({"keys": [PEOPLE, DELIVERY]})


def an_order(order_id: UUID | None = None, **told: Any) -> OrderCreated:
    known = {
        "order_id": order_id or uuid7(),
        "reservation_id": uuid7(),
        "customer_id": "customer_demo",
        "status": OrderStatus.PENDING_SHIPMENT,
        "items": [
            OrderedItem(product_id="product_456", quantity=2, unit_price=1999),
            OrderedItem(product_id="product_789", variant_id=uuid4(), quantity=1, unit_price=500),
        ],
        "total": 4498,
        "currency": "EUR",
        "shipping_address": ShippingAddress(
            name="Ada Example", line1="12 Analytical Row", city="Springfield", postal_code="62701", country="US"
        ),
        "created_at": datetime.now(UTC),
    }
    return OrderCreated.model_validate({**known, **told})


def paid(order: OrderCreated) -> Message:
    return a_message(
        OrderConfirmed(
            order_id=order.order_id,
            customer_id=order.customer_id,
            total=order.total,
            currency=order.currency,
            confirmed_at=datetime.now(UTC),
        )
    )


def cancelled(order: OrderCreated) -> Message:
    return a_message(
        OrderCancelled(order_id=order.order_id, customer_id=order.customer_id, cancelled_at=datetime.now(UTC))
    )


def a_message(event: Event, event_id: str | None = None, traceparent: str | None = None) -> Message:
    event_id = event_id or str(uuid7())
    body = Envelope.around(event, event_id, datetime.now(UTC)).encode()
    return Message(event_id, event.event_type, body, event.exchange(), traceparent or new_traceparent())


@dataclass
class FakeProduct:
    """Deducts what it is asked to, unless `states` says what a reservation is; `script` spoils answer after answer."""

    states: dict[UUID, str | None] = field(default_factory=dict)
    script: list[web.Response] = field(default_factory=list)
    asked: list[list[UUID]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: it lets its callers wait."""
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Has one permit more for each call that came in."""
    url: str = ""

    async def deduct(self, request: web.Request) -> web.Response:
        caller = KeyRing(TRUSTED).verify(request.headers["Authorization"].removeprefix("Bearer "), "product")
        assert caller.is_service
        ids = [UUID(each) for each in (await request.json())["reservation_ids"]]
        assert len(ids) <= 500
        self.asked.append(ids)
        self.arrived.release()
        await self.open.wait()
        if self.script:
            return self.script.pop(0)
        settled = [{"reservation_id": str(each), **self._now(each)} for each in ids]
        return web.json_response({"reservations": settled})

    def _now(self, reservation_id: UUID) -> dict[str, Any]:
        state = self.states.setdefault(reservation_id, "DEDUCTED")
        return {"state": state, "done": state == "DEDUCTED"}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeProduct"]:
        app = web.Application()
        app.router.add_post("/api/v1/reservations/deductions", self.deduct)
        self.open.set()
        async with Server(app) as server:
            self.url = str(server.make_url("")).rstrip("/")
            yield self


@dataclass
class UnhurriedProduct(FakeProduct):
    """Takes its time, and remembers when."""

    takes: float = 0.2
    asked_at: list[float] = field(default_factory=list)
    answered_at: list[float] = field(default_factory=list)

    async def deduct(self, request: web.Request) -> web.Response:
        self.asked_at.append(time.monotonic())
        await asyncio.sleep(self.takes)
        answer = await super().deduct(request)
        self.answered_at.append(time.monotonic())
        return answer


@dataclass
class Desk:
    """A Delivery without its worker: the tests hand it messages, run its jobs and call its API."""

    service: Service
    http: AsyncClient
    product: FakeProduct

    @property
    def database(self) -> Database:
        return self.service.database

    async def hear(self, *messages: Message) -> None:
        await Consumer(self.database, self.service.reactions, Telemetry("delivery")).handle(messages)

    async def ready(self, order: OrderCreated | None = None) -> dict[str, Any]:
        """A shipment that waits to be dispatched."""
        order = order or an_order()
        await self.hear(a_message(order))
        [shipment] = (await self.get(f"?order_id={order.order_id}")).json()["items"]
        return dict(shipment)

    async def shipped(self, **tracked: str) -> dict[str, Any]:
        shipment = await self.ready()
        answer = await self.post(f"/{shipment['shipment_id']}/dispatch", tracked or TRACKED)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def get(self, path: str = "", role: Role | None = "warehouse") -> Response:
        return await self.http.get(f"/api/v1/shipments{path}", headers=_bearer(role))

    async def post(self, path: str, body: object = None, role: Role | None = "warehouse") -> Response:
        json_body = {"json": body} if body is not None else {}
        return await self.http.post(f"/api/v1/shipments{path}", headers=_bearer(role), **json_body)  # type: ignore[arg-type]

    async def dispatch(self, shipment: Mapping[str, Any], body: object = None) -> Response:
        return await self.post(f"/{shipment['shipment_id']}/dispatch", body)

    async def confirm(self, shipment: Mapping[str, Any], body: object = None) -> Response:
        return await self.post(f"/{shipment['shipment_id']}/delivery", body)

    async def again(self, shipment: Mapping[str, Any]) -> dict[str, Any]:
        """The shipment as it is now."""
        return dict((await self.get(f"/{shipment['shipment_id']}")).json())

    async def reports(
        self,
        report: object,
        *,
        carrier: str = "FedEx",
        webhook_id: str = "msg_1",
        at: datetime | None = None,
        secret: str = CARRIER_SECRET,
        **headers: str,
    ) -> Response:
        body = report if isinstance(report, bytes) else json.dumps(report).encode()
        signed = sign(secret, webhook_id, at or datetime.now(UTC), body)
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            f"/api/v1/carrier-webhooks/{carrier}",
            content=body,
            headers={"content-type": "application/json", **signed, **changed},
        )

    async def work(self) -> int:
        """On all that carriers have reported until now, as the job that is woken by it."""
        return await self.run("work_on_reports")

    async def heard(self, path: str = "", role: Role | None = "warehouse") -> Response:
        """What carriers have reported."""
        return await self.http.get(f"/api/v1/carrier-reports{path}", headers=_bearer(role))

    async def retry(self, report: Mapping[str, Any]) -> Response:
        return await self.http.post(
            f"/api/v1/carrier-reports/{report['report_id']}/retry", headers=_bearer("warehouse")
        )

    async def make_due(self) -> None:
        """As if the time until the next tries had passed."""
        await self.query("UPDATE carrier_reports SET next_try_at = now() WHERE next_try_at IS NOT NULL")

    async def run(self, job: str) -> int:
        [found] = [each for each in self.service.jobs if each.name == job]
        done = await found.run()
        assert isinstance(done, int)
        return done

    async def query(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        async with self.database.begin() as session:
            result = await session.execute(text(statement), parameters)
            return [dict(row) for row in result.mappings()]

    async def published(self) -> list[dict[str, Any]]:
        return [json.loads(row["body"]) for row in await self.query("SELECT body FROM outbox ORDER BY id")]

    async def audited(self) -> list[dict[str, Any]]:
        return await self.query("SELECT actor, action, entity_id, before, after, trace_id FROM audit_log ORDER BY id")

    async def end_leases(self) -> None:
        """As if whoever dispatches were long gone."""
        await self.query(
            "UPDATE shipments SET dispatching_until = now() - interval '1 second' WHERE dispatching_until IS NOT NULL"
        )


def _bearer(role: Role | None, subject: str = "clerk") -> dict[str, str]:
    return {"Authorization": f"Bearer {Signer(PEOPLE_KEY).token(subject, [role])}"} if role else {}


def settings(database_url: str, product: FakeProduct, **told: Any) -> DeliverySettings:
    known = {
        "database_url": SecretStr(database_url),
        "trusted_keys": TRUSTED,
        "signing_key": SecretStr(DELIVERY_KEY),
        "product_url": product.url,
        "dispatching": DispatchingSettings(product_timeout=timedelta(seconds=3)),
        "carrier_secret": SecretStr(CARRIER_SECRET),
        "autopilot": True,
        "dispatch_after": timedelta(0),
        "deliver_after": timedelta(0),
    }
    return DeliverySettings(**{**known, **told})


@asynccontextmanager
async def a_desk(database_url: str, product: FakeProduct, **told: Any) -> AsyncIterator[Desk]:
    service = build(settings(database_url, product, **told), InProcessBroker())
    transport = ASGITransport(service.app(), raise_app_exceptions=False)
    try:
        async with AsyncClient(transport=transport, base_url="http://delivery") as http:
            yield Desk(service, http, product)
    finally:
        for thing in service.closes:
            await thing.close()
        await service.database.close()


def statuses(answers: Sequence[Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def code(answer: Response) -> str:
    return str(answer.json()["error"]["code"])
