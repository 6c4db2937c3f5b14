"""What customers have sent back is on the shelf again: all of it or nothing, and once."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.failpoints import FailpointHit, arm, disarm
from chassis.ids import uuid7
from contracts.product.inventory import ReturnedStock
from product.inventory.commands import reserve
from product.inventory.returning import take_back
from services.product.tests.factories import (
    Shelf,
    add_variant,
    as_person,
    as_service,
    is_in_stock,
    item,
    published,
    put_on_sale,
    reservation,
    shelf,
)
from services.product.tests.factories_warehouse import ledger, movements
from services.product.tests.laws import broken_laws
from services.product.tests.rivals import Replicas, someone_waits_for_a_lock

RETURN = UUID("0197a5c8-7d00-7000-8000-000000000041")


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    disarm()


@pytest.fixture
def replicas(client: httpx.AsyncClient, other_client: httpx.AsyncClient) -> Replicas:
    return client, other_client


def line(product_id: str, quantity: int = 1, variant_id: UUID | None = None) -> dict[str, Any]:
    return item(product_id, quantity, variant_id).model_dump(mode="json", exclude_none=True)


async def back(client: httpx.AsyncClient, *lines: dict[str, Any], return_id: object = RETURN) -> httpx.Response:
    body = {"return_id": str(return_id), "items": list(lines)}
    return await client.post("/api/v1/returned-stock", json=body, headers=as_service())


async def restocked(database: Database) -> list[dict[str, Any]]:
    return [told for kind, told in await published(database) if kind == "inventory.restocked"]


async def test_what_comes_back_is_on_the_shelf_and_can_be_had(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    answer = await back(client, line("mug", 2))

    assert answer.status_code == 200
    assert answer.json() == {"return_id": str(RETURN), "items": [{"product_id": "mug", "quantity": 2}]}
    assert await shelf(database, "mug") == Shelf(on_hand=12, reserved=0)
    last = (await movements(database, "mug"))[-1]
    assert (last.kind, last.on_hand_change, last.cause, last.actor, last.note) == (
        "received", 2, RETURN, "sales", "returned"
    )  # fmt: skip
    [told] = await restocked(database)
    assert (told["product_id"], told["quantity"], told["available"]) == ("mug", 2, 12)
    assert await broken_laws(database) == []


async def test_it_is_on_record(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    await back(client, line("mug", 2))

    async with database.begin() as session:
        rows = await session.execute(text("SELECT * FROM audit_log WHERE action = 'stock.returned'"))
        [row] = rows.all()
    assert (row.actor, row.entity_id, row.before) == ("sales", "mug", {"on_hand": 10})
    assert row.after == {"on_hand": 12, "cause": str(RETURN)}


async def test_what_had_run_out_is_in_stock_again(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 0)

    await back(client, line("mug"))

    assert await is_in_stock(database, "mug")
    assert await broken_laws(database) == []


async def test_of_several_lines_each_article_is_moved_once_and_told_of(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "shirt", 0)
    small = await add_variant(database, "shirt", 3, size="S")

    answer = await back(client, line("shirt", 1, small), line("mug", 2), line("mug", 3))

    assert answer.json()["items"] == [
        {"product_id": "mug", "quantity": 5},
        {"product_id": "shirt", "variant_id": str(small), "quantity": 1},
    ]
    assert (await shelf(database, "mug")).on_hand == 15
    assert (await shelf(database, "shirt", small)).on_hand == 4
    assert {told["name"] for told in await restocked(database)} == {"Stoneware mug", "Stoneware mug, S"}
    assert await broken_laws(database) == []


async def test_asked_again_it_changes_nothing_and_answers_the_same(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "bowl", 10)
    first = await back(client, line("mug", 2), line("bowl", 1))

    again = await back(client, line("bowl", 1), line("mug", 1), line("mug", 1))

    assert (again.status_code, again.json()) == (200, first.json())
    assert await shelf(database, "mug") == Shelf(on_hand=12, reserved=0)
    assert len(await ledger(database, "mug")) == 2
    assert len(await restocked(database)) == 2


@pytest.mark.parametrize("others", [[line("mug", 3)], [line("bowl", 2)], [line("mug", 2), line("bowl", 1)]])
async def test_with_other_goods_it_is_refused(
    client: httpx.AsyncClient, database: Database, others: list[dict[str, Any]]
) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "bowl", 10)
    await back(client, line("mug", 2))

    answer = await back(client, *others)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "RETURN_MISMATCH")
    assert await shelf(database, "mug") == Shelf(on_hand=12, reserved=0)
    assert await shelf(database, "bowl") == Shelf(on_hand=10, reserved=0)


async def test_what_is_off_sale_comes_back_too(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 0, is_active=False)

    answer = await back(client, line("mug", 2))

    assert answer.status_code == 200
    assert await shelf(database, "mug") == Shelf(on_hand=2, reserved=0)
    assert await broken_laws(database) == []


async def test_what_was_sold_before_there_were_variants_comes_back_but_cannot_be_had(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "shirt", 0)
    await add_variant(database, "shirt", 0)

    answer = await back(client, line("shirt", 2))

    assert answer.status_code == 200
    assert await shelf(database, "shirt") == Shelf(on_hand=2, reserved=0)
    assert not await is_in_stock(database, "shirt")
    assert await restocked(database) == []
    assert await broken_laws(database) == []


@pytest.mark.parametrize(
    "stranger", [line("unheard-of"), line("mug", 1, uuid7()), line("mug", 1, UUID(int=0))], ids=["id", "variant", "nil"]
)
async def test_of_a_return_with_something_unknown_nothing_comes_back(
    client: httpx.AsyncClient, database: Database, stranger: dict[str, Any]
) -> None:
    await put_on_sale(database, "mug", 10)

    answer = await back(client, line("mug", 2), stranger)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "PRODUCT_NOT_FOUND")
    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=0)
    assert await restocked(database) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"return_id": str(RETURN), "items": []},
        {"return_id": "none", "items": [line("mug")]},
        {"return_id": str(RETURN), "items": [line("mug")] * 51},
        {"return_id": str(RETURN), "items": [{"product_id": "mug", "quantity": 0}]},
        {"return_id": str(RETURN), "items": [{"product_id": "mug", "quantity": 10_001}]},
        {"return_id": str(RETURN), "items": [{"product_id": "mug", "quantity": True}]},
        {"return_id": str(RETURN), "items": [{"product_id": "m\x00g", "quantity": 1}]},
        {"return_id": str(RETURN), "items": [line("mug")], "note": "!"},
    ],
)
async def test_what_is_no_return_is_refused(client: httpx.AsyncClient, body: Any) -> None:
    answer = await client.post("/api/v1/returned-stock", json=body, headers=as_service())

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(("role", "status"), [("customer", 403), ("warehouse", 403), ("admin", 403), (None, 401)])
async def test_only_services_bring_anything_back(
    client: httpx.AsyncClient, database: Database, role: str | None, status: int
) -> None:
    await put_on_sale(database, "mug", 10)
    body = {"return_id": str(RETURN), "items": [line("mug")]}

    answer = await client.post("/api/v1/returned-stock", json=body, headers=as_person(role) if role else {})

    assert answer.status_code == status
    assert (await shelf(database, "mug")).on_hand == 10


async def test_of_many_at_once_one_brings_it_back(replicas: Replicas, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    answers = await asyncio.gather(*(back(replicas[number % 2], line("mug", 2)) for number in range(10)))

    assert [answer.status_code for answer in answers] == [200] * 10
    assert await shelf(database, "mug") == Shelf(on_hand=12, reserved=0)
    assert len(await restocked(database)) == 1
    assert await broken_laws(database) == []


async def test_of_two_with_other_goods_at_once_one_is_refused(replicas: Replicas, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "bowl", 10)

    async with database.begin() as session:
        await take_back(session, ReturnedStock(return_id=RETURN, items=[item("mug", 2)]), "test")
        other = asyncio.create_task(back(replicas[0], line("bowl", 2)))
        await someone_waits_for_a_lock(database)

    assert (await other).status_code == 409
    assert (await shelf(database, "bowl")).on_hand == 10


async def test_what_is_being_held_just_now_is_not_told_to_be_there(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)

    async with database.begin() as session:
        await reserve(session, [reservation(("mug", 8))], ["test"])
        returning = asyncio.create_task(back(client, line("mug", 2)))
        await someone_waits_for_a_lock(database)

    assert (await returning).status_code == 200
    assert [told["available"] for told in await restocked(database)] == [4]
    assert await broken_laws(database) == []


async def test_returns_that_name_the_same_goods_in_different_orders_do_not_lock_each_other_out(
    replicas: Replicas, database: Database
) -> None:
    for product_id in ("mug", "bowl"):
        await put_on_sale(database, product_id, 0)
    lines = [line("mug"), line("bowl")]

    answers = await asyncio.gather(
        *(back(replicas[n % 2], *(lines if n % 2 else lines[::-1]), return_id=uuid7()) for n in range(20))
    )

    assert [answer.status_code for answer in answers] == [200] * 20
    assert await shelf(database, "mug") == await shelf(database, "bowl") == Shelf(on_hand=20, reserved=0)
    assert await broken_laws(database) == []


async def test_what_dies_half_way_has_brought_nothing_back(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    arm("test", "product.return.written=raise*1")

    with pytest.raises(FailpointHit):
        async with database.begin() as session:
            await take_back(session, ReturnedStock(return_id=RETURN, items=[item("mug", 2)]), "test")

    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=0)
    assert (await back(client, line("mug", 2))).status_code == 200
    assert await shelf(database, "mug") == Shelf(on_hand=12, reserved=0)
