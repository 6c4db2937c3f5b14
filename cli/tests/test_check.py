"""`orderflow check` as people and machines call it: on a platform that works, on one that is at rest, and wrongly."""

import asyncio
import json
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from orderflow.laws import LAWS
from tests.harness.embedded import embedded
from tests.harness.platform import until
from tests.harness.postgres import PostgresServer

from .factories import called, ran
from .trade import Copy, Shop, Trade
from .under_way import UNDER_WAY

_PARKED = "INSERT INTO parked_events (event_id, event_type, body, error, attempts) VALUES ('e\x1b[2J', 't', '', 'w', 1)"


async def test_a_platform_that_works_breaks_no_law(tmp_path: Path) -> None:
    async with embedded(tmp_path) as platform, aiohttp.ClientSession() as client:
        shop = Shop(platform, client)
        checking = asyncio.create_task(ran("check", "--data", str(tmp_path / "data"), folder=tmp_path))

        traded = 0
        while not checking.done():
            placed, paid = await shop.places(), await shop.checks_out()
            await asyncio.gather(*(shop.cancels_or_is_late(order_id) for order_id in (placed, paid)))
            await shop.places()
            traded += 1

        result = await checking
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith(f"All {len(LAWS)} laws hold. Looked at: ")
    assert traded > 1


async def test_at_rest_no_patience_is_needed(traded: Trade, postgres_server: PostgresServer) -> None:
    async with traded.copied(postgres_server, []) as copy:
        result = await called("check", "--patience", "0s", environment=copy.environment)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "16 of sales.orders" in result.stdout


@pytest.mark.parametrize("what", UNDER_WAY)
async def test_what_is_under_way_or_may_be_is_no_offence(
    traded: Trade, postgres_server: PostgresServer, what: str
) -> None:
    scripts = {service: script.format(**traded.ids) for service, script in UNDER_WAY[what].items()}
    async with traded.copied(postgres_server, scripts) as copy:
        for service, script in scripts.items():
            await copy.run(service, script)

        result = await called("check", "--patience", "0s", environment=copy.environment)

    assert result.exit_code == 0, result.stdout


async def test_what_is_mended_meanwhile_is_no_offence(traded: Trade, postgres_server: PostgresServer) -> None:
    async with traded.copied(postgres_server, ["sales"]) as copy:
        await copy.run("sales", _PARKED)
        checking = asyncio.create_task(called("check", "--patience", "10m", environment=copy.environment))
        await until(lambda: _was_parked_seen(copy), within=60)
        await copy.run("sales", "UPDATE parked_events SET resolved_at = now(), resolution = 'handled'")
        result = await checking

    assert result.exit_code == 0, result.stdout


async def test_what_stays_broken_is_an_offence_in_the_end(traded: Trade, postgres_server: PostgresServer) -> None:
    async with traded.copied(postgres_server, ["sales"]) as copy:
        await copy.run("sales", _PARKED)
        result = await called("check", "--patience", "1s", environment=copy.environment)

    assert result.exit_code == 1
    assert result.stdout.startswith("events.handled\tsales\t")


async def test_machines_read_json(traded: Trade, postgres_server: PostgresServer) -> None:
    async with traded.copied(postgres_server, ["delivery"]) as copy:
        await copy.run("delivery", f"DELETE FROM shipments WHERE order_id = '{traded.ids['placed']}'")
        result = await called("check", "--patience", "0s", "--json", environment=copy.environment)

    said = json.loads(result.stdout)
    assert {name: value for name, value in said.items() if name != "looked_at"} == {
        "holds": False,
        "laws": len(LAWS),
        "patience_seconds": 0.0,
        "offences": [
            {
                "law": "shipments.numbers",
                "says": "An order has one parcel, or several that are numbered",
                "services": ["sales", "delivery"],
                "id": traded.ids["placed"],
                "stands": "the order is PENDING_SHIPMENT, and has no parcel",
            }
        ],
        "cut_short": [],
    }
    assert said["looked_at"]["sales.orders"] == 16


async def test_people_read_a_table_and_pipes_get_lines(traded: Trade, postgres_server: PostgresServer) -> None:
    async with traded.copied(postgres_server, ["delivery"]) as copy:
        await copy.run("delivery", _PARKED)
        terminal = {**copy.environment, "FORCE_COLOR": "1", "COLUMNS": "120"}
        table = await called("check", "--patience", "0s", environment=terminal)
        lines = await called("check", "--patience", "0s", environment=copy.environment)

    assert (table.exit_code, lines.exit_code) == (1, 1)
    assert "│" in table.stdout
    assert "No event waits to be handled" in table.stdout
    [line] = lines.stdout.splitlines()
    assert line.split("\t")[:3] == ["events.handled", "delivery", "e [2J"]
    assert "\x1b[2J" not in table.stdout
    assert f"1 of {len(LAWS)} laws are broken, by 1." in lines.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--patience", "soon"), "is no time"),
        (("--patience", "-1s"), "is no time"),
        (("--data", "/nowhere"), "No platform runs on /nowhere"),
        (("--verbose",), "No such option"),
        (("everything",), "unexpected extra argument"),
    ],
)
async def test_wrong_use_ends_with_2(arguments: tuple[str, ...], words: str) -> None:
    result = await called("check", *arguments, environment={"SALES_DATABASE_URL": None})

    assert result.exit_code == 2
    assert words in result.stderr


async def test_an_address_that_is_none_is_wrong_use(traded: Trade, postgres_server: PostgresServer) -> None:
    async with traded.copied(postgres_server, []) as copy:
        result = await called("check", environment={**copy.environment, "SALES_DATABASE_URL": "nonsense"})

    assert result.exit_code == 2
    assert "This is no URL of a database" in result.stderr


async def test_books_that_cannot_be_read_are_neither_right_nor_wrong(
    traded: Trade, postgres_server: PostgresServer
) -> None:
    async with traded.copied(postgres_server, ["sales"]) as copy:
        away = {**copy.environment, "DELIVERY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}
        unreachable = await called("check", environment=away)
        connection = await asyncpg.connect(copy.urls["sales"].replace("+asyncpg", ""))
        async with connection.transaction():
            await connection.execute("LOCK TABLE orders")
            locked = await called("check", environment=copy.environment)
        await connection.close()

    assert (unreachable.exit_code, locked.exit_code) == (3, 3)
    assert unreachable.stderr == "orderflow: The books cannot be read: The database cannot be reached.\n"
    assert locked.stderr.startswith("orderflow: The books cannot be read: ")


async def _was_parked_seen(copy: Copy) -> bool:
    """What a connection that waits has asked last: the check looks at nothing else again."""
    asked = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'orderflow check' AND query LIKE '%parked_at%'"
    return bool(await copy.rows("sales", f"{asked} AND datname = current_database()"))
