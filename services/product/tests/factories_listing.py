"""Builds catalogues to be browsed, and browses them."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import httpx

from chassis.db import Database
from chassis.ids import uuid7
from product.categories.model import Category

LIST = "/api/v1/products"


async def a_category(database: Database, name: str, parent: UUID | None = None) -> UUID:
    async with database.begin() as session:
        above = await session.get(Category, parent) if parent else None
        depth = above.depth + 1 if above else 1
        category = Category(id=uuid7(), name=name, parent_id=parent, depth=depth)
        session.add(category)
    return category.id


async def listed(client: httpx.AsyncClient, headers: Mapping[str, str] | None = None, **wanted: Any) -> list[str]:
    """The ids on one page."""
    answer = await client.get(LIST, params=_query(wanted), headers=headers)
    assert answer.status_code == 200, answer.text
    return [item["product_id"] for item in answer.json()["items"]]


async def pages(client: httpx.AsyncClient, **wanted: Any) -> AsyncIterator[list[str]]:
    """The ids on each page, as whoever reads on to the end sees them."""
    while True:
        answer = await client.get(LIST, params=_query(wanted))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield [item["product_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return
        wanted["cursor"] = page["next_cursor"]


async def all_listed(client: httpx.AsyncClient, **wanted: Any) -> list[str]:
    return [product_id async for page in pages(client, **wanted) for product_id in page]


def _query(wanted: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in wanted.items() if value is not None}
