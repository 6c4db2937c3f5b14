"""Rows that change soon after they were written find room for it beside them."""

import httpx
from sqlalchemy import text

from chassis.db import Database
from services.product.tests.factories import ask, put_on_sale, reservation, settle


async def pages(database: Database) -> dict[str, str]:
    async with database.begin() as session:
        rows = await session.execute(text("SELECT id::text, split_part(ctid::text, ',', 1) AS page FROM reservations"))
        return {row.id: row.page for row in rows}


async def test_a_reservation_is_settled_on_its_page(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 1000)
    await put_on_sale(database, "cup", 1000)
    held = [reservation(("mug", 1), ("cup", 1)) for _ in range(100)]
    for first in range(0, 100, 20):
        await ask(client, held[first : first + 20])
    before = await pages(database)

    for first in range(0, 100, 20):
        await settle(client, "deductions", [one.reservation_id for one in held[first : first + 20]])

    assert len(set(before.values())) > 3
    assert await pages(database) == before
