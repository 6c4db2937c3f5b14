"""What the catalogue shows to whoever browses it: filtered, sorted, page by page, and never what is off sale."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from chassis.db import Database
from product.catalog.model import Product
from services.product.tests.factories import as_person, instance, put_on_sale
from services.product.tests.factories_listing import LIST, a_category, all_listed, listed, pages

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def minutes(count: int) -> datetime:
    return NOON + timedelta(minutes=count)


async def test_what_came_last_stands_first_unless_asked_otherwise(
    client: httpx.AsyncClient, database: Database
) -> None:
    for number, price in enumerate([30_00, 10_00, 20_00]):
        await put_on_sale(database, f"mug-{number}", 1, price=price, created_at=minutes(number))

    assert await listed(client) == ["mug-2", "mug-1", "mug-0"]
    assert await listed(client, sort="newest") == ["mug-2", "mug-1", "mug-0"]
    assert await listed(client, sort="cheapest") == ["mug-1", "mug-2", "mug-0"]
    assert await listed(client, sort="dearest") == ["mug-0", "mug-2", "mug-1"]


async def test_a_product_is_shown_as_it_is_bought(client: httpx.AsyncClient, database: Database) -> None:
    kitchen = await a_category(database, "Kitchen")
    await put_on_sale(database, "mug", 3, price=14_05, category_id=kitchen, description="Holds a lot.")

    page = (await client.get(LIST)).json()

    assert page == {
        "items": [
            {
                "product_id": "mug",
                "name": "Stoneware mug",
                "category_id": str(kitchen),
                "unit_price": "14.05",
                "currency": "EUR",
                "in_stock": True,
                "has_variants": False,
                "is_active": True,
            }
        ],
        "next_cursor": None,
    }


async def test_a_category_is_shown_with_all_that_stand_under_it(client: httpx.AsyncClient, database: Database) -> None:
    kitchen = await a_category(database, "Kitchen")
    coffee = await a_category(database, "Coffee", kitchen)
    filters = await a_category(database, "Filters", coffee)
    garden = await a_category(database, "Garden")
    for number, category in enumerate([kitchen, coffee, filters, garden]):
        await put_on_sale(database, f"product-{number}", 1, category_id=category, created_at=minutes(number))

    assert await listed(client, category_id=kitchen) == ["product-2", "product-1", "product-0"]
    assert await listed(client, category_id=coffee) == ["product-2", "product-1"]
    assert await listed(client, category_id=filters) == ["product-2"]
    assert await listed(client, category_id=garden) == ["product-3"]


async def test_a_category_without_products_is_empty_and_one_that_does_not_exist_is_refused(
    client: httpx.AsyncClient, database: Database
) -> None:
    empty = await a_category(database, "Kitchen")

    unknown = await client.get(LIST, params={"category_id": str(uuid4())})

    assert await listed(client, category_id=empty) == []
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "INVALID_CATEGORY")


async def test_prices_are_bounded_on_both_sides_and_the_bounds_belong_to_it(
    client: httpx.AsyncClient, database: Database
) -> None:
    for price in (9_99, 10_00, 15_50, 20_00, 20_01):
        await put_on_sale(database, f"at-{price}", 1, price=price)

    async def between(**bounds: Any) -> list[str]:
        return await listed(client, sort="cheapest", **bounds)

    assert await between(price_from="10", price_to="20.00") == ["at-1000", "at-1550", "at-2000"]
    assert await between(price_from="20.0") == ["at-2000", "at-2001"]
    assert await between(price_to="9.99") == ["at-999"]
    assert await between(price_from="15.51", price_to="15.49") == []


async def test_what_is_sold_out_can_be_left_out(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "there", 1)
    await put_on_sale(database, "sold-out", 0)

    assert set(await listed(client)) == {"there", "sold-out"}
    assert await listed(client, in_stock="true") == ["there"]
    assert set(await listed(client, in_stock="false")) == {"there", "sold-out"}


@pytest.mark.rule("BR-PROD-002")
async def test_what_is_off_sale_is_shown_to_admins_who_ask_for_it_and_to_nobody_else(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "on-sale", 1)
    await put_on_sale(database, "off-sale", 1, is_active=False)
    asked = {"include_inactive": "true"}

    nobody = await client.get(LIST, params=asked)
    customer = await client.get(LIST, params=asked, headers=as_person("customer"))
    admin = await client.get(LIST, params=asked, headers=as_person("admin"))

    assert await listed(client) == ["on-sale"]
    assert await listed(client, as_person("admin")) == ["on-sale"]
    assert await listed(client, q="stoneware") == ["on-sale"]
    assert (nobody.status_code, customer.status_code) == (401, 403)
    assert {item["product_id"] for item in admin.json()["items"]} == {"on-sale", "off-sale"}
    assert admin.headers["cache-control"] == "no-store"


async def test_pages_lead_through_what_came_at_the_same_moment_without_gap_or_repetition(
    client: httpx.AsyncClient, database: Database
) -> None:
    for number in range(7):
        await put_on_sale(database, f"mug-{number}", number % 2, created_at=NOON)

    for sort in ("newest", "cheapest", "dearest"):
        seen = [page async for page in pages(client, sort=sort, limit=3)]

        assert [len(page) for page in seen] == [3, 3, 1]
        assert sorted(each for page in seen for each in page) == [f"mug-{number}" for number in range(7)]


async def test_who_reads_on_while_the_catalogue_changes_meets_nothing_twice_and_misses_nothing_that_stayed(
    client: httpx.AsyncClient, database: Database
) -> None:
    for number in range(6):
        await put_on_sale(database, f"mug-{number}", 1, created_at=minutes(number))
    reading = pages(client, limit=2)
    first = await anext(reading)

    await put_on_sale(database, "newer", 1, created_at=minutes(99))
    async with database.begin() as session:
        last_on_page, later = (await session.get_one(Product, first[-1]), await session.get_one(Product, "mug-2"))
        last_on_page.is_active = False
        later.in_stock, later.price = False, 1

    assert first == ["mug-5", "mug-4"]
    assert [page async for page in reading] == [["mug-3", "mug-2"], ["mug-1", "mug-0"]]


@dataclass(frozen=True)
class Known:
    id: str
    name: str
    category: UUID
    price: int
    at: datetime
    in_stock: bool
    is_active: bool


async def test_any_combination_shows_exactly_what_it_should(client: httpx.AsyncClient, database: Database) -> None:
    chance = random.Random(7)
    top = await a_category(database, "Top")
    leaves = [await a_category(database, f"Leaf {number}", top) for number in range(3)]
    other = await a_category(database, "Other")
    trees = {top: {top, *leaves}, leaves[0]: {leaves[0]}, other: {other}}
    catalogue = [
        Known(
            id=f"p{number}",
            name=" ".join(chance.sample(["mug", "kettle", "grinder", "filter", "red", "blue"], 2)),
            category=chance.choice([top, *leaves, other]),
            price=chance.randrange(100, 120),
            at=minutes(chance.randrange(10)),
            in_stock=chance.random() < 0.5,
            is_active=chance.random() < 0.8,
        )
        for number in range(120)
    ]
    for each in catalogue:
        more = {"category_id": each.category, "created_at": each.at}
        await put_on_sale(
            database, each.id, int(each.in_stock), name=each.name, price=each.price, is_active=each.is_active, **more
        )
    orders = {
        "newest": lambda one: (one.at, one.id),
        "cheapest": lambda one: (one.price, one.id),
        "dearest": lambda one: (one.price, one.id),
    }

    for _ in range(150):
        sort = chance.choice(list(orders))
        category = chance.choice([None, *trees])
        low, high = chance.choice([(None, None), (105, 110), (None, 104), (112, None)])
        word = chance.choice([None, None, "mug", "gri", "red ket"])
        in_stock = chance.random() < 0.4
        expected = [
            one
            for one in catalogue
            if one.is_active
            and (one.in_stock or not in_stock)
            and (category is None or one.category in trees[category])
            and (low is None or one.price >= low)
            and (high is None or one.price <= high)
            and all(any(has.startswith(part) for has in one.name.split()) for part in (word or "").split())
        ]
        expected.sort(key=orders[sort], reverse=sort != "cheapest")

        found = await all_listed(
            client,
            sort=sort,
            limit=chance.choice([1, 3, 10, 100]),
            category_id=category,
            price_from=low and f"{low / 100:.2f}",
            price_to=high and f"{high / 100:.2f}",
            q=word,
            in_stock="true" if in_stock else None,
        )

        assert found == [one.id for one in expected]


async def test_a_page_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 1)

    for path in (LIST, f"{LIST}/mug"):
        first = await client.get(path)
        again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})

        assert first.headers["cache-control"] == "public, max-age=10"
        assert (again.status_code, again.content) == (304, b"")

    before = (await client.get(LIST)).headers["etag"]
    await put_on_sale(database, "kettle", 1)
    assert (await client.get(LIST, headers={"If-None-Match": before})).status_code == 200


async def test_how_long_a_page_is_good_for_can_be_set(url: str, database: Database) -> None:
    await put_on_sale(database, "mug", 1)

    async with instance(url, catalogue_max_age=timedelta(minutes=1)) as client:
        answers = [await client.get(path) for path in (LIST, f"{LIST}/mug")]

    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=60"}
