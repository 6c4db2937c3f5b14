"""What the tests of the warehouse's desk are made of: clerks, and parcels of certain goods for certain places."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from httpx import Response

from chassis.auth import Signer
from contracts.sales.addresses import ShippingAddress
from contracts.sales.orders import OrderCreated, OrderedItem

from .factories import PEOPLE_KEY, Desk, a_message, an_order


@dataclass
class Clerk:
    """Somebody of the warehouse, at that desk."""

    desk: Desk
    name: str = "clerk"

    async def get(self, path: str, **query: Any) -> Response:
        return await self.desk.http.get(f"/api/v1{path}", params=query, headers=self._headers())

    async def post(self, path: str, body: object = None, key: str | None = None) -> Response:
        headers = self._headers() | ({"Idempotency-Key": key} if key else {})
        if body is None:
            return await self.desk.http.post(f"/api/v1{path}", headers=headers)
        return await self.desk.http.post(f"/api/v1{path}", json=body, headers=headers)

    async def work(self, **query: Any) -> list[str]:
        """The ids of what is on the first page of the work list."""
        answer = await self.get("/work-list", **query)
        assert answer.status_code == 200, answer.text
        return [item["shipment"]["shipment_id"] for item in answer.json()["items"]]

    async def takes(self, **wanted: Any) -> dict[str, Any]:
        answer = await self.post("/pick-lists", wanted)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def looks_at(self, pick_list: dict[str, Any]) -> dict[str, Any]:
        answer = await self.get(f"/pick-lists/{pick_list['pick_list_id']}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def releases(self, pick_list: dict[str, Any]) -> dict[str, Any]:
        answer = await self.post(f"/pick-lists/{pick_list['pick_list_id']}/release")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def dispatches(self, *entries: dict[str, Any]) -> list[dict[str, Any]]:
        answer = await self.post("/shipments/dispatches", {"shipments": entries})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["outcomes"])

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {Signer(PEOPLE_KEY).token(self.name, ['warehouse'])}"}


def of(
    *items: tuple[str, int] | tuple[str, int, UUID], country: str = "US", postal_code: str = "62701"
) -> OrderCreated:
    """An order of so many of each of these products."""
    ordered = [
        OrderedItem(product_id=item[0], variant_id=item[2] if len(item) == 3 else None, quantity=item[1], unit_price=1)
        for item in items or [("product_456", 1)]
    ]
    address = ShippingAddress(name="Ada", line1="1 Row", city="Springfield", postal_code=postal_code, country=country)
    return an_order(items=ordered, shipping_address=address)


async def wait(desk: Desk, *orders: OrderCreated) -> list[str]:
    """Parcels that are ready; their ids, the oldest first."""
    await desk.hear(*map(a_message, orders))
    rows = await desk.query("SELECT id, order_id FROM shipments WHERE order_id = ANY(:ids)", ids=_ids(orders))
    found = {row["order_id"]: str(row["id"]) for row in rows}
    return [found[order.order_id] for order in orders]


def _ids(orders: Sequence[OrderCreated]) -> list[UUID]:
    return [order.order_id for order in orders]


def ids_of(pick_list: dict[str, Any]) -> list[str]:
    return [parcel["shipment"]["shipment_id"] for parcel in pick_list["parcels"]]


def outcomes_of(pick_list: dict[str, Any]) -> list[str]:
    return [parcel["outcome"] for parcel in pick_list["parcels"]]


def goods_of(goods: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {one["product_id"]: one["quantity"] for one in goods}
