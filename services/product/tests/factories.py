"""Builds what the tests of Product are about, and looks at what became of it."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import httpx
from pydantic import SecretStr
from sqlalchemy import select, text

from chassis.auth import Signer, new_keypair
from chassis.broker import InProcessBroker
from chassis.db import Database
from chassis.ids import uuid7
from chassis.outbox import OutboxRow
from contracts.product.inventory import CorrectStock, RequestedItem, Reservation
from product.app import build
from product.catalog.model import Product, Variant
from product.inventory.stocking import open_stock
from product.inventory.tables import StockRow, stored
from product.inventory.warehousing import correct_stock
from product.settings import ProductSettings

Item = tuple[str, int]


def item(product_id: str, quantity: int = 1, variant_id: UUID | None = None) -> RequestedItem:
    return RequestedItem(product_id=product_id, quantity=quantity, variant_id=variant_id)


def reservation(*items: Item | RequestedItem, id: UUID | None = None) -> Reservation:  # noqa: A002
    wanted = [each if isinstance(each, RequestedItem) else item(*each) for each in items]
    return Reservation(reservation_id=id or uuid7(), items=wanted)


async def put_on_sale(
    database: Database,
    product_id: str,
    on_hand: int,
    *,
    name: str = "Stoneware mug",
    price: int = 14_00,
    is_active: bool = True,
    **more: Any,
) -> str:
    """`more` are other columns of the product."""
    async with database.begin() as session:
        session.add(Product(id=product_id, name=name, price=price, currency="EUR", is_active=is_active, **more))
        await open_stock(session, product_id, None, on_hand, "test")
    return product_id


async def add_variant(
    database: Database,
    product_id: str,
    on_hand: int,
    *,
    size: str | None = "L",
    color: str | None = None,
    price: int | None = None,
    weight_grams: int | None = None,
    id: UUID | None = None,  # noqa: A002
) -> UUID:
    """From now on the product is sold by variant only."""
    async with database.begin() as session:
        (await session.get_one(Product, product_id, with_for_update=True)).has_variants = True
        variant = Variant(id=id or uuid7(), product_id=product_id, size=size, color=color, price=price)
        variant.sku, variant.weight_grams = f"sku-{variant.id}", weight_grams
        session.add(variant)
        await open_stock(session, product_id, variant.id, on_hand, "test")
    return variant.id


@dataclass(frozen=True)
class Shelf:
    on_hand: int
    reserved: int


async def shelf(database: Database, product_id: str, variant_id: UUID | None = None) -> Shelf:
    async with database.begin() as session:
        row = await session.get_one(StockRow, (product_id, stored(variant_id)))
    return Shelf(row.on_hand, row.reserved)


async def restock(database: Database, product_id: str, on_hand: int, variant_id: UUID | None = None) -> None:
    """So many are on the shelf from now on."""
    more = on_hand - (await shelf(database, product_id, variant_id)).on_hand
    async with database.begin() as session:
        await correct_stock(
            session, product_id, CorrectStock(variant_id=variant_id, quantity=more, reason="for a test"), "test"
        )


async def is_in_stock(database: Database, product_id: str) -> bool:
    async with database.begin() as session:
        return (await session.get_one(Product, product_id)).in_stock


async def published(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """The outbox, as type and content of each event, in the order in which they were published."""
    async with database.begin() as session:
        rows = await session.scalars(select(OutboxRow).order_by(OutboxRow.id))
        return [(row.event_type, json.loads(row.body)["data"]) for row in rows]


async def event_counts(database: Database) -> Counter[tuple[str, str]]:
    """Of those that tell of a reservation."""
    return Counter(
        (kind, content["reservation_id"]) for kind, content in await published(database) if "reservation_id" in content
    )


async def held_by_lines(database: Database) -> dict[str, int]:
    """What the stock's `reserved` must be: the sum over the lines of all that is held."""
    async with database.begin() as session:
        rows = await session.execute(
            text("""
                SELECT stock.product_id, coalesce(sum(quantity) FILTER (WHERE state = 'HELD'), 0)::bigint AS held
                FROM stock LEFT JOIN reservation_lines AS lines USING (product_id, variant_id)
                    LEFT JOIN reservations ON reservations.id = lines.reservation_id
                GROUP BY stock.product_id
            """)
        )
        return {row.product_id: row.held for row in rows}


async def reserved(database: Database) -> dict[str, int]:
    """Of each product, all its variants together."""
    async with database.begin() as session:
        counts: Counter[str] = Counter()
        for row in await session.scalars(select(StockRow)):
            counts[row.product_id] += row.reserved
        return dict(counts)


@cache
def _keys() -> tuple[Signer, Signer, str]:
    people, people_public = new_keypair("people", ["customer", "warehouse", "admin"])
    sales, sales_public = new_keypair("sales", ["service"])
    return Signer(people), Signer(sales), json.dumps({"keys": [people_public, sales_public]})


def as_service(audience: str = "product") -> dict[str, str]:
    return {"Authorization": "Bearer " + _keys()[1].token("sales", ["service"], audience)}


def as_person(role: str) -> dict[str, str]:
    return {"Authorization": "Bearer " + _keys()[0].token("ada", [role])}


def settings(url: str, **more: Any) -> ProductSettings:
    private, _ = new_keypair("product", ["service"])
    return ProductSettings(database_url=SecretStr(url), trusted_keys=_keys()[2], signing_key=SecretStr(private), **more)


@asynccontextmanager
async def instance(url: str, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A whole Product with connections of its own, as one of several replicas. No relay runs: the outbox keeps all."""
    service = build(settings(url, **more), InProcessBroker())
    transport = httpx.ASGITransport(service.app())
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://product") as client:
            yield client
    finally:
        for thing in service.closes:
            await thing.close()
        await service.database.close()


async def ask(client: httpx.AsyncClient, wanted: Sequence[Reservation]) -> httpx.Response:
    body = {"reservations": [one.model_dump(mode="json", exclude_none=True) for one in wanted]}
    return await client.post("/api/v1/reservations", json=body, headers=as_service())


async def settle(client: httpx.AsyncClient, how: str, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    body = {"reservation_ids": [str(id) for id in ids]}
    answer = await client.post(f"/api/v1/reservations/{how}", json=body, headers=as_service())
    assert answer.status_code == 200, answer.text
    settled: list[dict[str, Any]] = answer.json()["reservations"]
    return settled
