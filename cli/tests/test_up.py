"""`orderflow up` as people meet it: started, tried as it says, stopped, killed and started again."""

import asyncio
import json
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil
import pytest

from orderflow.postgres import own_postgres
from tests.harness.embedded import Embedded, embedded, port_base
from tests.harness.platform import ORDERFLOW, until

from .factories import pasted, ran


@pytest.fixture(autouse=True)
def _own_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("RABBITMQ_URL", raising=False)


async def test_what_it_prints_can_be_pasted_and_the_order_is_delivered_survives_a_stop_and_a_kill(
    tmp_path: Path,
) -> None:
    async with embedded(tmp_path) as platform:
        tried = await pasted(_printed_commands(platform), folder=Path("/"))

        assert tried.returncode == 0, tried.stderr
        assert '"all_available":true' in tried.stdout
        assert tried.stdout.endswith("Delivered.\n")
        placed, shown = _orders_in(tried.stdout)
        assert re.findall(r"^  \d\d:\d\d:\d\d  (\S.*)$", tried.stdout.partition("Mails about it")[2], re.MULTILINE) == [
            f"We have received your order {shown}",
            f"On its way: your order {shown}",
            f"Delivered: your order {shown}",
        ]
        assert _addresses_to_unsubscribe(tmp_path / "data" / "mail") == {platform.url("notification")}
        await until(lambda: _has_status(platform, placed, "DELIVERED"), within=30)
        family = _family(platform)

        assert await platform.stop() == 0
        assert not [process for process in family if process.is_running()]
        assert not (tmp_path / "data" / "connection.json").exists()

    async with embedded(tmp_path) as platform:
        assert (await _order(platform, placed))["status"] == "DELIVERED"
        family = _family(platform)

        platform.process.kill()
        platform.process.wait()
        await until(lambda: not [process for process in family if process.is_running()], within=10)

    # What was killed could not remove it, and the harness waits for a new one.
    (tmp_path / "data" / "connection.json").unlink()
    async with embedded(tmp_path) as platform:
        assert (await _order(platform, placed))["status"] == "DELIVERED"
        assert await platform.stop() == 0


async def test_a_manual_platform_waits_for_staff_and_says_how_to_be_staff(tmp_path: Path) -> None:
    async with embedded(tmp_path, "--manual") as platform:
        data = str(tmp_path / "data")

        impatient = await ran("demo", "--data", data, "--within", "1s", folder=tmp_path)
        second = await ran("up", "--data", data, folder=tmp_path)
        parked = await ran("events", "list", "delivery", "--data", data, folder=tmp_path)
        unheard = await ran("events", "retry", "delivery", "unheard-of", "--data", data, folder=tmp_path)
        tried = await pasted(_printed_commands(platform), folder=Path("/"))

        assert impatient.returncode == 1
        assert "waits for staff" in impatient.stdout
        assert "is not delivered after" in impatient.stderr
        assert (second.returncode, second.stdout) == (1, "")
        assert re.fullmatch(r"orderflow: Another `orderflow up` runs on .*\n", second.stderr)
        assert (parked.returncode, parked.stderr) == (0, "Nothing is parked in delivery.\n")
        assert unheard.stderr == "orderflow: No event unheard-of is parked here.\n"
        assert tried.returncode == 0, tried.stderr
        assert tried.stdout.endswith("Delivered.\n")
        waiting, placed, driven = _orders_in(impatient.stdout) + _orders_in(tried.stdout)
        await until(lambda: _has_status(platform, placed, "DELIVERED"), within=30)
        assert await _has_status(platform, driven, "DELIVERED")
        assert await _has_status(platform, waiting, "PENDING_SHIPMENT")


async def test_only_its_owner_can_read_the_keys_and_the_connection(tmp_path: Path) -> None:
    async with embedded(tmp_path, "--no-seed") as platform:
        folder = tmp_path / "data"

        assert {path.name: oct(path.stat().st_mode & 0o777) for path in folder.glob("*.json")} == {
            "keys.json": "0o600",
            "connection.json": "0o600",
        }
        assert oct((folder / "postgres").stat().st_mode & 0o777) == "0o700"
        assert set(platform.connection) == {
            "urls",
            "tokens",
            "carrier_secret",
            "mail_secret",
            "database_urls",
            "manual",
            "mail_folder",
        }
        assert set(platform.connection["tokens"]) == {"admin", "warehouse", "customer"}
        product = f"{platform.url('product')}/api/v1/products/product_456"
        async with aiohttp.ClientSession() as client, client.get(product) as answer:
            assert answer.status == 404, "without a seed there is no demo catalogue"


async def test_a_folder_from_before_there_were_mails_starts_with_its_orders_and_sends_mails(tmp_path: Path) -> None:
    async with embedded(tmp_path) as platform:
        demo = await ran("demo", "--data", str(tmp_path / "data"), folder=tmp_path)
        [placed] = _orders_in(demo.stdout)
        assert await platform.stop() == 0
    await _without_notification(tmp_path / "data")

    async with embedded(tmp_path) as platform:
        assert (await _order(platform, placed))["status"] == "DELIVERED"
        await until(lambda: _is_ready(platform, "notification"), within=30)
        assert platform.url("notification").endswith(f":{int(platform.url('sales').rpartition(':')[2]) + 3}")
        assert await platform.stop() == 0


