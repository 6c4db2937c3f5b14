"""The last piece: told once each time it goes, and the catalogue knows whether anything of a product can be had."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.breather import UNHURRIED
from chassis.broker import InProcessBroker
from chassis.db import Database
from chassis.outbox import OutboxRow
from chassis.steps import record
from contracts.product.inventory import CorrectStock, Restock
from product.app import build
from product.inventory.commands import reserve
from product.inventory.settlement import release
from product.inventory.warehousing import correct_stock, restock
from services.product.tests import factories_warehouse as warehouse
from services.product.tests.factories import (
    add_variant,
    as_service,
    ask,
    is_in_stock,
    item,
    published,
    put_on_sale,
    reservation,
    settings,
    settle,
)
from services.product.tests.rivals import alone, someone_waits_for_a_lock


async def told_out(database: Database) -> list[dict[str, object]]:
    return [content for kind, content in await published(database) if kind == "inventory.out_of_stock"]


async def test_what_is_told_of_stock_leaves_orders_their_time(database: Database) -> None:
    service = build(settings(database.url), InProcessBroker())

    assert service.rests_after_telling == UNHURRIED
    assert service.subscription.rest == timedelta(0)
    await service.database.close()


async def test_that_the_last_piece_is_held_is_told_with_its_name(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 3, name="Stoneware mug")

    await ask(client, [reservation(("mug", 2))])
    before = await told_out(database)
    await ask(client, [reservation(("mug", 1))])

    assert before == []
    assert await told_out(database) == [{"product_id": "mug", "name": "Stoneware mug"}]


async def test_a_variant_runs_out_by_itself(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "shirt", 0, name="Shirt")
    large = await add_variant(database, "shirt", 2, size="L", color="red")
    await add_variant(database, "shirt", 2, size="S")

    await ask(client, [reservation(item("shirt", 2, large))])

    assert await told_out(database) == [{"product_id": "shirt", "variant_id": str(large), "name": "Shirt, L, red"}]
    assert await is_in_stock(database, "shirt")


@pytest.mark.rule("BR-INV-002")
async def test_it_is_told_once_and_not_by_those_who_come_too_late(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 3)
    last = reservation(("mug", 3))

    await ask(client, [last, reservation(("mug", 1))])
    await ask(client, [last])
    await ask(client, [reservation(("mug", 1))])
    await settle(client, "deductions", [last.reservation_id])

    assert len(await told_out(database)) == 1


@pytest.mark.rule("BR-INV-002")
async def test_it_is_told_again_when_there_was_some_in_between(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 3)
    held = reservation(("mug", 3))
    await ask(client, [held])

    await settle(client, "releases", [held.reservation_id])
    await ask(client, [reservation(("mug", 3))])
    await warehouse.restock(client, "mug", {"quantity": 1})
    await ask(client, [reservation(("mug", 1))])

    assert len(await told_out(database)) == 3


async def test_a_correction_that_leaves_none_tells_it(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 3, name="Stoneware mug")
    await ask(client, [reservation(("mug", 1))])

    await warehouse.correct(client, "mug", {"quantity": -1, "reason": "broken"})
    before = await told_out(database)
    await warehouse.correct(client, "mug", {"quantity": -1, "reason": "broken"})

    assert before == []
    assert await told_out(database) == [{"product_id": "mug", "name": "Stoneware mug"}]
    assert not await is_in_stock(database, "mug")


async def test_what_never_was_there_is_not_told_to_be_out(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 0)

    await ask(client, [reservation(("mug", 1)), reservation(("unheard-of", 1))])

    assert await told_out(database) == []


async def test_of_several_in_one_batch_it_belongs_to_the_one_who_took_the_last(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 5)
    traces = [f"00-{number:032x}-00000000000000aa-01" for number in (1, 2, 3, 4)]
    body = {"reservations": [reservation(("mug", count)).model_dump(mode="json") for count in (2, 4, 3, 1)]}
    headers = {**as_service(), "traceparent": traces[0], "x-batch-traceparents": ",".join(traces)}

    with record() as recording:
        await client.post("/api/v1/reservations", json=body, headers=headers)

    async with database.begin() as session:
        rows = (await session.scalars(select(OutboxRow).order_by(OutboxRow.id))).all()
    assert [(row.event_type, (row.traceparent or "")[34]) for row in rows] == [
        ("inventory.reserved", "1"),
        ("inventory.reserved", "3"),
        ("inventory.out_of_stock", "3"),
    ]
    emitted = [step for step in recording.steps if step.participant == "EventBus"]
    assert [(step.caller, step.action, step.emits, step.trace_id[-1]) for step in emitted] == [
        ("InventoryService", "emit", ("OutOfStock",), "3")
    ]


async def test_a_product_is_in_stock_while_any_of_it_can_be_had(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 3)
    await put_on_sale(database, "kettle", 0)
    held = reservation(("mug", 3))
    seen = [await is_in_stock(database, "mug"), await is_in_stock(database, "kettle")]

    await ask(client, [held])
    seen.append(await is_in_stock(database, "mug"))
    await settle(client, "releases", [held.reservation_id])
    seen.append(await is_in_stock(database, "mug"))
    await ask(client, [again := reservation(("mug", 3))])
    await settle(client, "deductions", [again.reservation_id])
    seen.append(await is_in_stock(database, "mug"))
    await warehouse.restock(client, "mug", {"quantity": 1})
    seen.append(await is_in_stock(database, "mug"))
    await warehouse.correct(client, "mug", {"quantity": -1, "reason": "broken"})
    seen.append(await is_in_stock(database, "mug"))
    await warehouse.correct(client, "mug", {"quantity": 1, "reason": "found"})
    seen.append(await is_in_stock(database, "mug"))

    assert seen == [True, False, False, True, False, True, False, True]


async def test_a_product_in_variants_is_in_stock_by_them_alone(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "shirt", 10)
    small = await add_variant(database, "shirt", 0, size="S")
    seen = [await is_in_stock(database, "shirt")]

    large = await add_variant(database, "shirt", 1)
    seen.append(await is_in_stock(database, "shirt"))
    await ask(client, [reservation(item("shirt", 1, large))])
    seen.append(await is_in_stock(database, "shirt"))
    await warehouse.restock(client, "shirt", {"variant_id": str(small), "quantity": 1})
    seen.append(await is_in_stock(database, "shirt"))

    assert seen == [False, True, False, True]


async def test_the_catalogue_is_left_alone_while_that_does_not_change(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "shirt", 0)
    small, large = await add_variant(database, "shirt", 2, size="S"), await add_variant(database, "shirt", 2)
    before = await versions(database)

    await ask(client, [held := reservation(("mug", 9), item("shirt", 2, large))])
    await ask(client, [reservation(item("shirt", 1, small))])
    await settle(client, "releases", [held.reservation_id])
    await warehouse.restock(client, "mug", {"quantity": 1})

    assert await versions(database) == before


async def versions(database: Database) -> dict[str, str]:
    """Another row version each time a row is written."""
    async with database.begin() as session:
        rows = await session.execute(text("SELECT id, xmin::text AS version FROM products"))
        return {row.id: row.version for row in rows}


async def take(session: AsyncSession, variant: UUID) -> object:
    return await reserve(session, [reservation(item("shirt", 1, variant))], ["test"])


async def give_back(session: AsyncSession, variant: UUID) -> object:
    return await release(session, [variant], ["test"])


async def receive(session: AsyncSession, variant: UUID) -> object:
    return await restock(session, "shirt", Restock(variant_id=variant, quantity=1), "test")


async def write_off(session: AsyncSession, variant: UUID) -> object:
    return await correct_stock(session, "shirt", CorrectStock(variant_id=variant, quantity=-1, reason="broken"), "test")


Change = Callable[[AsyncSession, UUID], Awaitable[object]]


@pytest.mark.parametrize("first", [take, write_off, give_back, receive])
@pytest.mark.parametrize("second", [take, write_off, give_back, receive])
async def test_of_two_variants_that_change_at_once_the_second_knows_what_became_of_the_first(
    database: Database, first: Change, second: Change
) -> None:
    await put_on_sale(database, "shirt", 0)
    one, other = [await add_variant(database, "shirt", 1) for _ in range(2)]
    for variant, change in ((one, first), (other, second)):
        if change in (give_back, receive):
            # Under the variant's own id, so that it is known what is to be given back.
            await alone(database, reserve, [reservation(item("shirt", 1, variant), id=variant)])

    async def then() -> None:
        async with database.begin() as session:
            await second(session, other)

    async with database.begin() as session:
        await first(session, one)
        waiting = asyncio.create_task(then())
        await someone_waits_for_a_lock(database)
    await waiting

    assert await is_in_stock(database, "shirt") == bool({first, second} & {give_back, receive})
