"""Orders that have arrived and something of them that goes back, for the tests of returns."""

import asyncio
from typing import Any
from uuid import UUID

import httpx

from contracts.sales.orders import OrderStatus
from sales.settings import ShippingSettings

from .checkout import becomes, buyer_with, paid
from .factories import Sales, report, wanted
from .fake_product import FakeProduct, Ware
from .till import Till

SHIPPING = ShippingSettings(flat=500)
LAMP, DESK = 1999, 24900


async def arrived(sales: Sales, order: dict[str, Any]) -> dict[str, Any]:
    """The parcel is with the customer."""
    order_id = UUID(order["order_id"])
    await sales.hear(report(order_id, OrderStatus.SHIPPED))
    await sales.hear(report(order_id, OrderStatus.DELIVERED))
    return order


async def delivered(sales: Sales, *items: tuple[str, int] | str, customer: str = "grace") -> dict[str, Any]:
    """On the seller's terms."""
    answer = await sales.order(wanted(*(items or (("lamp", 2), "desk"))), customer=customer)
    assert answer.status_code == 201, answer.text
    return await arrived(sales, answer.json())


async def delivered_and_paid(
    sales: Sales, till: Till, card: str = "tok_ok", items: dict[str, int] | None = None
) -> dict[str, Any]:
    await buyer_with(sales, items or {"lamp": 2, "desk": 1})
    order = await paid(sales, card)
    await becomes(sales, order["order_id"], "CONFIRMED")
    return await arrived(sales, order)


def goods(*items: tuple[str, int] | str) -> list[dict[str, Any]]:
    """`goods("lamp", ("desk", 2))`."""
    lines = [(item, 1) if isinstance(item, str) else item for item in items]
    return [{"product_id": product_id, "quantity": quantity} for product_id, quantity in lines]


async def ask(
    sales: Sales,
    order: dict[str, Any],
    *items: tuple[str, int] | str,
    by: str | None = "grace",
    roles: tuple[Any, ...] = ("customer",),
    key: str = "",
    **more: Any,
) -> httpx.Response:
    body = {"items": goods(*(items or ("lamp",))), **more}
    async with sales.client(by, *roles, **({"Idempotency-Key": key} if key else {})) as client:
        return await client.post(f"/api/v1/orders/{order['order_id']}/returns", json=body)


async def asked(sales: Sales, order: dict[str, Any], *items: tuple[str, int] | str) -> str:
    """The id of a return that is on its way."""
    answer = await ask(sales, order, *items)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["return_id"])


async def does(
    sales: Sales, what: str, return_id: object, body: Any = None, by: str | None = "root", role: str = "admin"
) -> httpx.Response:
    async with sales.client(by, role) as client:  # type: ignore[arg-type]
        return await client.post(f"/api/v1/returns/{return_id}/{what}", json=body)


async def receive(sales: Sales, return_id: object, body: Any = None, **more: Any) -> httpx.Response:
    return await does(sales, "receipt", return_id, {"restock": True} if body is None else body, **more)


async def refund(sales: Sales, return_id: object, amount: str | None = None, **more: Any) -> httpx.Response:
    return await does(sales, "refund", return_id, None if amount is None else {"amount": amount}, **more)


async def reject(sales: Sales, return_id: object, reason: Any = "It is worn out.", **more: Any) -> httpx.Response:
    return await does(sales, "rejection", return_id, {"reason": reason}, **more)


async def received(sales: Sales, order: dict[str, Any], *items: tuple[str, int] | str) -> str:
    """The id of a return whose goods are here."""
    return_id = await asked(sales, order, *items)
    answer = await receive(sales, return_id)
    assert answer.status_code == 200, answer.text
    return return_id


async def shown(sales: Sales, path: object, by: str = "root", *roles: Any, **params: Any) -> httpx.Response:
    async with sales.client(by, *(roles or ("admin",))) as client:
        return await client.get(f"/api/v1/returns{path}", params=params)


async def stands(sales: Sales, return_id: object) -> dict[str, Any]:
    answer = await shown(sales, f"/{return_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def finished(sales: Sales, what: str) -> int:
    """The job looks, long after."""
    await sales.rows("UPDATE returns SET next_look_at = now() WHERE next_look_at IS NOT NULL RETURNING 1")
    return await sales.run(f"finish_{what}")


async def finished_at_last(sales: Sales, what: str) -> None:
    """The circuit breaker lets nobody through for a while."""
    async with asyncio.timeout(20):
        while not await finished(sales, what):  # noqa: ASYNC110 (nobody tells when it may be asked again)
            await asyncio.sleep(0.1)


async def audited(sales: Sales, action: str) -> list[dict[str, Any]]:
    return await sales.rows("SELECT * FROM audit_log WHERE action = :action ORDER BY id", action=action)


def back(product: FakeProduct) -> dict[str, int]:
    """What is on the shelf again."""
    counted: dict[str, int] = {}
    for lines in product.back.values():
        for line in lines:
            counted[line.product_id] = counted.get(line.product_id, 0) + line.quantity
    return counted


def a_shirt(product: FakeProduct, variant: UUID) -> None:
    product.wares["shirt"] = Ware(0, variants={variant: Ware(5, 1500, "A shirt, L")})
