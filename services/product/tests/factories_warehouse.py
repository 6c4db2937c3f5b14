"""Asks the warehouse's questions over HTTP, and looks into the ledger."""

from typing import Any, Protocol
from uuid import UUID

import httpx
from sqlalchemy import select

from chassis.db import Database
from product.inventory.tables import MovementRow, named
from services.product.tests.factories import as_person

Json = dict[str, Any]


class Doing(Protocol):
    async def __call__(
        self, client: httpx.AsyncClient, product_id: str, body: Any, *, role: str = ..., key: str | None = ...
    ) -> httpx.Response: ...


async def restock(
    client: httpx.AsyncClient, product_id: str, body: Any, *, role: str = "warehouse", key: str | None = None
) -> httpx.Response:
    return await _post(client, f"/api/v1/products/{product_id}/restocks", body, role, key)


async def correct(
    client: httpx.AsyncClient, product_id: str, body: Any, *, role: str = "warehouse", key: str | None = None
) -> httpx.Response:
    return await _post(client, f"/api/v1/products/{product_id}/stock-corrections", body, role, key)


async def _post(client: httpx.AsyncClient, path: str, body: Any, role: str, key: str | None) -> httpx.Response:
    headers = as_person(role) | ({"Idempotency-Key": key} if key else {})
    return await client.post(path, json=body, headers=headers)


async def stock(client: httpx.AsyncClient, product_id: str) -> Json:
    answer = await client.get(f"/api/v1/products/{product_id}/stock", headers=as_person("warehouse"))
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


Moved = tuple[str, int, int]
"""Kind, change of what is on hand, change of what is reserved."""


async def ledger(database: Database, product_id: str, variant_id: UUID | None = None) -> list[Moved]:
    return [
        (row.kind, row.on_hand_change, row.reserved_change)
        for row in await movements(database, product_id)
        if named(row.variant_id) == variant_id
    ]


async def movements(database: Database, product_id: str) -> list[MovementRow]:
    async with database.begin() as session:
        query = select(MovementRow).where(MovementRow.product_id == product_id).order_by(MovementRow.id)
        return list(await session.scalars(query))
