"""The warehouse counts while orders come in."""

import asyncio
from collections import Counter

import httpx
import pytest

from chassis.db import Database
from contracts.product.inventory import CorrectStock, Restock
from product.inventory.commands import reserve
from product.inventory.warehousing import correct_stock
from product.inventory.warehousing import restock as receive
from services.product.tests.factories import Shelf, published, put_on_sale, reservation, shelf
from services.product.tests.factories_warehouse import correct, restock
from services.product.tests.laws import broken_laws
from services.product.tests.rivals import Replicas, held, someone_waits_for_a_lock


@pytest.fixture
def replicas(client: httpx.AsyncClient, other_client: httpx.AsyncClient) -> Replicas:
    return client, other_client


async def test_what_is_being_held_just_now_cannot_be_corrected_away(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)

    async with database.begin() as session:
        await reserve(session, [reservation(("mug", 8))], ["test"])
        counting = asyncio.create_task(correct(client, "mug", {"quantity": -5, "reason": "counted"}))
        await someone_waits_for_a_lock(database)

    answer = await counting
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "STOCK_RESERVED")
    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=8)


async def test_what_is_being_corrected_away_just_now_cannot_be_held(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)

    async with database.begin() as session:
        await correct_stock(session, "mug", CorrectStock(quantity=-8, reason="counted"), "test")
        asking = asyncio.create_task(held(client, reservation(("mug", 5))))
        await someone_waits_for_a_lock(database)

    assert (await asking)["state"] == "REFUSED"
    assert await shelf(database, "mug") == Shelf(on_hand=2, reserved=0)


async def test_what_comes_in_just_now_can_be_had_by_who_waits_for_it(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 0)

    async with database.begin() as session:
        await receive(session, "mug", Restock(quantity=5), "test")
        asking = asyncio.create_task(held(client, reservation(("mug", 5))))
        await someone_waits_for_a_lock(database)

    assert (await asking)["state"] == "HELD"
    assert await broken_laws(database) == []


async def test_many_who_count_at_once_lose_nothing_of_each_other(replicas: Replicas, database: Database) -> None:
    await put_on_sale(database, "mug", 40)

    answers = await asyncio.gather(
        *(
            call
            for number in range(20)
            for call in (
                restock(replicas[number % 2], "mug", {"quantity": 3}),
                correct(replicas[number % 2], "mug", {"quantity": -1, "reason": "broken"}),
            )
        )
    )

    assert Counter(answer.status_code for answer in answers) == {201: 40}
    assert await shelf(database, "mug") == Shelf(on_hand=80, reserved=0)
    assert await broken_laws(database) == []


async def test_of_two_with_the_same_key_at_once_one_is_done(replicas: Replicas, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    answers = await asyncio.gather(
        *(restock(replica, "mug", {"quantity": 3}, key="delivery-4711") for replica in replicas)
    )

    assert [answer.json()["on_hand"] for answer in answers] == [13, 13]
    assert await shelf(database, "mug") == Shelf(on_hand=13, reserved=0)
    assert [kind for kind, _ in await published(database)] == ["inventory.restocked"]
