"""Who takes part in a journey, over HTTP: a customer, the warehouse's staff, a carrier. All of them are patient."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp

from chassis.keys import Role
from chassis.signature import sign
from tests.harness.platform import until

from .stack import Stack, token

ADDRESS = {"name": "Ada", "line1": "12 Analytical Row", "city": "Springfield", "postal_code": "62701", "country": "US"}
PASSWORD = "a moth in the relay, 1947"
_PATIENCE = 120.0


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    replayed: bool = False

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


class Person:
    def __init__(self, stack: Stack, client: aiohttp.ClientSession, role: Role, subject: str) -> None:
        self._stack = stack
        self._client = client
        self._headers = {"Authorization": f"Bearer {token(stack, role, subject)}"}

    async def once(self, method: str, service: str, path: str, *, replica: int = 0, **more: Any) -> Answer:
        """Whatever comes back; 0 is no answer at all."""
        headers = {**self._headers, **more.pop("headers", {})}
        try:
            if not (urls := self._stack.urls(service)):
                return Answer(0, f"{service} does not run.")
            url = f"{urls[replica % len(urls)]}/api/v1{path}"
            async with self._client.request(method, url, headers=headers, **more) as answer:
                return Answer(answer.status, await answer.text(), "Idempotency-Replayed" in answer.headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(0, repr(error))

    async def ask(self, method: str, service: str, path: str, *, replica: int = 0, **more: Any) -> Answer:
        """Again and again, at one replica after the other, until an answer counts."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            answer = await self.once(method, service, path, replica=replica, **more)
            if 0 < answer.status < 500 or time.monotonic() > deadline:
                return answer
            replica += 1
            await asyncio.sleep(0.2)

    async def see(self, service: str, path: str) -> Any:
        answer = await self.ask("GET", service, path)
        assert answer.status == 200, answer
        return answer.body


class Customer(Person):
    async def order(self, items: Mapping[str, int], key: str = "", *, replica: int = 0) -> Answer:
        return await self.ask("POST", "sales", "/orders", replica=replica, **_order(items, key))

    async def order_once(self, items: Mapping[str, int], key: str = "") -> Answer:
        return await self.once("POST", "sales", "/orders", **_order(items, key))

    async def cancel(self, order_id: str, reason: str | None = None) -> Answer:
        return await self.ask("POST", "sales", f"/orders/{order_id}/cancellation", json={"reason": reason})

    async def orders_in_turn(self, count: int, items: Mapping[str, int], *, spread: float) -> list[Answer]:
        """Evenly over some seconds, whatever happens meanwhile."""

        async def one(number: int) -> Answer:
            await asyncio.sleep(spread * number / count)
            return await self.order(items, replica=number)

        return list(await asyncio.gather(*map(one, range(count))))

    async def orders(self) -> list[Any]:
        return list((await self.see("sales", "/orders?limit=100"))["items"])

    async def status(self, order_id: str) -> str:
        return str((await self.see("sales", f"/orders/{order_id}"))["status"])

    async def timeline(self, order_id: str) -> list[Any]:
        return list((await self.see("sales", f"/orders/{order_id}/timeline"))["entries"])

    async def available(self, product_id: str) -> int:
        return int((await self.see("product", f"/products/{product_id}"))["available"])

    async def sees(self, status: str, order_ids: Iterable[str], within: float = _PATIENCE) -> None:
        """Waits until all of them are there."""
        for order_id in order_ids:

            async def arrived(order_id: str = order_id) -> bool:
                return await self.status(order_id) == status

            await until(arrived, within)


