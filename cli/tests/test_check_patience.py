"""What is looked at again, for how long, and where a walk through the books begins and ends."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError

from chassis.statements import TEXT
from orderflow import fleet
from orderflow.laws import LAWS
from orderflow.laws.books import Books
from orderflow.laws.inspecting import MOST, Findings, Inspection
from orderflow.laws.law import Broken, Law, Subject
from tests.harness.postgres import PostgresServer

from .trade import Trade

PATIENCE = timedelta(seconds=10)


class OneRow(Books):
    def __init__(self) -> None:
        super().__init__({})

    async def rows(self, service: fleet.Name, statement: TextClause, **values: Any) -> list[dict[str, Any]]:
        return [{"id": "row"}] if values["after"] == "" else []


@dataclass(eq=False)
class Scripted:
    """Stands so at each look, the last one for ever; None is not broken."""

    stands: Sequence[str | None]
    moves: bool = True
    services: Sequence[fleet.Name] = ()
    looks: int = 0

    async def find(self, books: Books, subject: Subject, keys: Sequence[Any] | None) -> list[Broken]:
        stands = self.stands[min(self.looks, len(self.stands) - 1)]
        self.looks += 1
        return [] if stands is None else [Broken("row", "row", stands)]


@dataclass
class Clock:
    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


async def inspected(look: Scripted, patience: timedelta = PATIENCE) -> tuple[Findings, float]:
    """With how much time it took."""
    clock = Clock()
    inspection = Inspection(OneRow(), patience, clock=lambda: clock.now, pause=clock.pause)
    law = Law("law", "It holds", Subject("sales", "orders", kind=TEXT), look)
    return await inspection.run([law]), clock.now


async def test_what_stays_as_it_is_for_so_long_is_an_offence() -> None:
    findings, took = await inspected(Scripted(["broken"]))

    assert [each.stands for each in findings.offences] == ["broken"]
    assert 10 <= took < 11


async def test_what_is_mended_at_the_last_look_is_none() -> None:
    look = Scripted(["broken"] * 20 + [None])

    findings, took = await inspected(look)

    assert findings.offences == []
    assert took == 10
    assert look.looks == 21


async def test_what_changes_is_under_way_and_waited_for_anew() -> None:
    findings, took = await inspected(Scripted(["PENDING"] * 10 + ["CONFIRMED"]))

    assert [each.stands for each in findings.offences] == ["CONFIRMED"]
    assert took > 14


async def test_what_one_service_says_of_itself_is_the_same_offence_whatever_its_numbers_are() -> None:
    _, took = await inspected(Scripted([f"{number} reserved" for number in range(100)], moves=False))

    assert took < 11


async def test_what_is_never_twice_the_same_and_never_right_is_an_offence_all_the_same() -> None:
    findings, took = await inspected(Scripted([*map(str, range(1000))]))

    assert len(findings.offences) == 1
    assert 50 <= took < 52


async def test_without_patience_nothing_is_looked_at_twice() -> None:
    look = Scripted(["broken"])

    findings, took = await inspected(look, timedelta(0))

    assert (len(findings.offences), look.looks, took) == (1, 1, 0)


async def test_a_walk_in_small_pages_finds_the_same(traded: Trade, postgres_server: PostgresServer) -> None:
    plants = {
        "sales": "UPDATE orders SET subtotal = subtotal + 1, total = total + 1",
        "delivery": "UPDATE shipments SET items = '[]'",
    }
    seen = []
    async with traded.copied(postgres_server, plants) as copy:
        for service, script in plants.items():
            await copy.run(service, script)
        for page in (1, 2, 5_000):
            async with Books.opened(cast("dict[fleet.Name, str]", copy.urls)) as books:
                findings = await Inspection(books, timedelta(0), page=page).run(LAWS)
            seen.append(({(each.law.name, each.id) for each in findings.offences}, findings.seen))

    assert seen[0] == seen[1] == seen[2]
    assert len([law for law, _ in seen[0][0] if law == "orders.total"]) == 16
    assert seen[0][1]["sales.orders"] == 16


async def test_an_order_that_came_long_after_its_hold_is_found_all_the_same(
    traded: Trade, postgres_server: PostgresServer
) -> None:
    old, hold = "01890a5d-ac96-774b-bcce-b302099a8057", traded.ids["placed_hold"]
    scripts = {
        "product": f"UPDATE reservations SET id = '{old}' WHERE id = '{hold}';"
        f"UPDATE reservation_lines SET reservation_id = '{old}' WHERE reservation_id = '{hold}'",
        "sales": f"UPDATE orders SET reservation_id = '{old}' WHERE reservation_id = '{hold}';"
        f"UPDATE attempts SET id = '{old}' WHERE id = '{hold}'",
        "delivery": f"UPDATE shipments SET reservation_id = '{old}' WHERE reservation_id = '{hold}'",
    }
    async with traded.copied(postgres_server, scripts) as copy:
        for service, script in scripts.items():
            await copy.run(service, script)
        async with Books.opened(cast("dict[fleet.Name, str]", copy.urls)) as books:
            findings = await Inspection(books, timedelta(0), page=1).run(LAWS)

    assert findings.offences == []


async def test_a_law_that_is_broken_too_often_is_not_looked_at_further(
    traded: Trade, postgres_server: PostgresServer
) -> None:
    async with traded.copied(postgres_server, ["sales"]) as copy:
        await copy.run(
            "sales",
            "INSERT INTO parked_events (event_id, event_type, body, error, attempts) "
            f"SELECT n, 't', '', 'w', 1 FROM generate_series(1, {MOST + 500}) AS n",
        )
        async with Books.opened(cast("dict[fleet.Name, str]", copy.urls)) as books:
            findings = await Inspection(books, timedelta(0), page=400).run(LAWS)

    assert len(findings.offences) == 1200
    assert [law.name for law in findings.cut_short] == ["events.handled"]


async def test_nothing_can_be_written_into_the_books(traded: Trade, postgres_server: PostgresServer) -> None:
    async with (
        traded.copied(postgres_server, ["sales"]) as copy,
        Books.opened(cast("dict[fleet.Name, str]", copy.urls)) as books,
    ):
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await books.rows("sales", text("DELETE FROM orders RETURNING id"))

        assert await books.rows("sales", text("SELECT count(*) AS orders FROM orders")) == [{"orders": 16}]
