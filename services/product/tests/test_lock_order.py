"""Whatever is asked in whatever order, nobody waits for someone who waits for them."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.ids import uuid7
from contracts.product.inventory import CorrectStock, Reservation, Restock
from product.inventory.commands import reserve
from product.inventory.counting import InvalidQuantity, StockReserved
from product.inventory.model import Article
from product.inventory.settlement import deduct, release
from product.inventory.stocking import refresh_in_stock
from product.inventory.tables import stored
from product.inventory.warehousing import correct_stock, restock
from services.product.tests.factories import (
    add_variant,
    event_counts,
    item,
    published,
    put_on_sale,
    reservation,
    reserved,
)
from services.product.tests.laws import broken_laws
from services.product.tests.rivals import Command, Crowd, End, alone, someone_waits_for_a_lock


async def test_no_order_of_products_and_reservations_makes_a_deadlock(url: str, database: Database) -> None:
    chance = random.Random(7)
    # So few that they run out and are there again all the time.
    articles: list[Article] = [(await put_on_sale(database, f"product-{number}", 12), None) for number in range(6)]
    for number in range(2):
        shirt = await put_on_sale(database, f"shirt-{number}", 0)
        articles += [(shirt, await add_variant(database, shirt, 4, size=size)) for size in ("S", "M", "L")]
    known: list[Reservation] = []

    def some_reservations() -> list[Reservation]:
        new = [
            reservation(
                *(
                    item(product_id, chance.randint(1, 3), variant_id)
                    for product_id, variant_id in chance.sample(articles, chance.randint(1, 6))
                )
            )
            for _ in range(chance.randint(1, 6))
        ]
        # Without any stock to lock, only its own row keeps such a one from its twin.
        new += [reservation(("unheard-of", 1)) for _ in range(3)]
        known.extend(new)
        batch = new + chance.sample(known[-60:], min(len(known), 8))
        chance.shuffle(batch)
        return batch

    def some_ids() -> list[UUID]:
        batch = [each.reservation_id for each in chance.sample(known[-60:], min(len(known), 8))]
        # What is released here before it is asked for is asked for later on, and at the same time.
        early = [reservation(item("product-0")) for _ in range(2)]
        known.extend(early)
        batch += [each.reservation_id for each in early]
        chance.shuffle(batch)
        return batch

    async def count_again(one: Database) -> None:
        product_id, variant_id = chance.choice(articles)
        counted = CorrectStock(variant_id=variant_id, quantity=chance.choice([-2, -1, 1, 2]), reason="counted")
        with suppress(InvalidQuantity, StockReserved):
            async with one.begin() as session:
                await correct_stock(session, product_id, counted, "test")

    others = Database(url, application_name="another replica")
    try:
        for _ in range(12):
            storm = [
                call
                for one in (database, others)
                for call in (
                    *(alone(one, reserve, some_reservations()) for _ in range(5)),
                    *(alone(one, release, some_ids()) for _ in range(3)),
                    *(alone(one, deduct, some_ids()) for _ in range(3)),
                    *(count_again(one) for _ in range(3)),
                )
            ]
            chance.shuffle(storm)
            await asyncio.gather(*storm)
            assert await broken_laws(database) == []
    finally:
        await others.close()

    assert max((await event_counts(database)).values()) == 1


@pytest.fixture
async def crowd(database: Database) -> Crowd:
    return Crowd(database)


async def test_those_who_reserve_lock_the_stock_in_one_order(crowd: Crowd, database: Database) -> None:
    products = [await put_on_sale(database, f"product-{number}", 100) for number in range(10)]

    await crowd.pushes(
        lambda session: session.execute(text("SELECT 1 FROM stock WHERE product_id = 'product-0' FOR UPDATE")),
        reserve,
        lambda _: [reservation((product, 1)) for product in products],
    )

    assert set((await reserved(database)).values()) == {8}


@pytest.mark.parametrize("end", [release, deduct])
async def test_those_who_end_reservations_lock_the_stock_in_one_order(
    crowd: Crowd, database: Database, end: End
) -> None:
    products = [await put_on_sale(database, f"product-{number}", 100) for number in range(10)]
    wanted = [reservation((product, 1)) for _ in range(8) for product in products]
    await alone(database, reserve, wanted)

    await crowd.pushes(
        lambda session: session.execute(text("SELECT 1 FROM stock WHERE product_id = 'product-0' FOR UPDATE")),
        end,
        lambda number: [each.reservation_id for each in wanted[number * 10 : number * 10 + 10]],
    )

    assert set((await reserved(database)).values()) == {0}


@pytest.mark.parametrize("end", [release, deduct])
async def test_those_who_end_reservations_lock_them_in_one_order(crowd: Crowd, database: Database, end: End) -> None:
    await put_on_sale(database, "mug", 100)
    wanted = [reservation(("mug", 1)) for _ in range(10)]
    await alone(database, reserve, wanted)

    await crowd.pushes(
        lambda session: session.execute(text("SELECT 1 FROM reservations ORDER BY id LIMIT 1 FOR UPDATE")),
        end,
        lambda _: [each.reservation_id for each in wanted],
    )

    assert await reserved(database) == {"mug": 0}


async def test_reservations_that_need_no_stock_are_written_in_one_order(crowd: Crowd, database: Database) -> None:
    wanted = [reservation(("unheard-of", 1)) for _ in range(10)]
    smallest = min(wanted, key=lambda each: each.reservation_id)

    await crowd.pushes(lambda session: reserve(session, [smallest], ["test"]), reserve, lambda _: wanted)

    assert await published(database) == []


async def test_releases_that_come_before_their_reservations_are_written_in_one_order(
    crowd: Crowd, database: Database
) -> None:
    ids = [uuid7() for _ in range(10)]

    await crowd.pushes(lambda session: release(session, [min(ids)], ["test"]), release, lambda _: ids)

    assert await published(database) == []


async def still_free(database: Database, row: str) -> bool:
    async with database.begin() as session:
        return await session.scalar(text(f"SELECT 1 FROM {row} FOR UPDATE SKIP LOCKED")) is not None


FIRST, SECOND = UUID(int=1), UUID(int=2)


@pytest.fixture
async def two_of_each(database: Database) -> None:
    """The second ones first, so that their order in the tables is not that of their ids."""
    await put_on_sale(database, "second", 2)
    await put_on_sale(database, "first", 2)
    for variant_id in (SECOND, FIRST):
        await add_variant(database, "first", 2, id=variant_id)


PRODUCTS: list[Article] = [("first", FIRST), ("second", None)]
BOTH_VARIANTS: list[Article] = [("first", FIRST), ("first", SECOND)]


@pytest.mark.usefixtures("two_of_each")
@pytest.mark.parametrize("command", [reserve, release, deduct])
@pytest.mark.parametrize("articles", [PRODUCTS, BOTH_VARIANTS], ids=["products", "variants"])
async def test_stock_is_locked_by_product_and_variant(
    database: Database, command: Command[Any, Any], articles: list[Article]
) -> None:
    wanted = reservation(*(item(product_id, 1, variant_id) for product_id, variant_id in reversed(articles)))
    if command is not reserve:
        await alone(database, reserve, [wanted])
    first, second = (f"stock WHERE product_id = '{id}' AND variant_id = '{stored(of)}'" for id, of in articles)

    async with database.begin() as session:
        await session.execute(text(f"SELECT 1 FROM {first} FOR UPDATE"))
        batch = [wanted if command is reserve else wanted.reservation_id]
        waiting = asyncio.create_task(alone(database, command, batch))
        await someone_waits_for_a_lock(database)

        assert await still_free(database, second)

    await waiting


@pytest.mark.usefixtures("two_of_each")
@pytest.mark.parametrize("end", [release, deduct])
async def test_reservations_are_locked_by_id(database: Database, end: End) -> None:
    for id in (SECOND, FIRST):
        await alone(database, reserve, [reservation(("second", 1), id=id)])

    async with database.begin() as session:
        await session.execute(text(f"SELECT 1 FROM reservations WHERE id = '{FIRST}' FOR UPDATE"))
        waiting = asyncio.create_task(alone(database, end, [SECOND, FIRST]))
        await someone_waits_for_a_lock(database)

        assert await still_free(database, f"reservations WHERE id = '{SECOND}'")

    await waiting


async def take_all(database: Database) -> None:
    await alone(database, reserve, [reservation(("second", 2), item("first", 2, FIRST))])


async def look_at_both(database: Database) -> None:
    async with database.begin() as session:
        await refresh_in_stock(session, ["second", "first"])


@pytest.mark.usefixtures("two_of_each")
@pytest.mark.parametrize("doing", [take_all, look_at_both])
async def test_products_are_locked_by_id(
    database: Database, doing: Callable[[Database], Coroutine[Any, Any, None]]
) -> None:
    async with database.begin() as session:
        await session.execute(text("SELECT 1 FROM products WHERE id = 'first' FOR UPDATE"))
        waiting = asyncio.create_task(doing(database))
        await someone_waits_for_a_lock(database)

        assert await still_free(database, "products WHERE id = 'second'")

    await waiting


async def take_last(session: AsyncSession) -> object:
    return await reserve(session, [reservation(("mug", 2))], ["test"])


async def give_back(session: AsyncSession) -> object:
    return await release(session, [HELD_BEFORE], ["test"])


async def receive(session: AsyncSession) -> object:
    return await restock(session, "mug", Restock(quantity=1), "test")


async def write_off(session: AsyncSession) -> object:
    return await correct_stock(session, "mug", CorrectStock(quantity=-2, reason="broken"), "test")


HELD_BEFORE = UUID(int=1)


@pytest.mark.parametrize(
    ("doing", "held_before"),
    [(take_last, 1), (give_back, 3), (receive, 3), (write_off, 1)],
    ids=["reserve", "release", "restock", "correct"],
)
async def test_whoever_waits_for_a_product_has_its_stock_already(
    database: Database, doing: Callable[[AsyncSession], Awaitable[object]], held_before: int
) -> None:
    await put_on_sale(database, "mug", 3)
    await alone(database, reserve, [reservation(("mug", held_before), id=HELD_BEFORE)])

    async def in_a_transaction() -> None:
        async with database.begin() as session:
            await doing(session)

    async with database.begin() as session:
        await session.execute(text("SELECT 1 FROM products WHERE id = 'mug' FOR UPDATE"))
        waiting = asyncio.create_task(in_a_transaction())
        await someone_waits_for_a_lock(database)

        assert not await still_free(database, "stock WHERE product_id = 'mug'")

    await waiting


async def test_who_changes_nothing_that_the_catalogue_shows_does_not_wait_for_it(database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    given_back, leaves = reservation(("mug", 2)), reservation(("mug", 3))

    async with database.begin() as session:
        await session.execute(text("SELECT 1 FROM products FOR UPDATE"))

        async with asyncio.timeout(5):
            await alone(database, reserve, [given_back, leaves])
            await alone(database, release, [given_back.reservation_id])
            await alone(database, deduct, [leaves.reservation_id])
            async with database.begin() as other:
                await restock(other, "mug", Restock(quantity=1), "test")
            async with database.begin() as other:
                await correct_stock(other, "mug", CorrectStock(quantity=-1, reason="broken"), "test")
