"""Movements of long ago become one line of each article; the sums stay, and so does everything that is asked later."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.ids import first_uuid7_at
from contracts.product.inventory import Reservation
from product.inventory.folding import _PAGE, Folding, fold_old_movements
from product.settings import ProductSettings
from services.product.tests.factories import (
    add_variant,
    as_person,
    as_service,
    ask,
    item,
    put_on_sale,
    reservation,
    settings,
    settle,
)
from services.product.tests.factories_warehouse import correct, ledger, restock
from services.product.tests.laws import broken_laws
from tests.harness.plans import either_plan, examined, explained, filled
from tests.harness.postgres import PostgresServer

YEAR = timedelta(days=365)
_number = iter(range(1, 1 << 20))


def made(ago: timedelta) -> UUID:
    """The id of a reservation that was made so long ago."""
    return UUID(int=first_uuid7_at(datetime.now(UTC) - ago).int + next(_number))


async def aged(database: Database, ago: timedelta, *reservations: Reservation) -> None:
    """As if they had been settled so long ago."""
    async with database.begin() as session:
        await session.execute(
            text("UPDATE reservations SET settled_at = now() - CAST(:ago AS interval) WHERE id = ANY(:ids)"),
            {"ago": ago, "ids": [one.reservation_id for one in reservations]},
        )


async def left(client: httpx.AsyncClient, database: Database, one: Reservation, ago: timedelta) -> None:
    await ask(client, [one])
    await settle(client, "deductions", [one.reservation_id])
    await aged(database, ago, one)


async def count(database: Database, table: str) -> int:
    async with database.begin() as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


@pytest.mark.rule("BR-INV-001")
async def test_what_left_and_what_was_given_back_long_ago_is_one_line_of_the_ledger(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 20)
    sold, given_back = reservation(("mug", 3), id=made(2 * YEAR)), reservation(("mug", 2), id=made(2 * YEAR))
    await left(client, database, sold, 2 * YEAR)
    await ask(client, [given_back])
    await settle(client, "releases", [given_back.reservation_id])
    await aged(database, 2 * YEAR, given_back)
    await restock(client, "mug", {"quantity": 7})
    await correct(client, "mug", {"quantity": -1, "reason": "counted"})
    await left(client, database, reservation(("mug", 4)), timedelta(0))

    assert await fold_old_movements(database, YEAR) == 4

    assert await ledger(database, "mug") == [
        ("received", 20, 0),
        ("folded", -3, 0),
        ("received", 7, 0),
        ("corrected", -1, 0),
        ("reserved", 0, 4),
        ("deducted", -4, -4),
    ]
    assert await broken_laws(database) == []


async def test_folded_again_it_is_still_one_line_of_each_article(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 20)
    await put_on_sale(database, "shirt", 0)
    small, large = await add_variant(database, "shirt", 9, size="S"), await add_variant(database, "shirt", 9)
    for ago, pieces in {4 * YEAR: 1, 3 * YEAR: 2, 2 * YEAR: 3}.items():
        one = reservation(("mug", pieces), item("shirt", 1, small), item("shirt", pieces, large), id=made(ago))
        await left(client, database, one, ago)
        await fold_old_movements(database, YEAR)

    assert await ledger(database, "mug") == [("received", 20, 0), ("folded", -6, 0)]
    assert await ledger(database, "shirt", small) == [("received", 9, 0), ("folded", -3, 0)]
    assert await ledger(database, "shirt", large) == [("received", 9, 0), ("folded", -6, 0)]
    assert await broken_laws(database) == []
    assert await fold_old_movements(database, YEAR) == 0


async def test_what_is_held_still_and_what_was_settled_lately_stays_however_old_its_order_is(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 20)
    held, late = reservation(("mug", 1), id=made(2 * YEAR)), reservation(("mug", 2), id=made(2 * YEAR))
    await ask(client, [held])
    await left(client, database, late, timedelta(days=1))

    assert await fold_old_movements(database, YEAR) == 0

    assert len(await ledger(database, "mug")) == 4
    assert [one["done"] for one in await settle(client, "deductions", [held.reservation_id])] == [True]
    assert await broken_laws(database) == []


async def test_the_reservation_still_decides_long_after_its_lines_are_gone(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 20)
    sold = reservation(("mug", 3), id=made(2 * YEAR))
    answer = (await ask(client, [sold])).json()
    await settle(client, "deductions", [sold.reservation_id])
    await aged(database, 2 * YEAR, sold)
    await fold_old_movements(database, YEAR)
    assert await count(database, "reservation_lines") == 0

    again = (await ask(client, [sold])).json()
    given_back = await settle(client, "releases", [sold.reservation_id])
    deducted = await settle(client, "deductions", [sold.reservation_id])

    assert again["reservations"][0]["items"] == answer["reservations"][0]["items"]
    assert [(one["state"], one["done"]) for one in (*given_back, *deducted)] == [
        ("DEDUCTED", False),
        ("DEDUCTED", True),
    ]
    assert await broken_laws(database) == []


async def test_a_return_of_long_ago_is_known_and_not_taken_back_twice(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 20)
    await left(client, database, reservation(("mug", 3), id=made(2 * YEAR)), 2 * YEAR)
    body = {"return_id": str(made(2 * YEAR)), "items": [{"product_id": "mug", "quantity": 2}]}
    for _ in range(2):
        answer = await client.post("/api/v1/returned-stock", json=body, headers=as_service())
        assert answer.status_code in (200, 201), answer.text
        await fold_old_movements(database, YEAR)

    assert await ledger(database, "mug") == [("received", 20, 0), ("folded", -3, 0), ("received", 2, 0)]
    assert await broken_laws(database) == []


async def test_staff_see_what_was_folded_where_it_was(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 20)
    await left(client, database, reservation(("mug", 3), id=made(2 * YEAR)), 2 * YEAR)
    await left(client, database, reservation(("mug", 4), id=made(2 * YEAR)), 2 * YEAR)
    await restock(client, "mug", {"quantity": 7})
    await fold_old_movements(database, YEAR)

    answer = await client.get("/api/v1/products/mug/stock/movements", headers=as_person("warehouse"))

    kinds = [(each["kind"], each["on_hand_change"], each["actor"]) for each in answer.json()["items"]]
    assert kinds == [("received", 7, "ada"), ("folded", -7, "retention"), ("received", 20, "test")]


async def test_page_after_page_is_folded_and_what_must_stay_holds_up_nobody(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10_000)
    held = [reservation(("mug", 1), id=made(3 * YEAR)) for _ in range(_PAGE)]
    sold = [reservation(("mug", 1), id=made(2 * YEAR)) for _ in range(_PAGE)]
    for first in range(0, _PAGE, 50):
        await ask(client, [*held[first : first + 50], *sold[first : first + 50]])
        await settle(client, "deductions", [one.reservation_id for one in sold[first : first + 50]])
    await aged(database, 2 * YEAR, *sold)

    async with asyncio.timeout(60):
        assert await fold_old_movements(database, YEAR) == 2 * _PAGE

    left = await ledger(database, "mug")
    assert [moved for moved in left if moved[0] != "reserved"] == [("received", 10_000, 0), ("folded", -_PAGE, 0)]
    assert await broken_laws(database) == []


async def test_nothing_is_folded_unless_somebody_says_when(url: str) -> None:
    assert ProductSettings.model_fields["movements_kept"].default is None
    with pytest.raises(ValueError, match="greater than or equal to 30 days"):
        settings(url, movements_kept=timedelta(days=29))


LEDGER = [
    """
    INSERT INTO reservations (id, state, answer, created_at, settled_at)
    SELECT (lpad(to_hex(n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, 'DEDUCTED', '[]', now(),
        to_timestamp(n) FROM generate_series(1, 100000) AS n
    """,
    """
    INSERT INTO reservation_lines SELECT id, line, 'p' || extract(epoch FROM settled_at)::bigint % 100, 1
    FROM reservations CROSS JOIN generate_series(1, 2) AS line
    """,
    """
    INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor)
    SELECT product_id, '00000000-0000-0000-0000-000000000000', kind, on_hand, reserved, reservation_id, 'sales'
    FROM reservation_lines
        CROSS JOIN (VALUES ('reserved', 0, 1), ('deducted', -1, -1)) AS moves (kind, on_hand, reserved)
    WHERE line = 1
    """,
    "VACUUM ANALYZE",
]


@pytest.fixture(scope="module")
def grown(postgres_server: PostgresServer) -> Iterator[str]:
    with filled(postgres_server, "product", *LEDGER) as url:
        yield url


@either_plan
async def test_a_page_is_folded_without_looking_at_the_others(grown: str, *, generic: bool) -> None:
    nodes = await explained(grown, Folding(datetime.now(UTC)), generic=generic)

    tables = {"reservation_lines": 2, "reservations": 1, "stock_movements": 4}
    for table, each in tables.items():
        scans = [node for node in nodes if node.get("Relation Name") == table and "Scan" in node["Node Type"]]
        assert not [scan for scan in scans if scan["Node Type"] == "Seq Scan"]
        assert sum(map(examined, scans)) <= 3 * each * _PAGE
