"""Customers for the tests of what they keep with us."""

from typing import Any

import httpx

from chassis.keys import Role

from .factories import ADDRESS, Sales

HOME = {**ADDRESS, "line1": "1 Home Street"}
WORK = {**ADDRESS, "line1": "2 Work Street"}
PASSWORD = "purple giraffes sing quietly"


async def customer(sales: Sales, name: str = "grace", **more: Any) -> str:
    """A row as registration makes it; the id is the name."""
    values = {"id": name, "name": name.capitalize(), "email": f"{name}@example.org", **more}
    columns = ", ".join(values)
    await sales.rows(
        f"INSERT INTO customers ({columns}) VALUES ({', '.join(f':{column}' for column in values)}) RETURNING 1",
        **values,
    )
    return name


async def me(
    sales: Sales, method: str = "GET", path: str = "", body: Any = None, *roles: Role, by: str = "grace", key: str = ""
) -> httpx.Response:
    """What `/customers/me` answers to this customer."""
    headers = {"Idempotency-Key": key} if key else {}
    async with sales.client(by, *roles, **headers) as client:
        return await client.request(method, f"/api/v1/customers/me{path}", json=body)


async def erase(sales: Sales, password: str = PASSWORD, by: str = "grace") -> httpx.Response:
    return await me(sales, "DELETE", "", {"password": password}, by=by)


async def erase_as_admin(
    sales: Sales, customer_id: str = "grace", reason: str = "Asked by letter.", *roles: Role
) -> httpx.Response:
    async with sales.client("root", *(roles or ("admin",))) as client:
        return await client.request("DELETE", f"/api/v1/customers/{customer_id}", json={"reason": reason})


async def registered(
    sales: Sales, email: str = "grace@example.org", name: str = "Grace", password: str = PASSWORD
) -> str:
    """The id that registering gives."""
    async with sales.client(None) as client:
        body = {"email": email, "name": name, "password": password}
        answer = await client.post("/api/v1/customers", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def logged_in(sales: Sales, email: str = "grace@example.org", password: str = PASSWORD) -> httpx.Response:
    async with sales.client(None) as client:
        return await client.post("/api/v1/sessions", json={"email": email, "password": password})


async def renewed(sales: Sales, refresh_token: str) -> httpx.Response:
    async with sales.client(None) as client:
        return await client.post("/api/v1/sessions/renewal", json={"refresh_token": refresh_token})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def add(sales: Sales, address: Any = HOME, by: str = "grace") -> str:
    """The new address' id."""
    answer = await me(sales, "POST", "/addresses", address, by=by)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["address_id"])


async def listed(sales: Sales, by: str = "grace") -> list[tuple[str, bool]]:
    """Street and whether it is the default, as the customer sees them."""
    items = (await me(sales, path="/addresses", by=by)).json()["items"]
    return [(item["line1"], item["is_default"]) for item in items]
