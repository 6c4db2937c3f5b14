"""A platform that has traded: orders in every state there is, left at rest, to be copied and spoilt."""

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import asyncpg

from chassis.ids import uuid7
from orderflow import fleet
from tests.harness.embedded import Embedded, embedded
from tests.harness.platform import until
from tests.harness.postgres import PostgresServer

from .factories import called

ADDRESS = {"name": "Ada", "line1": "12 Analytical Row", "city": "Springfield", "postal_code": "62701", "country": "US"}
APRON = "0198c0de-0000-7000-8000-00000000a002"


@dataclass(frozen=True)
class Trade:
    """`ids["paid"]` is an order, `ids["paid_hold"]` its reservation, `…_shipment`, `…_payment`, `…_return`.

    `…_second` is its second parcel.
    """

    templates: Mapping[str, str]
    ids: Mapping[str, str]

    @asynccontextmanager
    async def copied(self, server: PostgresServer, services: Iterable[str]) -> AsyncIterator["Copy"]:
        """Of these services; the others' are nobody's to change."""
        urls = {name: server.url(template) for name, template in self.templates.items()}
        async with AsyncExitStack() as stack:
            for name in services:
                urls[name] = await stack.enter_async_context(server.database(name, self.templates[name]))
            yield Copy(urls)


@dataclass(frozen=True)
class Copy:
    urls: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return {f"{name.upper()}_DATABASE_URL": url for name, url in self.urls.items()}

    async def rows(self, service: str, statement: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.urls[service].replace("+asyncpg", ""))
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def run(self, service: str, script: str) -> None:
        connection = await asyncpg.connect(self.urls[service].replace("+asyncpg", ""))
        try:
            await connection.execute(script)
        finally:
            await connection.close()


async def trade(server: PostgresServer, folder: Path) -> Trade:
    environment = {"DATABASE_URL": server.url("postgres"), "SALES_PAYMENTS__CAPTURE": "manual"}
    with mock.patch.dict(os.environ, environment):
        async with embedded(folder, "--manual") as platform, aiohttp.ClientSession() as client:
            shop = Shop(platform, client)
            orders = await shop.trades()
            await until(lambda: _all_hold(folder / "data"), within=60)
            ids = await shop.ids_of(orders)
            assert await platform.stop() == 0
    return Trade({name: f"orderflow_{name}" for name in fleet.NAMES}, ids)


async def cleared(server: PostgresServer) -> None:
    for name in fleet.NAMES:
        await server.drop(f"orderflow_{name}")


async def _all_hold(data: Path) -> bool:
    """With no patience at all: nothing is under way any more."""
    result = await called("check", "--data", str(data), "--patience", "0s")
    return result.exit_code == 0


