"""What is forgotten or folded breaks no law; what is lost still does."""

import json
from datetime import timedelta

import pytest

from chassis.db import Database
from orderflow import fleet
from product.inventory.folding import fold_old_movements
from sales.orders.old_history import forget_old_history
from tests.harness.postgres import PostgresServer

from .factories import called
from .trade import Copy, Trade

# The trade is of today: whatever has ended by tomorrow is old.
EVERYTHING = timedelta(days=-1)
ENDED = """
    UPDATE orders SET delivered_at = delivered_at - interval '{days} days',
        cancelled_at = cancelled_at - interval '{days} days';
    UPDATE order_history SET at = at - interval '{days} days'
"""
MAILED = "UPDATE mails SET written_at = written_at - interval '{days} days'"


async def aged(copy: Copy, days: int) -> None:
    """As if all of it had been so long ago; what was told of it is forgotten by then."""
    await copy.run("sales", ENDED.format(days=days))
    await copy.run("notification", MAILED.format(days=days))
    for name in fleet.NAMES:
        await copy.run(name, "DELETE FROM outbox; DELETE FROM inbox")


async def forgotten(copy: Copy) -> tuple[int, int]:
    """How many movements were folded, and entries of histories forgotten."""
    databases = {name: Database(copy.urls[name], application_name="test") for name in ("product", "sales")}
    try:
        folded = await fold_old_movements(databases["product"], EVERYTHING)
        return folded, await forget_old_history(databases["sales"], EVERYTHING)
    finally:
        for database in databases.values():
            await database.close()


async def broken(copy: Copy) -> set[str]:
    result = await called("check", "--patience", "0s", "--json", environment=copy.environment)
    return {each["law"] for each in json.loads(result.stdout)["offences"]}


async def test_all_laws_hold_over_what_is_left(traded: Trade, postgres_server: PostgresServer) -> None:
    async with traded.copied(postgres_server, fleet.NAMES) as copy:
        await aged(copy, days=365)
        before = await copy.rows("product", "SELECT count(*) FROM stock_movements")
        folded, entries = await forgotten(copy)

        assert folded > 0
        assert entries > 0
        after = await copy.rows("product", "SELECT count(*) FROM stock_movements")
        assert after[0][0] < before[0][0]
        assert await copy.rows("product", "SELECT FROM stock_movements WHERE kind = 'received' AND note = 'returned'")
        assert await broken(copy) == set()


@pytest.mark.parametrize(
    ("service", "script", "law"),
    [
        ("product", "DELETE FROM stock_movements WHERE kind = 'folded' AND on_hand_change < 0", "stock.movements"),
        ("product", "DELETE FROM reservations WHERE state = 'DEDUCTED'", "holds.live"),
        ("product", "UPDATE reservation_lines SET quantity = quantity + 1", "holds.items"),
        ("product", "DELETE FROM stock_movements WHERE note = 'returned'", "returns.shelf"),
        ("sales", "DELETE FROM order_history WHERE from_status IS NOT NULL", "orders.status"),
        (
            "sales",
            "UPDATE payments SET currency = 'USD' FROM orders WHERE orders.id = order_id AND status = 'DELIVERED'",
            "money.paid",
        ),
    ],
)
async def test_what_is_lost_of_the_rest_is_still_found(
    traded: Trade, postgres_server: PostgresServer, service: str, script: str, law: str
) -> None:
    async with traded.copied(postgres_server, fleet.NAMES) as copy:
        await aged(copy, days=365)
        await forgotten(copy)
        await copy.run(service, script)

        assert law in await broken(copy)


async def test_the_history_of_what_ended_lately_must_be_there(traded: Trade, postgres_server: PostgresServer) -> None:
    async with traded.copied(postgres_server, fleet.NAMES) as copy:
        await aged(copy, days=59)
        await forgotten(copy)

        assert "orders.status" in await broken(copy)
