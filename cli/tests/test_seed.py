"""`orderflow seed`: the demo's beginnings, put into a service's own database."""

import asyncpg

from tests.harness.fixtures import FreshDatabase

from .factories import call, called


async def test_what_is_there_already_stays_as_it_is(fresh_database: FreshDatabase) -> None:
    url = await fresh_database("product")

    first = await called("seed", "product", environment={"PRODUCT_DATABASE_URL": url})
    await _run(url, "UPDATE stock SET on_hand = 7 WHERE product_id = 'product_456'")
    second = await called("seed", "product", environment={"PRODUCT_DATABASE_URL": url})

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert await _run(url, "SELECT on_hand FROM stock WHERE product_id = 'product_456'") == 7
    assert await _run(url, "SELECT on_hand FROM stock WHERE product_id = 'product_789'") == 50


async def test_a_service_without_beginnings_is_left_alone(fresh_database: FreshDatabase) -> None:
    url = await fresh_database("delivery")

    assert (await called("seed", "delivery", environment={"DELIVERY_DATABASE_URL": url})).exit_code == 0


async def test_a_database_that_the_service_has_never_seen_is_no_traceback(fresh_database: FreshDatabase) -> None:
    url = await fresh_database("chassis")

    result = await called("seed", "sales", environment={"SALES_DATABASE_URL": url})

    assert result.exit_code == 1
    assert result.stderr.startswith("orderflow: The database of sales cannot be seeded: ")


def test_without_a_database_it_says_what_is_missing() -> None:
    result = call("seed", "sales", environment={"SALES_DATABASE_URL": None})

    assert result.exit_code == 2
    assert result.stderr == "orderflow: SALES_DATABASE_URL is missing.\n"


async def _run(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
