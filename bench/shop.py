"""What goes on in a shop: every designed sequence is begun, by whoever begins it, over HTTP."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp

from chassis.signature import sign
from tests.harness.platform import CARRIER_SECRET, Platform, until

from .load import ADDRESS

_PATIENCE = 30.0
_LOOK_EVERY = 0.02
_CUSTOMER = "INSERT INTO customers (id, name, email, email_verified) VALUES ($1, 'Ada', $2, true)"
_ON_FILE = "INSERT INTO addresses (id, customer_id, address, is_default) VALUES (gen_random_uuid(), $1, $2, true)"


class Shop:
    """One customer with a product of their own, and the people who see to them: no shop is in another one's way."""

    def __init__(self, platform: Platform, client: aiohttp.ClientSession, number: int) -> None:
        self._platform = platform
        self._client = client
        self._customer_id = f"customer-{number}"
        self._product = f"product-{number}"
        self._customer = platform.token("customer", self._customer_id)
        self._admin = platform.token("admin", f"admin-{number}")
        self._staff = platform.token("warehouse", f"staff-{number}")

    async def open(self) -> None:
        email = f"{self._customer_id}@example.org"
        await self._platform.query("sales", _CUSTOMER, self._customer_id, email)
        await self._platform.query("sales", _ON_FILE, self._customer_id, json.dumps(ADDRESS))
        await self._platform.address(self._customer_id, email)
        await self._platform.stock(self._product, 10**6)

    async def day(self) -> None:
        await self._register()
        await self._fill_the_catalogue()
        await self._change_the_cart()
        await self._have_it_delivered(await self._buy())
        await self._ask(self._customer, "POST", "sales", f"/orders/{await self._buy()}/cancellation", {"reason": "No."})

    async def order_and_wait(self) -> None:
        """For a platform whose parcels leave by themselves."""
        order_id = await self._order(self._product)
        await self._sees("DELIVERED", order_id)

    async def _register(self) -> None:
        account = {"email": f"{uuid4().hex}@example.org", "password": "a moth in the relay, 1947", "name": "Grace"}
        await self._ask(None, "POST", "sales", "/customers", account)

    async def _fill_the_catalogue(self) -> None:
        category = await self._ask(self._admin, "POST", "product", "/categories", {"name": f"Lamps {uuid4().hex}"})
        lamp = {"name": "A lamp", "price": "19.99", "initial_stock": 1, "category_id": category["category_id"]}
        product = (await self._ask(self._admin, "POST", "product", "/products", lamp))["product_id"]
        await self._ask(self._admin, "PUT", "product", f"/products/{product}/price", {"price": "24.50"})
        # The last one of it.
        await self._order(product)
        await self._ask(self._staff, "POST", "product", f"/products/{product}/restocks", {"quantity": 10})
        variant = {"sku": uuid4().hex, "color": "red", "initial_stock": 3}
        await self._ask(self._admin, "POST", "product", f"/products/{product}/variants", variant)
        await self._ask(self._admin, "POST", "product", f"/products/{product}/deactivation")

    async def _change_the_cart(self) -> None:
        item = (await self._put_in())["items"][0]["item_id"]
        await self._ask(self._customer, "PUT", "sales", f"/cart/items/{item}", {"quantity": 3})
        await self._ask(self._customer, "DELETE", "sales", f"/cart/items/{item}")

    async def _put_in(self) -> Any:
        wanted = {"product_id": self._product, "quantity": 1}
        return await self._ask(self._customer, "POST", "sales", "/cart/items", wanted)

    async def _buy(self) -> str:
        await self._put_in()
        order = await self._ask(self._customer, "POST", "sales", "/checkout", {"card_token": "tok_ok"})
        await self._sees("CONFIRMED", order["order_id"])
        return str(order["order_id"])

    async def _order(self, product: str) -> str:
        wanted = {"items": [{"product_id": product, "quantity": 1}], "shipping_address": ADDRESS}
        return str((await self._ask(self._customer, "POST", "sales", "/orders", wanted))["order_id"])

    async def _have_it_delivered(self, order_id: str) -> None:
        shipment, label = await self._ready_shipment(order_id), f"TRK{uuid4().hex[:12]}"
        parcel = {"carrier": "FedEx", "tracking_number": label}
        await self._ask(self._staff, "POST", "delivery", f"/shipments/{shipment}/dispatch", parcel)
        await self._sees("SHIPPED", order_id)
        report = json.dumps({"type": "parcel.delivered", "data": {"tracking_number": label}}).encode()
        headers = {"Content-Type": "application/json", **sign(CARRIER_SECRET, label, datetime.now(UTC), report)}
        await self._send("POST", "delivery", "/carrier-webhooks/FedEx", headers, report)
        await self._sees("DELIVERED", order_id)

    async def _ready_shipment(self, order_id: str) -> str:
        found: list[str] = []

        async def is_ready() -> bool:
            shipments = (await self._ask(self._staff, "GET", "delivery", f"/shipments?order_id={order_id}"))["items"]
            found[:] = [shipment["shipment_id"] for shipment in shipments if shipment["status"] == "READY"]
            return bool(found)

        await until(is_ready, _PATIENCE, every=_LOOK_EVERY)
        return found[0]

    async def _sees(self, status: str, order_id: str) -> None:
        async def it_is() -> bool:
            order = await self._ask(self._customer, "GET", "sales", f"/orders/{order_id}")
            return bool(order["status"] == status)

        await until(it_is, _PATIENCE, every=_LOOK_EVERY)

    async def _ask(self, token: str | None, method: str, service: str, path: str, body: Any = None) -> Any:
        who = {"Authorization": f"Bearer {token}"} if token else {}
        # Only what creates takes a key.
        key = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
        content = None if body is None else json.dumps(body).encode()
        return await self._send(method, service, path, {**who, **key, "Content-Type": "application/json"}, content)

    async def _send(self, method: str, service: str, path: str, headers: dict[str, str], body: bytes | None) -> Any:
        url = f"{self._platform.url(service)}/api/v1{path}"
        async with self._client.request(method, url, headers=headers, data=body) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {text}")
            return json.loads(text) if text else None


async def work(shops: list[Shop], do: Callable[[Shop], Awaitable[None]], rounds: int, end: float) -> None:
    """All shops at once, so many rounds together; at the end of the time nothing new is begun."""
    loop, numbers = asyncio.get_running_loop(), iter(range(rounds))

    async def work_in(shop: Shop) -> None:
        for _ in numbers:
            if loop.time() > end:
                return
            await do(shop)

    async with asyncio.TaskGroup() as group:
        for shop in shops:
            group.create_task(work_in(shop))
