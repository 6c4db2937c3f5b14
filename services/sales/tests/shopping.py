"""People with carts, for the tests of carts: customers, and guests with their tokens."""

from typing import Any
from uuid import UUID

import httpx

from .factories import Sales, token


class Shopper:
    def __init__(self, sales: Sales, **headers: str) -> None:
        self._sales = sales
        self.headers = headers

    async def ask(self, method: str, path: str = "", **request: Any) -> httpx.Response:
        async with self._sales.client(None, **self.headers) as client:
            return await client.request(method, f"/api/v1/cart{path}", **request)

    async def add(
        self, product_id: str = "lamp", quantity: int = 1, *, variant: UUID | None = None, key: str | None = None
    ) -> httpx.Response:
        body: dict[str, Any] = {"product_id": product_id, "quantity": quantity}
        if variant is not None:
            body["variant_id"] = str(variant)
        return await self.ask("POST", "/items", json=body, headers={"Idempotency-Key": key} if key else {})

    async def has(self, product_id: str = "lamp", quantity: int = 1, *, variant: UUID | None = None) -> str:
        """Puts it into the cart and gives the item's id."""
        answer = await self.add(product_id, quantity, variant=variant)
        assert answer.status_code == 201, answer.text
        return str(next(item["item_id"] for item in answer.json()["items"] if item["product_id"] == product_id))

    async def change(self, item_id: object, quantity: object) -> httpx.Response:
        return await self.ask("PUT", f"/items/{item_id}", json={"quantity": quantity})

    async def remove(self, item_id: object) -> httpx.Response:
        return await self.ask("DELETE", f"/items/{item_id}")

    async def clear(self) -> httpx.Response:
        return await self.ask("DELETE")

    async def cart(self) -> dict[str, Any]:
        answer = await self.ask("GET")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def quantities(self) -> dict[str, int]:
        return {item["product_id"]: item["quantity"] for item in (await self.cart())["items"]}


class Guest(Shopper):
    @property
    def token(self) -> str:
        return self.headers["X-Cart-Token"]


def a_customer(sales: Sales, customer: str = "grace", **headers: str) -> Shopper:
    return Shopper(sales, Authorization=f"Bearer {token(customer, 'customer')}", **headers)


async def a_guest(sales: Sales) -> Guest:
    async with sales.client(None) as client:
        answer = await client.post("/api/v1/guest-carts")
    assert answer.status_code == 201, answer.text
    return Guest(sales, **{"X-Cart-Token": answer.json()["cart_token"]})


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]