class Visitor(Person):
    """Nobody yet: with a cart of its own, until it registers or logs in."""

    def __init__(self, stack: Stack, client: aiohttp.ClientSession) -> None:
        super().__init__(stack, client, "customer", "nobody")
        self._headers = {}

    async def takes_a_cart(self) -> str:
        token = str((await self.ask("POST", "sales", "/guest-carts")).body["cart_token"])
        self._headers = {"X-Cart-Token": token}
        return token

    async def registers(self, email: str, password: str, name: str) -> Answer:
        account = {"email": email, "password": password, "name": name}
        return await self.ask("POST", "sales", "/customers", json=account)

    async def logs_in(self, email: str, password: str, cart_token: str | None = None) -> Answer:
        answer = await self.ask(
            "POST", "sales", "/sessions", json={"email": email, "password": password, "cart_token": cart_token}
        )
        if answer.status == 200:
            self._headers = {"Authorization": f"Bearer {answer.body['access_token']}"}
        return answer

    async def puts_into_the_cart(self, product_id: str, quantity: int, variant_id: str | None = None) -> Answer:
        item = {"product_id": product_id, "quantity": quantity, "variant_id": variant_id}
        return await self.ask("POST", "sales", "/cart/items", json=item, headers={"Idempotency-Key": uuid4().hex})

    async def checks_out(self, card_token: str, **more: Any) -> Answer:
        body = {"card_token": card_token, **more}
        return await self.ask("POST", "sales", "/checkout", json=body, headers={"Idempotency-Key": uuid4().hex})

    async def places(self, items: Mapping[str, int]) -> str:
        """An order of these; its id."""
        placed = await self.ask("POST", "sales", "/orders", **_order(items, ""))
        assert placed.status == 201, placed
        return str(placed.body["order_id"])

    async def order(self, order_id: str) -> Any:
        return await self.see("sales", f"/orders/{order_id}")

    async def sees(self, order_id: str, status: str) -> None:
        async def arrived() -> bool:
            return bool((await self.order(order_id))["status"] == status)

        await until(arrived, _PATIENCE)


class Staff(Person):
    async def shipment(self, order_id: str) -> Any:
        """That of the order, as soon as Delivery has heard of it."""
        found: list[Any] = []

        async def heard() -> bool:
            found[:] = (await self.see("delivery", f"/shipments?order_id={order_id}"))["items"]
            return bool(found)

        await until(heard, _PATIENCE)
        return found[0]

    async def dispatch(self, shipment_id: str, carrier: str, tracking_number: str) -> Answer:
        parcel = {"carrier": carrier, "tracking_number": tracking_number}
        return await self.ask("POST", "delivery", f"/shipments/{shipment_id}/dispatch", json=parcel)

    async def splits(self, shipment_id: str, items: Mapping[str, int]) -> Answer:
        """Into this parcel and another one, which has these items."""
        wanted = [{"product_id": product, "quantity": quantity} for product, quantity in items.items()]
        key = {"Idempotency-Key": uuid4().hex}
        return await self.ask(
            "POST", "delivery", f"/shipments/{shipment_id}/split", json={"items": wanted}, headers=key
        )

    async def shipments_of(self, order_ids: Sequence[str]) -> list[Any]:
        found = [(await self.see("delivery", f"/shipments?order_id={id}"))["items"] for id in order_ids]
        return [shipment for shipments in found for shipment in shipments]

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Dispatches and delivers whatever there is; what fails now is done later."""
        working = asyncio.create_task(self._work())
        try:
            yield
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working

    async def _work(self) -> None:
        while True:
            for status, step in (("READY", "dispatch"), ("SHIPPED", "delivery")):
                answer = await self.once("GET", "delivery", f"/shipments?status={status}&limit=100")
                waiting = answer.body["items"] if answer.status == 200 else []
                for shipment in waiting:
                    await self.once("POST", "delivery", f"/shipments/{shipment['shipment_id']}/{step}")
            await asyncio.sleep(0.2)


class Carrier(Person):
    async def reports(self, carrier: str, report: Mapping[str, Any], webhook_id: str) -> Answer:
        body = json.dumps(report).encode()
        headers = sign(self._stack.carrier_secret, webhook_id, datetime.now(UTC), body)
        path = f"/carrier-webhooks/{carrier}"
        return await self.ask(
            "POST", "delivery", path, data=body, headers={**headers, "Content-Type": "application/json"}
        )


def ids(answers: Iterable[Answer]) -> list[str]:
    return [str(answer.body["order_id"]) for answer in answers]


def _order(items: Mapping[str, int], key: str) -> dict[str, Any]:
    lines = [{"product_id": product, "quantity": quantity} for product, quantity in items.items()]
    return {
        "json": {"items": lines, "shipping_address": ADDRESS},
        "headers": {"Idempotency-Key": key or uuid4().hex},
    }
