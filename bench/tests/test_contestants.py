"""Whoever is measured against orderflow does what an order means, writes its rows and sends its messages."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import cast

import pytest

from bench import measuring, others, wares
from bench.contestant import Contestant, from_now_on
from bench.counters import message_bytes
from bench.figures import MANY
from bench.load import Load, run
from bench.machine import Machine
from bench.measuring import enter
from bench.old import fill
from bench.wares import a_fifth_short
from orderflow import fleet
from orderflow.laws import LAWS
from orderflow.laws.books import Books
from orderflow.laws.inspecting import Inspection
from tests.harness.fixtures import FreshDatabase
from tests.harness.platform import until

Enter = Callable[[Machine], AbstractAsyncContextManager[Contestant]]

_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
_ROWS = {
    "sales": {"attempts": 1, "orders": 1, "order_items": 2, "order_history": 3, "outbox": 3, "inbox": 2},
    "product": {"reservations": 1, "reservation_lines": 2, "stock_movements": 4, "outbox": 2},
    "delivery": {"shipments": 1, "outbox": 2, "inbox": 1},
    "notification": {"mails": 3, "inbox": 3},
}


@pytest.mark.parametrize("contestant", [others.floor, others.usual])
async def test_orders_are_delivered_with_the_rows_of_ours(contestant: Enter, machine: Machine) -> None:
    async with contestant(machine) as one:
        before = from_now_on()

        outcome = await run(Load(one.url, [], wares.of_many(), clients=4, most=20))

        assert outcome.answers == {201: 20}
        await until(lambda: _is_done(one, 20), 60)
        assert len(await one.waits(before)) == 20
        for service, tables in _ROWS.items():
            for table, rows in tables.items():
                assert await one.value(service, f"SELECT count(*) FROM {table}") == 20 * rows, table


@pytest.mark.parametrize("contestant", [others.floor, others.usual])
async def test_what_is_short_is_refused_and_nothing_is_sold_twice(contestant: Enter, machine: Machine) -> None:
    async with contestant(machine) as one:
        await one.query("product", "UPDATE stock SET on_hand = 12 WHERE product_id = 'hot'")

        outcome = await run(Load(one.url, [], wares.of_one_hot(), clients=16, most=40))

        assert outcome.answers == {201: 12, 400: 28}
        await until(lambda: _is_done(one, 12), 60)
        [stock] = await one.query("product", "SELECT on_hand, reserved FROM stock WHERE product_id = 'hot'")
        assert tuple(stock) == (0, 0)


async def test_a_measurement_ends_when_nothing_waits_any_more(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_COUNTED_AFTER", 0)  # what the servers have counted is not asked for here
    async with others.floor(machine) as one:
        entrant = await enter(one, machine, a_fifth_short())

        found = await entrant.measure(Load(one.url, [], a_fifth_short(), clients=4, most=20), MANY, refused=400)

        assert found.unexpected == 0
        assert await _is_done(one, 16)
        assert {"sales", "product", "delivery", "notification", "PostgreSQL"} <= set(found.cpu)
        assert await message_bytes(one) > 2000


async def test_old_orders_have_all_that_is_left_of_an_order(fresh_database: FreshDatabase) -> None:
    urls = {service: (await fresh_database(service)).replace("+asyncpg", "") for service in _ROWS}
    platform = Contestant("orderflow", "", urls, "", {})
    indexes = await platform.query("notification", _INDEXES)

    await fill(urls, 30)

    for service, tables in _ROWS.items():
        for table, each in tables.items():
            assert await platform.value(service, f"SELECT count(*) FROM {table}") == 30 * each, table
    assert await platform.value("delivery", "SELECT count(*) FROM audit_log") == 60
    assert await platform.delivered(from_now_on()) == 0
    same = "SELECT count(DISTINCT id) FROM orders WHERE uuid_extract_version(id) = 7 AND id < $1"
    assert await platform.value("sales", same, from_now_on()) == 30
    assert await platform.query("notification", _INDEXES) == indexes


async def test_what_old_orders_have_left_belongs_together(fresh_database: FreshDatabase) -> None:
    urls = {service: (await fresh_database(service)).replace("+asyncpg", "") for service in _ROWS}
    await fill(urls, 30)

    async with Books.opened(cast(dict[fleet.Name, str], urls)) as books:
        findings = await Inspection(books, timedelta(0)).run(LAWS)

    # Nothing was ever received, and their events have no content.
    offences = {each.law.name for each in findings.offences}
    assert offences <= {"stock.movements", "events.told", "mails.known"}, findings.offences


async def test_of_very_old_orders_there_is_what_is_not_forgotten_yet(fresh_database: FreshDatabase) -> None:
    urls = {service: (await fresh_database(service)).replace("+asyncpg", "") for service in _ROWS}
    platform = Contestant("orderflow", "", urls, "", {})

    await fill(urls, 100, every=timedelta(days=1))

    assert await platform.value("sales", "SELECT count(*) FROM order_history") == 300
    assert await platform.value("sales", "SELECT count(*) FROM attempts") == 29
    assert await platform.value("sales", "SELECT count(*) FROM outbox") == 3 * 6
    assert await platform.value("notification", "SELECT count(*) FROM inbox") == 3 * 29
    assert await platform.value("notification", "SELECT count(*) FROM mails") == 3 * 89


async def _is_done(one: Contestant, orders: int) -> bool:
    done = await one.value("sales", "SELECT count(*) FROM orders WHERE status = 'DELIVERED'")
    told = await one.value("notification", "SELECT count(*) FROM inbox")
    return bool(done == orders and told == 3 * orders and not await one.unsent())
