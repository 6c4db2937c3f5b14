"""Many change the catalogue at once, through two replicas on one database, with real commits."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from contracts.product.catalog import AddVariant, ChangePrice, CreateCategory, CreateProduct, RenameCategory
from product.catalog.changing import deactivate_product
from product.catalog.creating import create_product
from product.catalog.pricing import change_price
from product.catalog.variants import add_variant
from product.categories.commands import create_category, rename_category
from services.product.tests.factories import ask, is_in_stock, item, published, reservation
from services.product.tests.factories_catalog import (
    CATEGORIES,
    PRODUCTS,
    Catalogue,
    code,
    count,
    on_record,
    outcomes,
    someone_waits_for_a_lock,
)

Command = Callable[[AsyncSession], Awaitable[object]]


@pytest.fixture
def catalogue(client: httpx.AsyncClient) -> Catalogue:
    return Catalogue(client)


@pytest.fixture
def other(other_client: httpx.AsyncClient) -> Catalogue:
    return Catalogue(other_client)


async def second(database: Database, first: Command, asked: Awaitable[httpx.Response]) -> httpx.Response:
    """The answer to a request that comes while the first has done its work and not yet committed it."""
    async with database.begin() as session:
        await first(session)
        answer = asyncio.ensure_future(asked)
        await someone_waits_for_a_lock(database)
    return await answer


@pytest.mark.rule("BR-CAT-001")
async def test_of_two_categories_of_one_name_at_once_one_is_made(catalogue: Catalogue, database: Database) -> None:
    answer = await second(
        database,
        lambda session: create_category(session, CreateCategory(name="Épices"), by="bob", deepest=3),
        catalogue.ask("POST", CATEGORIES, {"name": "ÉPICES"}),
    )

    assert code(answer) == (409, "DUPLICATE_CATEGORY_NAME")
    assert await count(database, "categories") == len(await published(database)) == len(await on_record(database)) == 1


async def test_a_name_that_the_first_gives_up_is_the_seconds(catalogue: Catalogue, database: Database) -> None:
    async def fail() -> None:
        async with database.begin() as session:
            await create_category(session, CreateCategory(name="Spices"), by="bob", deepest=3)
            answers.append(asyncio.ensure_future(catalogue.ask("POST", CATEGORIES, {"name": "spices"})))
            await someone_waits_for_a_lock(database)
            raise ZeroDivisionError

    answers: list[asyncio.Future[httpx.Response]] = []
    with pytest.raises(ZeroDivisionError):
        await fail()

    assert (await answers[0]).status_code == 201
    assert await count(database, "categories") == 1


async def test_of_two_categories_that_take_one_name_at_once_one_gets_it(
    catalogue: Catalogue, database: Database
) -> None:
    one, another = UUID(await catalogue.category("One")), await catalogue.category("Another")

    answer = await second(
        database,
        lambda session: rename_category(session, one, RenameCategory(name="Spices"), by="bob"),
        catalogue.ask("PATCH", f"{CATEGORIES}/{another}", {"name": "SPICES"}),
    )

    assert code(answer) == (409, "DUPLICATE_CATEGORY_NAME")
    assert [each["name"] for each in await catalogue.pages(CATEGORIES, limit=5)] == ["Another", "Spices"]


async def test_two_new_names_for_one_category_are_on_record_one_after_the_other(
    catalogue: Catalogue, database: Database
) -> None:
    category = await catalogue.category("One")

    await second(
        database,
        lambda session: rename_category(session, UUID(category), RenameCategory(name="Two"), by="bob"),
        catalogue.ask("PATCH", f"{CATEGORIES}/{category}", {"name": "Three"}),
    )

    renamed = [(each.before, each.after) for each in (await on_record(database))[1:]]
    assert renamed == [({"name": "One"}, {"name": "Two"}), ({"name": "Two"}, {"name": "Three"})]


async def test_of_two_products_of_one_id_at_once_one_is_made(catalogue: Catalogue, database: Database) -> None:
    body = await catalogue.wanted(product_id="mug")

    answer = await second(
        database,
        lambda session: create_product(session, CreateProduct.model_validate(body), by="bob", currency="EUR"),
        catalogue.ask("POST", PRODUCTS, body | {"name": "Another mug", "initial_stock": 99}),
    )

    assert code(answer) == (409, "DUPLICATE_PRODUCT_ID")
    assert (await catalogue.show())["available"] == 10
    assert await count(database, "stock_movements") == 1
    assert len(await published(database)) == len(await on_record(database)) == 2


@pytest.mark.rule("BR-VAR-001")
async def test_of_two_variants_of_one_sku_at_once_one_is_added(catalogue: Catalogue, database: Database) -> None:
    await catalogue.product("mug")
    await catalogue.product("cup")

    answer = await second(
        database,
        lambda session: add_variant(session, "mug", AddVariant(sku="L", size="L"), by="bob"),
        catalogue.ask("POST", f"{PRODUCTS}/cup/variants", {"sku": "L", "size": "L"}),
    )

    assert code(answer) == (409, "DUPLICATE_SKU")
    assert await count(database, "variants") == 1
    assert [len((await catalogue.show(each))["variants"]) for each in ("mug", "cup")] == [1, 0]
    assert (await catalogue.show("cup"))["available"] == 10


async def test_of_many_who_make_the_same_at_once_one_does(
    catalogue: Catalogue, other: Catalogue, database: Database
) -> None:
    await catalogue.product("mug")
    body = await catalogue.wanted(product_id="cup")

    async def rush(path: str, wanted: object) -> list[tuple[int, str]]:
        return outcomes(
            await asyncio.gather(*(each.ask("POST", path, wanted) for each in (catalogue, other) for _ in range(5)))
        )

    assert await rush(CATEGORIES, {"name": "Spices"}) == [(201, ""), *[(409, "DUPLICATE_CATEGORY_NAME")] * 9]
    assert await rush(PRODUCTS, body) == [(201, ""), *[(409, "DUPLICATE_PRODUCT_ID")] * 9]
    assert await rush(f"{PRODUCTS}/mug/variants", {"sku": "L", "size": "L"}) == [
        (201, ""),
        *[(409, "DUPLICATE_SKU")] * 9,
    ]
    assert await count(database, "stock") == 3


async def test_of_two_price_changes_at_once_the_second_follows_the_first(
    catalogue: Catalogue, database: Database
) -> None:
    await catalogue.product(price="1.00")

    await second(
        database,
        lambda session: change_price(session, "mug", ChangePrice(price="2.00"), by="bob"),
        catalogue.ask("PUT", f"{PRODUCTS}/mug/price", {"price": "3.00"}),
    )

    found = await catalogue.pages(f"{PRODUCTS}/mug/price-history", limit=5)
    assert [(each["previous_price"], each["price"], each["actor"]) for each in found] == [
        ("2.00", "3.00", "ada"),
        ("1.00", "2.00", "bob"),
    ]
    assert found[0]["at"] > found[1]["at"]
    assert (await catalogue.show())["unit_price"] == "3.00"


async def test_of_two_changes_of_a_variants_price_at_once_the_second_follows_the_first(
    catalogue: Catalogue, database: Database
) -> None:
    await catalogue.product(price="1.00")
    variant = (await catalogue.variant())["variant_id"]

    # That of the product, too, is a change of what the variant costs.
    await second(
        database,
        lambda session: change_price(session, "mug", ChangePrice(price="2.00"), by="bob"),
        catalogue.ask("PUT", f"{PRODUCTS}/mug/variants/{variant}/price", {"price": "3.00"}),
    )

    _, event = (await published(database))[-1]
    assert (event["variant_id"], event["previous_price"], event["price"]) == (variant, "2.00", "3.00")


@pytest.mark.rule("BR-PRICE-001")
async def test_however_many_change_a_price_the_history_is_one_chain(
    catalogue: Catalogue, other: Catalogue, database: Database
) -> None:
    await catalogue.product(price="1.00")
    wanted = [f"{number}.00" for number in range(2, 22)]

    answers = await asyncio.gather(
        *(
            (catalogue, other)[number % 2].ask("PUT", f"{PRODUCTS}/mug/price", {"price": price})
            for number, price in enumerate(wanted)
        )
    )

    assert {each.status_code for each in answers} == {200}
    chain = (await catalogue.pages(f"{PRODUCTS}/mug/price-history", limit=7))[::-1]
    now = [each["price"] for each in chain]
    assert sorted(now) == sorted(wanted)
    assert [each["previous_price"] for each in chain] == ["1.00", *now[:-1]]
    assert (await catalogue.show())["unit_price"] == now[-1]
    told = [event for kind, event in await published(database) if kind == "product.updated"]
    assert [(each["previous_price"], each["price"]) for each in told] == list(zip(["1.00", *now], now, strict=False))


async def test_a_product_that_two_take_off_sale_at_once_goes_off_once(catalogue: Catalogue, database: Database) -> None:
    await catalogue.product()

    answer = await second(
        database,
        lambda session: deactivate_product(session, "mug", by="bob"),
        catalogue.ask("POST", f"{PRODUCTS}/mug/deactivation"),
    )

    assert answer.json()["is_active"] is False
    assert [kind for kind, _ in await published(database)].count("product.deactivated") == 1
    assert [each.action for each in await on_record(database)].count("product.deactivated") == 1


async def test_whoever_takes_the_last_piece_while_a_variant_is_added_does_not_leave_the_product_in_stock(
    catalogue: Catalogue, database: Database
) -> None:
    await catalogue.product(initial_stock=1)
    last = reservation(item("mug"))

    answer = await second(
        database,
        lambda session: add_variant(session, "mug", AddVariant(sku="L", size="L"), by="bob"),
        ask(catalogue.client, [last]),
    )

    assert answer.json()["reservations"][0]["state"] == "HELD"
    assert not await is_in_stock(database, "mug")
    assert (await catalogue.show())["available"] == 0
