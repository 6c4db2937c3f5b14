"""Who keeps copies of customers hears of all: of those who register, and once of those who were there before."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from chassis.db import Database, migrate
from sales.seed import DEMO_CUSTOMER, DEMO_EMAIL, seed
from services.sales.tests.factories import Sales
from services.sales.tests.old_schema import MIGRATIONS, database_at
from services.sales.tests.profiles import customer, erase_as_admin, me, registered
from tests.harness.postgres import PostgresServer


async def told(sales: Sales) -> list[dict[str, Any]]:
    return [event["data"] for event in await sales.published("customer.changed")]


async def test_those_who_were_there_before_are_told_of_once_as_they_are(sales: Sales) -> None:
    for name in ("ada", "grace"):
        await customer(sales, name, is_introduced=False)
    await me(sales, "PATCH", "", {"language": "de"})
    await sales.rows("DELETE FROM outbox RETURNING 1")

    introduced = [await sales.run("introduce_customers") for _ in range(2)]

    assert introduced == [2, 0]
    assert await told(sales) == [
        {"customer_id": "ada", "email": "ada@example.org", "name": "Ada", "language": "en"},
        {"customer_id": "grace", "email": "grace@example.org", "name": "Grace", "language": "de"},
    ]


async def test_more_than_fit_into_one_transaction_are_all_told_of(sales: Sales) -> None:
    await sales.rows(
        "INSERT INTO customers (id, name, email, is_introduced)"
        " SELECT n::text, 'N', n::text, false FROM generate_series(1, 1203) AS n RETURNING 1"
    )

    assert await sales.run("introduce_customers") == 1203

    assert {each["customer_id"] for each in await told(sales)} == {str(n) for n in range(1, 1204)}


async def test_two_jobs_at_once_tell_of_each_once(sales: Sales) -> None:
    await sales.rows(
        "INSERT INTO customers (id, name, email, is_introduced)"
        " SELECT n::text, 'N', n::text, false FROM generate_series(1, 900) AS n RETURNING 1"
    )

    introduced = await asyncio.gather(*(sales.run("introduce_customers") for _ in range(3)))
    await sales.run("introduce_customers")

    assert len(await told(sales)) == 900
    assert sum(introduced) <= 900


async def test_of_who_was_erased_nobody_is_told(sales: Sales) -> None:
    await customer(sales, is_introduced=False)
    await erase_as_admin(sales)

    assert await sales.run("introduce_customers") == 0
    assert await told(sales) == []


async def test_who_registers_tells_of_themselves(sales: Sales) -> None:
    await registered(sales)

    assert await sales.run("introduce_customers") == 0
    assert await told(sales) == []


async def test_the_demos_customer_is_told_of_when_there_is_one_and_not_again(sales: Sales) -> None:
    for _ in range(3):
        async with sales.service.database.begin() as session:
            await seed(session)
    await sales.run("introduce_customers")

    assert await told(sales) == [
        {"customer_id": DEMO_CUSTOMER, "email": DEMO_EMAIL, "name": "Ada Example", "language": "en"}
    ]
    assert await sales.published("customer.registered") == []


@pytest.fixture
async def old(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    """As it was when nobody else wanted to know who our customers are."""
    async with database_at("sales_0008", postgres_server) as database:
        yield database


async def test_only_those_who_were_there_when_the_schema_changed_are_strangers(old: Database) -> None:
    insert = text("INSERT INTO customers (id, name, email) VALUES (:id, 'X', :id)")
    async with old.begin() as session:
        await session.execute(insert, {"id": "before"})

    await migrate(old, MIGRATIONS)

    async with old.begin() as session:
        await session.execute(insert, {"id": "after"})
        strangers = await session.scalars(text("SELECT id FROM customers WHERE NOT is_introduced"))
        assert list(strangers) == ["before"]
