"""Builds categories, products and variants as an admin does, over HTTP, and looks at what became of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import httpx
from sqlalchemy import text

from chassis.broker import InProcessBroker
from chassis.db import Database
from chassis.steps import Recording
from product.app import build
from services.product.tests.factories import as_person, settings

CATEGORIES = "/api/v1/categories"
PRODUCTS = "/api/v1/products"
NOBODY = UUID("0198c0de-0000-7000-8000-00000000ffff")
"""An id that nothing has."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """What one replica of Product is asked by an admin, or by whom `role` says; None has no token."""

    client: httpx.AsyncClient

    async def ask(
        self, method: str, path: str, body: Any = None, *, role: str | None = "admin", key: str | None = None
    ) -> httpx.Response:
        headers = (as_person(role) if role else {}) | ({"Idempotency-Key": key} if key else {})
        if body is None:
            return await self.client.request(method, path, headers=headers)
        # Not left to the client, which does not send everything that can be sent.
        headers["Content-Type"] = "application/json"
        return await self.client.request(method, path, content=json.dumps(body), headers=headers)

    async def category(self, name: str = "Brewing", parent_id: str | None = None) -> str:
        answer = await self.ask("POST", CATEGORIES, {"name": name, "parent_id": parent_id})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["category_id"])

    async def wanted(self, **changes: Any) -> Json:
        """A body that is right, but for the changes."""
        body: Json = {"name": "Stoneware mug", "price": "14.00", "initial_stock": 10}
        if "category_id" not in changes:
            body["category_id"] = await self.some_category()
        return body | changes

    async def some_category(self) -> str:
        known = (await self.client.get(CATEGORIES)).json()["items"]
        return str(known[0]["category_id"]) if known else await self.category()

    async def product(self, product_id: str = "mug", **changes: Any) -> Json:
        return await self.done("POST", PRODUCTS, await self.wanted(product_id=product_id, **changes))

    async def variant(self, product_id: str = "mug", sku: str = "MUG-L", **changes: Any) -> Json:
        return await self.done("POST", f"{PRODUCTS}/{product_id}/variants", {"sku": sku, "size": "L"} | changes)

    async def show(self, product_id: str = "mug") -> Json:
        return await self.done("GET", f"{PRODUCTS}/{product_id}")

    async def done(self, method: str, path: str, body: Any = None) -> Json:
        answer = await self.ask(method, path, body)
        assert answer.is_success, answer.text
        content: Json = answer.json()
        return content

    async def pages(self, path: str, *, limit: int) -> list[Json]:
        """All items of a list, page by page."""
        items, cursor = [], ""
        while True:
            answer = await self.done("GET", f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")
            assert len(answer["items"]) <= limit
            items += answer["items"]
            if answer["next_cursor"] is None:
                return items
            cursor = f"&cursor={answer['next_cursor']}"


@asynccontextmanager
async def told_otherwise(url: str, **changes: Any) -> AsyncIterator[Catalogue]:
    """A Product with other settings."""
    service = build(settings(url).model_copy(update=changes), InProcessBroker())
    transport = httpx.ASGITransport(service.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://product") as client:
        yield Catalogue(client)
    await service.database.close()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [detail["field"] for detail in answer.json()["error"]["details"]]


class Recorded(NamedTuple):
    actor: str
    action: str
    entity_id: str
    before: Json | None
    after: Json | None


async def on_record(database: Database) -> list[Recorded]:
    """The audit, in the order in which it was written."""
    async with database.begin() as session:
        columns = ", ".join(Recorded._fields)
        return [Recorded(*row) for row in await session.execute(text(f"SELECT {columns} FROM audit_log ORDER BY id"))]


async def count(database: Database, table: str) -> int:
    async with database.begin() as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def arrows(recording: Recording) -> list[str]:
    """As a sequence design has them, with the events that they emit."""
    return [
        f"{each.caller or 'Admin'} → {each.participant}: {each.action}"
        + (f" emits {', '.join(each.emits)}" if each.emits else "")
        for each in recording.steps
    ]


async def someone_waits_for_a_lock(database: Database, how_many: int = 1) -> None:
    for _ in range(500):
        async with database.connect() as connection:
            if await connection.scalar(_WAITING) == how_many:
                return
        await asyncio.sleep(0.01)
    raise AssertionError("They do not wait for a lock.")


def outcomes(answers: Sequence[httpx.Response]) -> list[tuple[int, str]]:
    """Those that were done first, then what the others were told."""
    return sorted((each.status_code, "" if each.is_success else code(each)[1]) for each in answers)


_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
