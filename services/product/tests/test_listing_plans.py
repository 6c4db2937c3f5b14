"""How PostgreSQL finds a page among 100,000 products: what it looks at is bounded, whatever the filters leave out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chassis.db import Database
from product.catalog.listing import _ORDERS, Wanted, page_of_products
from product.catalog.model import Product
from tests.harness.plans import Node, either_plan, examined, explained, filled
from tests.harness.postgres import PostgresServer

COUNT = 100_000
LIMIT = 20
TOP, LEAF = "00000000-0000-0000-0001-%012d", "00000000-0000-0000-0002-%012d"
# The dearest 30 % stand in the hundred categories under the first; prices go up with the number, times go down.
CATALOGUE = f"""
    INSERT INTO categories (id, name, name_key, depth)
    SELECT format('{TOP.replace("%012d", "%s")}', lpad(n::text, 12, '0'))::uuid, 'top ' || n, 'top ' || n, 1
    FROM generate_series(0, 9) AS n;
    INSERT INTO categories (id, name, name_key, parent_id, depth)
    SELECT format('{LEAF.replace("%012d", "%s")}', lpad(n::text, 12, '0'))::uuid, 'leaf ' || n, 'leaf ' || n,
        format('{TOP.replace("%012d", "%s")}', lpad((n / 100)::text, 12, '0'))::uuid, 2
    FROM generate_series(0, 999) AS n;
    INSERT INTO products (id, name, description, category_id, price, currency, in_stock, created_at)
    SELECT 'p' || n, 'Product ' || n,
        CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END
            || CASE WHEN n < {COUNT // 2} THEN ' common' ELSE ' luxurious' END
            || CASE WHEN n < 3 THEN ' unique' ELSE '' END,
        format('{LEAF.replace("%012d", "%s")}',
            lpad((CASE WHEN n >= {COUNT * 7 // 10} THEN n % 100 ELSE 100 + n % 900 END)::text, 12, '0'))::uuid,
        1000 + n, 'EUR', n % 10000 = 0, now() - n * interval '1 minute'
    FROM generate_series(0, {COUNT - 1}) AS n
"""


@pytest.fixture(scope="module")
def large(postgres_server: PostgresServer) -> Iterator[str]:
    """A catalogue."""
    vacuumed = ("VACUUM ANALYZE products", "ANALYZE categories")
    with filled(postgres_server, "product", CATALOGUE, *vacuumed) as url:
        yield url


@dataclass(frozen=True)
class Plan:
    """What a statement has looked at among the products."""

    kinds: set[str]
    examined: int
    fetched: int
    """In the table itself, and not only in an index."""
    rejected: int
    """Pairs that a join has put together in vain."""


async def plan_of(url: str, *, generic: bool = False, **wanted: Any) -> Plan:
    """Of the very statement that the list is read with."""
    page = Wanted.model_validate({"limit": LIMIT} | wanted)
    nodes = await explained(url, lambda session: page_of_products(session, page), generic=generic)
    scans = [node for node in nodes if node.get("Relation Name") == "products"]
    rejected = sum(round(node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"]) for node in nodes)
    kinds = {scan["Node Type"] for scan in scans}
    return Plan(kinds, sum(map(examined, scans)), sum(map(_fetched, scans)), rejected)


def _fetched(scan: Node) -> int:
    only = scan["Node Type"] == "Index Only Scan"
    rows: float = scan["Heap Fetches"] if only else scan["Actual Rows"] * scan["Actual Loops"]
    return round(rows)


ORDERS = ("newest", "cheapest", "dearest")
each_order = pytest.mark.parametrize("sort", ORDERS)


@each_order
@either_plan
@pytest.mark.parametrize(
    ("wanted", "shelves"),
    [
        ({}, 2),
        ({"in_stock": True}, 1),
        ({"include_inactive": True}, 4),
        ({"category_id": LEAF % 5}, 2),
        ({"category_id": TOP % 0}, 2 * 101),
        ({"category_id": TOP % 0, "in_stock": True}, 101),
    ],
    ids=["all", "in stock", "with inactive", "leaf", "a hundred leaves", "a hundred leaves in stock"],
)
async def test_of_each_shelf_no_more_is_read_than_fits_on_the_page(
    large: str, wanted: dict[str, Any], shelves: int, sort: str, *, generic: bool
) -> None:
    plan = await plan_of(large, generic=generic, sort=sort, **wanted)

    assert plan.kinds <= {"Index Only Scan", "Index Scan"}
    assert plan.examined <= (shelves + 1) * (LIMIT + 1)


@either_plan
@pytest.mark.parametrize("sort", ["cheapest", "dearest"])
@pytest.mark.parametrize("category", [None, TOP % 0], ids=["anywhere", "in a hundred leaves"])
@pytest.mark.parametrize(("low", "high"), [("20.00", "29.99"), ("510.00", None), (None, "509.99")])
async def test_in_the_order_of_prices_a_range_of_them_is_begun_where_it_begins(
    large: str, category: str | None, low: str | None, high: str | None, sort: str, *, generic: bool
) -> None:
    wanted = {"category_id": category, "price_from": low, "price_to": high}

    plan = await plan_of(large, generic=generic, sort=sort, **wanted)

    assert plan.kinds <= {"Index Only Scan", "Index Scan"}
    assert plan.examined <= ((2 * 101 if category else 2) + 1) * (LIMIT + 1)


@either_plan
@pytest.mark.parametrize(("low", "high", "most"), [("20.00", "29.99", COUNT // 100), ("510.00", None, COUNT)])
async def test_in_the_order_of_time_a_range_of_prices_is_found_without_looking_at_the_products_in_between(
    large: str, low: str | None, high: str | None, most: int, *, generic: bool
) -> None:
    """Those of the upper half are all older than those of the lower one."""
    plan = await plan_of(large, generic=generic, price_from=low, price_to=high)

    assert plan.kinds <= {"Index Only Scan", "Index Scan"}
    assert plan.examined <= most + 3 * (LIMIT + 1)
    assert plan.fetched <= COUNT // 100 + LIMIT + 1


@each_order
@either_plan
@pytest.mark.parametrize(
    ("wanted", "most"),
    [
        ({"q": "unique"}, 3),
        ({"q": "unique", "limit": 1}, 3),
        ({"q": "even common"}, COUNT // 4),
        ({"q": "common"}, COUNT // 2),
        ({"q": "common", "category_id": TOP % 0}, COUNT // 2),
        ({"q": "luxurious", "category_id": TOP % 0, "price_from": "510.00"}, COUNT // 2),
        ({"q": "luxurious", "category_id": LEAF % 5, "price_from": "510.00", "price_to": "9999.00"}, COUNT // 2),
        ({"q": "luxurious", "category_id": TOP % 0, "in_stock": True}, COUNT // 2),
        ({"q": "luxurious", "price_to": "509.99", "in_stock": True}, COUNT // 2),
        ({"q": "unique", "category_id": LEAF % 5, "price_from": "20.00", "price_to": "20.01"}, 3),
    ],
    ids=[
        "in three",
        "in three, one asked for",
        "two",
        "in half",
        "where none has it",
        "in a hundred leaves",
        "in a leaf",
        "in a hundred leaves, in stock",
        "at no such price",
        "all",
    ],
)
async def test_words_are_looked_up_and_those_who_have_them_are_all_that_is_looked_at(
    large: str, wanted: dict[str, Any], most: int, sort: str, *, generic: bool
) -> None:
    plan = await plan_of(large, generic=generic, sort=sort, **wanted)

    assert {"Bitmap Heap Scan"} <= plan.kinds <= {"Bitmap Heap Scan", "Index Scan"}
    assert plan.examined <= most + LIMIT + 1
    assert plan.rejected == 0


@each_order
@pytest.mark.parametrize("wanted", [{}, {"category_id": TOP % 0}, {"in_stock": True}], ids=["all", "category", "stock"])
async def test_the_last_page_costs_what_the_first_one_does(large: str, wanted: dict[str, Any], sort: str) -> None:
    database = Database(large, application_name="test")
    async with database.begin() as session:
        whole = Wanted.model_validate({"sort": sort, "limit": 100} | wanted)
        oldest = "p0" if sort == "dearest" else f"p{COUNT - 1}"
        product = await session.get_one(Product, oldest)
        key = product.created_at if sort == "newest" else product.price
        cursor = _ORDERS[whole.sort].cursor.write((sort, key, oldest))
    await database.close()

    plan = await plan_of(large, sort=sort, cursor=cursor, **wanted)

    assert plan.kinds <= {"Index Only Scan", "Index Scan"}
    assert plan.examined <= LIMIT + 1
