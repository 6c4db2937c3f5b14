"""Buyers for the tests of checkout: who is verified, has a cart, and pays by card."""

from typing import Any

import httpx

from .factories import ADDRESS, Sales
from .profiles import customer
from .shopping import a_customer
from .till import Till


async def buyer(sales: Sales, name: str = "grace", **more: Any) -> str:
    return await customer(sales, name, **{"email_verified": True, **more})


async def buyer_with(sales: Sales, items: dict[str, int] | None = None, name: str = "grace") -> str:
    """With these things in the cart."""
    await buyer(sales, name)
    for product_id, quantity in (items or {"lamp": 2}).items():
        await a_customer(sales, name).has(product_id, quantity)
    return name


async def check_out(
    sales: Sales, card: str = "tok_ok", *, customer: str | None = "grace", key: str | None = None, **more: Any
) -> httpx.Response:
    body = {"card_token": card, "shipping_address": ADDRESS, **more}
    async with sales.client(customer) as client:
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {name: value for name, value in body.items() if value is not None}
        return await client.post("/api/v1/checkout", json=body, headers=headers)


async def paid(sales: Sales, card: str = "tok_ok", **more: Any) -> dict[str, Any]:
    """An order that stands; its money is taken in a moment."""
    answer = await check_out(sales, card, **more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def seen(sales: Sales, order_id: object) -> dict[str, Any]:
    return dict((await sales.get(f"/{order_id}")).json())


async def becomes(sales: Sales, order_id: object, status: str) -> dict[str, Any]:
    """Waits for it, with the jobs running."""
    for _ in range(200):
        order = await seen(sales, order_id)
        if order["status"] == status:
            return order
        await jobs_run(sales)
    raise AssertionError(f"It has not become {status}.")


async def jobs_run(sales: Sales) -> None:
    """Whatever of the payments waits for its time finds that it has come."""
    await sales.rows("UPDATE payment_operations SET next_try_at = now() WHERE next_try_at IS NOT NULL RETURNING 1")
    await sales.run("pursue_payments")


async def payment_of(sales: Sales, order_id: object) -> dict[str, Any]:
    [row] = await sales.rows("SELECT * FROM payments WHERE order_id = CAST(:id AS uuid)", id=str(order_id))
    return row


async def nothing_was_charged(sales: Sales, till: Till) -> None:
    """No order, no hold, no money: whatever was begun is over, once the jobs have run."""
    await sales.leases_end()
    await sales.sweep()
    await till.quiet()
    await till.balances()
    assert await sales.count("orders") == 0
    assert sales.product.held() == 0
    assert await sales.rows("SELECT id FROM payments WHERE open > 0 OR kept > 0") == []
    assert await sales.rows("SELECT id FROM attempts WHERE state IN ('open', 'undoing')") == []


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [detail["field"] for detail in answer.json()["error"]["details"]]