class Shop:
    def __init__(self, platform: Embedded, client: aiohttp.ClientSession) -> None:
        self._platform = platform
        self._client = client

    async def trades(self) -> dict[str, str]:
        orders = {name: await self.places() for name in ("placed", "placed_delivered", "placed_cancelled")}
        orders |= {name: await self.checks_out() for name in ("unpaid", "unpaid_cancelled")}
        paid = ("paid", "paid_shipped", "paid_delivered", "paid_cancelled")
        orders |= {name: await self.checks_out() for name in paid}
        for name in paid:
            await self.ask("admin", "POST", f"/orders/{orders[name]}/confirmation")
        for name, order_id in orders.items():
            if name.endswith("_cancelled"):
                await self.ask("customer", "POST", f"/orders/{order_id}/cancellation", {})
            if name.endswith(("_shipped", "_delivered")):
                await self.moves(order_id, "dispatch")
            if name.endswith("_delivered"):
                await self.moves(order_id, "delivery")
        assert (await self.ask("customer", "POST", "/orders", _order({"roaster-sampler": 4}), expected=400)) is not None
        await self.declined()
        orders |= await self.parts()
        orders |= await self.goes_astray()
        orders |= await self.takes_back()
        orders["erased"] = await self.erased()
        return orders

    async def parts(self) -> dict[str, str]:
        """Orders in two parcels: neither has left, one has, both have arrived."""
        orders = {name: await self.places(_KETTLES) for name in ("parted", "parted_left", "parted_home")}
        for order_id in orders.values():
            await self.moves(order_id, "split", {"items": [{"product_id": "paper-filters-100", "quantity": 3}]})
        for order_id in (orders["parted_left"], orders["parted_home"]):
            await self.moves(order_id, "dispatch")
        await self.moves(orders["parted_home"], "dispatch", number=2)
        for number in (2, 1):
            await self.moves(orders["parted_home"], "delivery", number=number)
        return orders

    async def goes_astray(self) -> dict[str, str]:
        """One parcel is lost, one came back and was sent again."""
        orders = {name: await self.places(_KETTLES) for name in ("lost", "resent")}
        for order_id in orders.values():
            await self.moves(order_id, "dispatch")
        await self.moves(orders["lost"], "loss", {"reason": "The carrier cannot find it."})
        await self.moves(orders["resent"], "return", {"reason": "Nobody was at home."})
        await self.moves(orders["resent"], "sending-again")
        await self.moves(orders["resent"], "dispatch")
        return orders

    async def takes_back(self) -> dict[str, str]:
        """Of one order that was paid by card, and of one that was not."""
        orders = {"sent_back": await self.places(_KETTLES), "paid_back": await self.checks_out()}
        await self.ask("admin", "POST", f"/orders/{orders['paid_back']}/confirmation")
        for name, product in (("sent_back", "gooseneck-kettle"), ("paid_back", "product_789")):
            order_id = orders[name]
            await self.moves(order_id, "dispatch")
            await self.moves(order_id, "delivery")
            await until(partial(self.is_delivered, order_id), within=30)
            body = {"items": [{"product_id": product, "quantity": 1}]}
            return_id = (await self.ask("customer", "POST", f"/orders/{order_id}/returns", body))["return_id"]
            await self.ask("admin", "POST", f"/returns/{return_id}/receipt", {"restock": True})
            await self.ask("admin", "POST", f"/returns/{return_id}/refund")
        return orders

    async def is_delivered(self, order_id: str) -> bool:
        return bool((await self.ask("customer", "GET", f"/orders/{order_id}"))["status"] == "DELIVERED")

    async def places(self, goods: Mapping[str, int] | None = None) -> str:
        items = _order({"product_456": 2})["items"] + [
            {"product_id": "barista-apron", "variant_id": APRON, "quantity": 1}
        ]
        body = {**_order({}), "items": items} if goods is None else _order(goods)
        return str((await self.ask("customer", "POST", "/orders", body))["order_id"])

    async def checks_out(self, card: str = "tok_ok") -> str:
        await self.ask("customer", "POST", "/cart/items", {"product_id": "product_789", "quantity": 1})
        return str((await self.ask("customer", "POST", "/checkout", {"card_token": card}))["order_id"])

    async def cancels_or_is_late(self, order_id: str) -> None:
        headers = {"Authorization": f"Bearer {self._platform.token('customer')}"}
        url = f"{self._platform.url('sales')}/api/v1/orders/{order_id}/cancellation"
        async with self._client.post(url, json={}, headers=headers) as answer:
            assert answer.status in (200, 409), await answer.text()

    async def declined(self) -> None:
        await self.ask("customer", "POST", "/cart/items", {"product_id": "product_789", "quantity": 1})
        await self.ask("customer", "POST", "/checkout", {"card_token": "tok_decline"}, expected=402)

    async def erased(self) -> str:
        account = {"email": "grace@example.org", "name": "Grace", "password": "purple giraffes sing quietly"}
        customer_id = str((await self.ask(None, "POST", "/customers", account))["customer_id"])
        await self.ask("admin", "DELETE", f"/customers/{customer_id}", {"reason": "Asked by letter."}, expected=204)
        return customer_id

    async def moves(self, order_id: str, step: str, body: Any = None, *, number: int = 1) -> None:
        """As soon as Delivery lets them."""

        async def moved() -> bool:
            found = (await self.ask("warehouse", "GET", f"/shipments?order_id={order_id}", service="delivery"))["items"]
            [parcel] = [each for each in found if each["number"] == number] or [None]
            if parcel is None or _ACTIONS[step] not in parcel["allowed_actions"]:
                return False
            path = f"/shipments/{parcel['shipment_id']}/{step}"
            await self.ask("warehouse", "POST", path, body or {}, service="delivery")
            return True

        await until(moved, within=30)

    async def ask(
        self,
        role: str | None,
        method: str,
        path: str,
        body: Any = None,
        *,
        service: str = "sales",
        expected: int | None = None,
    ) -> Any:
        headers = {"Authorization": f"Bearer {self._platform.token(role)}"} if role else {}
        url = f"{self._platform.url(service)}/api/v1{path}"
        async with self._client.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == expected or (expected is None and answer.ok), (path, answer.status, text)
            return await answer.json() if text else None

    async def ids_of(self, orders: Mapping[str, str]) -> dict[str, str]:
        books = Copy(self._platform.connection["database_urls"])
        holds = {str(row["id"]): str(row["hold"]) for row in await books.rows("sales", _HOLDS)}
        shipments = await books.rows("delivery", _SHIPMENTS)
        parcels = {(str(row["order_id"]), row["number"]): str(row["id"]) for row in shipments}
        returns = {str(row["order_id"]): str(row["id"]) for row in await books.rows("sales", _RETURNS)}
        # As young as the orders: where something belongs is looked for by when it was made.
        ids = {**orders, "stray": str(uuid7())}
        for name, order_id in orders.items():
            if order_id in holds:
                ids[f"{name}_hold"] = ids[f"{name}_payment"] = holds[order_id]
                ids[f"{name}_shipment"] = parcels[order_id, 1]
                ids[f"{name}_second"] = parcels.get((order_id, 2), "")
                ids[f"{name}_return"] = returns.get(order_id, "")
        return ids


_HOLDS = "SELECT id, reservation_id AS hold FROM orders"
_SHIPMENTS = "SELECT id, order_id, number FROM shipments"
_RETURNS = "SELECT id, order_id FROM returns"
_KETTLES = {"gooseneck-kettle": 2, "paper-filters-100": 3}
_ACTIONS = {
    "split": "split",
    "dispatch": "dispatch",
    "delivery": "confirm_delivery",
    "loss": "report_loss",
    "return": "report_return",
    "sending-again": "send_again",
}


def _order(items: Mapping[str, int]) -> dict[str, Any]:
    lines = [{"product_id": product, "quantity": quantity} for product, quantity in items.items()]
    return {"items": lines, "shipping_address": ADDRESS}
