"""Every change of the stock leaves a movement, with who made it, once."""

import asyncio
import shutil
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

import product
from chassis.db import Database, migrate
from chassis.ids import uuid7
from contracts.product.inventory import Reserve, Settle
from product.inventory.counting import InvalidQuantity
from product.inventory.desk import Desk
from product.inventory.stocking import Opening, open_stocks
from services.product.tests.factories import (
    Shelf,
    add_variant,
    ask,
    item,
    put_on_sale,
    reservation,
    settle,
    shelf,
)
from services.product.tests.factories_warehouse import correct, ledger, movements, restock
from services.product.tests.laws import broken_laws
from tests.harness.fixtures import FreshDatabase


@pytest.mark.rule("BR-INV-001")
async def test_each_change_leaves_what_it_changed(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    given_back, leaves, refused = reservation(("mug", 2)), reservation(("mug", 3), ("mug", 1)), reservation(("mug", 99))

    await ask(client, [given_back, leaves, refused])
    await settle(client, "releases", [given_back.reservation_id, refused.reservation_id, uuid7()])
    await settle(client, "deductions", [leaves.reservation_id])
    await restock(client, "mug", {"quantity": 7})
    await correct(client, "mug", {"quantity": -5, "reason": "counted"})

    assert await ledger(database, "mug") == [
        ("received", 10, 0),
        ("reserved", 0, 2),
        ("reserved", 0, 4),
        ("released", 0, -2),
        ("deducted", -4, -4),
        ("received", 7, 0),
        ("corrected", -5, 0),
    ]
    assert await broken_laws(database) == []


async def test_each_variant_has_movements_of_its_own(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "shirt", 0)
    small, large = await add_variant(database, "shirt", 5, size="S"), await add_variant(database, "shirt", 4)
    held = reservation(item("shirt", 1, small), item("shirt", 2, large))

    await ask(client, [held])
    await settle(client, "deductions", [held.reservation_id])

    assert await ledger(database, "shirt", small) == [("received", 5, 0), ("reserved", 0, 1), ("deducted", -1, -1)]
    assert await ledger(database, "shirt", large) == [("received", 4, 0), ("reserved", 0, 2), ("deducted", -2, -2)]
    assert await ledger(database, "shirt") == []
    assert await broken_laws(database) == []


async def test_what_is_asked_again_is_not_written_again(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    held = reservation(("mug", 2))

    for _ in range(2):
        await ask(client, [held, held])
    for _ in range(2):
        await settle(client, "releases", [held.reservation_id] * 2)
    await settle(client, "deductions", [held.reservation_id])

    assert await ledger(database, "mug") == [("received", 10, 0), ("reserved", 0, 2), ("released", 0, -2)]


async def test_of_a_batch_each_is_written_down_with_who_asked_for_it(database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    one, other = reservation(("mug", 1)), reservation(("mug", 2))
    ids = [one.reservation_id, other.reservation_id]
    desk = Desk(database)

    await asyncio.gather(
        desk.reserve(Reserve(reservations=[one]), by="sales"),
        desk.reserve(Reserve(reservations=[one, other]), by="wholesale"),
    )
    await asyncio.gather(
        desk.deduct(Settle(reservation_ids=ids[:1]), by="delivery"),
        desk.deduct(Settle(reservation_ids=ids), by="pickup"),
    )
    await desk.close()

    assert [(row.kind, row.cause, row.actor) for row in (await movements(database, "mug"))[1:]] == [
        ("reserved", ids[0], "sales"),
        ("reserved", ids[1], "wholesale"),
        ("deducted", ids[0], "delivery"),
        ("deducted", ids[1], "pickup"),
    ]


@pytest.mark.rule("BR-INV-001")
@pytest.mark.parametrize("kind", ["received", "reserved", "released", "deducted", "corrected"])
async def test_the_database_refuses_a_second_movement_of_one_cause(database: Database, kind: str) -> None:
    await put_on_sale(database, "mug", 10)
    changes = {"received": (1, 0), "reserved": (0, 1), "released": (0, -1), "deducted": (-1, -1), "corrected": (1, 0)}

    async def write(cause: UUID) -> None:
        async with database.begin() as session:
            await session.execute(text(INSERT), {"kind": kind, "cause": cause, **signs(*changes[kind])})

    await write(cause := uuid7())
    await write(uuid7())

    with pytest.raises(IntegrityError, match="uq_stock_movements_cause"):
        await write(cause)


def signs(on_hand: int, reserved: int) -> dict[str, int]:
    return {"on_hand": on_hand, "reserved": reserved}


INSERT = """
    INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor)
    VALUES ('mug', '00000000-0000-0000-0000-000000000000', :kind, :on_hand, :reserved, :cause, 'test')
"""


@pytest.mark.parametrize(
    ("kind", "on_hand", "reserved"),
    [
        ("received", 0, 0),
        ("received", -1, 0),
        ("received", 1, 1),
        ("reserved", 0, -1),
        ("reserved", 1, 1),
        ("released", 0, 1),
        ("released", -1, -1),
        ("deducted", -1, 0),
        ("deducted", 1, 1),
        ("corrected", 0, 0),
        ("corrected", 1, 1),
        ("stolen", -1, 0),
    ],
)
async def test_the_database_refuses_movements_that_are_not_what_they_say(
    database: Database, kind: str, on_hand: int, reserved: int
) -> None:
    with pytest.raises(IntegrityError, match="ck_stock_movements_kind"):
        async with database.begin() as session:
            await session.execute(text(INSERT), {"kind": kind, "cause": uuid7(), **signs(on_hand, reserved)})


async def test_what_is_opened_together_is_counted_one_by_one(database: Database) -> None:
    await put_on_sale(database, "shirt", 0)
    variants = [uuid7() for _ in range(3)]

    async with database.begin() as session:
        openings = [Opening("shirt", variant, quantity) for quantity, variant in enumerate(variants)]
        await open_stocks(session, openings, by="ada")

    assert [await shelf(database, "shirt", variant) for variant in variants] == [Shelf(0, 0), Shelf(1, 0), Shelf(2, 0)]
    rows = await movements(database, "shirt")
    assert [(row.variant_id, row.kind, row.on_hand_change, row.actor) for row in rows] == [
        (variants[1], "received", 1, "ada"),
        (variants[2], "received", 2, "ada"),
    ]


@pytest.mark.parametrize("quantity", [-1, 1_000_001])
async def test_no_stock_begins_with_less_than_nothing_or_more_than_fits_a_warehouse(
    database: Database, quantity: int
) -> None:
    await put_on_sale(database, "mug", 1_000_000)

    with pytest.raises(InvalidQuantity):
        async with database.begin() as session:
            await open_stocks(session, [Opening("mug", uuid7(), 1), Opening("mug", uuid7(), quantity)], by="ada")

    assert await ledger(database, "mug") == [("received", 1_000_000, 0)]


async def test_what_was_there_before_the_ledger_begins_it(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    migrations = Path(product.__file__).parent / "migrations"
    shutil.copy(migrations / "product_0001_catalogue_and_stock.py", tmp_path)
    old = Database(await fresh_database("chassis"), application_name="test")
    try:
        await migrate(old, tmp_path)
        async with old.begin() as session:
            for statement in BEFORE:
                await session.execute(text(statement))
        await migrate(old, migrations)

        assert await ledger(old, "mug") == [("received", 10, 0), ("reserved", 0, 4)]
        assert await ledger(old, "kettle") == []
        assert await shelf(old, "never-counted") == Shelf(0, 0)
        assert await broken_laws(old) == []
    finally:
        await old.close()


BEFORE = [
    """INSERT INTO products (id, name, price, currency)
    VALUES ('mug', 'Mug', 100, 'EUR'), ('kettle', 'Kettle', 100, 'EUR'), ('never-counted', 'Filters', 100, 'EUR')""",
    "INSERT INTO stock (product_id, on_hand, reserved) VALUES ('mug', 10, 4), ('kettle', 0, 0)",
    """INSERT INTO reservations (id, state, answer, settled_at)
    VALUES ('00000000-0000-0000-0000-000000000001', 'HELD', '[]', NULL),
        ('00000000-0000-0000-0000-000000000002', 'DEDUCTED', '[]', now())""",
    """INSERT INTO reservation_lines (reservation_id, line, product_id, quantity)
    VALUES ('00000000-0000-0000-0000-000000000001', 1, 'mug', 4),
        ('00000000-0000-0000-0000-000000000002', 1, 'mug', 5)""",
]