async def test_mails_are_written_into_the_data_folder_or_sent_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with embedded(tmp_path, "--no-seed") as platform:
        folder = str(tmp_path / "data" / "mail")
        assert platform.connection["mail_folder"] == folder
        assert f"are written to {folder}\n" in platform.output.read_text()
    monkeypatch.setenv("NOTIFICATION_SMTP__HOST", "mail.example.org")

    async with embedded(tmp_path, "--no-seed") as platform:
        assert platform.connection["mail_folder"] is None
        assert re.search(r"^  mails +go out by SMTP$", platform.output.read_text(), re.MULTILINE)


async def test_a_database_server_and_a_broker_elsewhere_do_as_well(tmp_path: Path, rabbitmq_url: str) -> None:
    async with own_postgres(tmp_path / "elsewhere", tmp_path / "elsewhere.log", []) as server:
        elsewhere = {"DATABASE_URL": server.render_as_string(), "RABBITMQ_URL": rabbitmq_url}
        process = subprocess.Popen(  # noqa: ASYNC220 (it takes a moment once)
            [ORDERFLOW, "up", "--port-base", str(port_base())],
            cwd=tmp_path,
            env={**os.environ, **elsewhere},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            await until((tmp_path / "orderflow-data" / "connection.json").exists, within=60)
            demo = await ran("demo", folder=tmp_path)
            process.terminate()
            code = await asyncio.to_thread(process.wait, 10)
        finally:
            process.kill()
            process.wait()

    assert demo.returncode == 0, demo.stderr
    assert code == 0
    assert not (tmp_path / "orderflow-data" / "postgres").exists()


async def test_a_port_in_use_is_named_before_anything_is_started(tmp_path: Path) -> None:
    base = port_base()
    port = base + 2
    with socket.create_server(("127.0.0.1", port)):
        refused = await ran("up", "--port-base", str(base), folder=tmp_path)

    assert refused.returncode == 1
    assert re.fullmatch(rf"orderflow: Port {port} for product cannot be had: .*\n", refused.stderr)
    assert not (tmp_path / "orderflow-data" / "postgres").exists()


async def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    refused = await ran("up", "--data", "file", folder=tmp_path)

    assert refused.returncode == 1
    assert refused.stderr == "orderflow: file cannot be used as data folder: File exists.\n"


@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}, 1, "The databases cannot be made: Connect"),
        ({"DATABASE_URL": "not a url"}, 2, "This is no URL of a database, such as postgresql://"),
        ({"FAILPOINTS": "chassis.relay.sent=kill"}, 2, "FAILPOINTS: Failpoints can be armed in the test environment"),
        ({"LOG_LEVEL": "LOUD"}, 2, "LOG_LEVEL: Input should be"),
        ({"DELIVERY_DISPATCH_AFTER": "soon"}, 2, "DELIVERY_DISPATCH_AFTER: Input should be a valid timedelta"),
    ],
)
async def test_what_the_environment_says_wrongly_is_said_in_plain_words(
    tmp_path: Path, environment: dict[str, str], code: int, words: str
) -> None:
    settings = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", **environment}

    refused = await ran("up", "--port-base", str(port_base()), folder=tmp_path, environment=settings)

    assert refused.returncode == code
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


def _printed_commands(platform: Embedded) -> str:
    lines = platform.output.read_text().partition("second terminal:")[2].splitlines()
    return "\n".join(line for line in lines if line.startswith("  "))


def _orders_in(output: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"(?:\"order_id\":\"|Order )([0-9a-f-]{36})", output)))


def _family(platform: Embedded) -> list[psutil.Process]:
    family = [psutil.Process(platform.process.pid), *psutil.Process(platform.process.pid).children(recursive=True)]
    assert "postgres" in {process.name() for process in family}
    return family


async def _order(platform: Embedded, order_id: str) -> Any:
    headers = {"Authorization": f"Bearer {platform.token('customer')}"}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.get(f"{platform.url('sales')}/api/v1/orders/{order_id}") as answer,
    ):
        return await answer.json()


def _addresses_to_unsubscribe(folder: Path) -> set[str]:
    return set(re.findall(r"^List-Unsubscribe: <(http://[^/]+)/", _headers(folder), re.MULTILINE))


def _headers(folder: Path) -> str:
    return "\n".join(file.read_text().partition("\n\n")[0] for file in folder.glob("*.eml"))


async def _without_notification(data: Path) -> None:
    """As an older version left it."""
    file = data / "keys.json"
    keys = json.loads(file.read_text())
    del keys["services"]["notification"]
    file.write_text(json.dumps(keys))
    async with own_postgres(data / "postgres", data / "postgres.log", []) as server:
        connection = await asyncpg.connect(server.set(database="postgres").render_as_string())
        await connection.execute("DROP DATABASE orderflow_notification")
        await connection.close()


async def _is_ready(platform: Embedded, service: str) -> bool:
    async with aiohttp.ClientSession() as client, client.get(f"{platform.url(service)}/readyz") as answer:
        return answer.status == 200


async def _has_status(platform: Embedded, order_id: str, status: str) -> bool:
    return bool((await _order(platform, order_id))["status"] == status)
