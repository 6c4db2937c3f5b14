"""Customers who had their one address in their own row find it among their addresses, as the default."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import text

from chassis.db import Database, migrate
from services.sales.tests.old_schema import MIGRATIONS, database_at
from tests.harness.postgres import PostgresServer


@pytest.fixture
async def old(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    """As it was when customers had one address each."""
    async with database_at("sales_0002", postgres_server) as database:
        yield database


async def test_the_address_on_file_becomes_the_default(old: Database) -> None:
    async with old.begin() as session:
        await session.execute(
            text(
                """
                INSERT INTO customers (id, name, email, shipping_address, created_at) VALUES
                    ('grace', 'Grace', 'grace@example.org', '{"line1": "1 Home Street"}', '2026-01-02T03:04:05.678Z'),
                    ('ada', 'Ada', 'ada@example.org', '{"line1": "2 Home Street"}', '2026-01-02T03:04:05.678Z'),
                    ('alan', 'Alan', 'alan@example.org', NULL, now())
                """
            )
        )

    await migrate(old, MIGRATIONS)

    async with old.begin() as session:
        rows = (await session.execute(text("SELECT * FROM addresses ORDER BY customer_id"))).all()
        columns = await session.scalars(
            text("SELECT column_name FROM information_schema.columns WHERE table_name = 'customers'")
        )
    assert [(row.customer_id, row.address["line1"], row.is_default) for row in rows] == [
        ("ada", "2 Home Street", True),
        ("grace", "1 Home Street", True),
    ]
    # Later ones come after them in the list, whose order is that of the ids.
    assert [(UUID(str(row.id)).version, str(row.id)[:13]) for row in rows] == [(7, "019b7ca9-8f2e")] * 2
    assert "shipping_address" not in set(columns)
