"""`orderflow serve`: one service from its environment, or a plain word about what is missing in it."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from chassis.keys import new_keypair
from orderflow.ending import Ending
from orderflow.failure import Failure
from tests.harness.fixtures import FreshDatabase
from tests.harness.platform import ORDERFLOW, until
from tests.harness.ports import free_ports

from .factories import call

COMPLETE = {
    "RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1",
    "PRODUCT_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/x",
    "PRODUCT_TRUSTED_KEYS": '{"keys": []}',
    "PRODUCT_SIGNING_KEY": new_keypair("product", ["service"])[0],
}


@pytest.mark.parametrize("variable", ["PRODUCT_DATABASE_URL", "PRODUCT_TRUSTED_KEYS", "RABBITMQ_URL"])
def test_a_missing_setting_is_named(variable: str) -> None:
    result = call("serve", "product", environment={**COMPLETE, variable: None})

    assert result.exit_code == 2
    assert f"{variable} is missing." in result.stderr


def test_all_that_is_missing_is_named_at_once_and_nothing_that_is_secret_is_shown() -> None:
    environment = {"DELIVERY_SIGNING_KEY": "hush", "DELIVERY_POOL_SIZE": "hush"}

    result = call("serve", "delivery", environment=environment)

    assert result.exit_code == 2
    for variable in ("DATABASE_URL", "TRUSTED_KEYS", "PRODUCT_URL", "CARRIER_SECRET"):
        assert f"DELIVERY_{variable} is missing." in result.stderr
    assert "DELIVERY_POOL_SIZE: " in result.stderr
    assert "hush" not in result.stderr


def test_where_mails_go_has_to_be_said_once_and_not_twice() -> None:
    some = {
        "RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1",
        "NOTIFICATION_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/x",
        "NOTIFICATION_TRUSTED_KEYS": '{"keys": []}',
        "NOTIFICATION_SIGNING_KEY": new_keypair("notification", ["service"])[0],
        "NOTIFICATION_MAIL_SECRET": "hush",
    }

    nowhere = call("serve", "notification", environment=some)
    half = call("serve", "notification", environment={**some, "NOTIFICATION_SMTP__PORT": "25"})
    twice = call(
        "serve",
        "notification",
        environment={**some, "NOTIFICATION_SMTP__HOST": "mail.example.org", "NOTIFICATION_FOLDER": "mail"},
    )

    rule = "\n  NOTIFICATION_…: mails go out by SMTP (smtp) or into a folder (folder): one of them has to be named.\n"
    assert (nowhere.exit_code, twice.exit_code) == (2, 2)
    assert rule in nowhere.stderr
    assert rule in twice.stderr
    assert "NOTIFICATION_SMTP__HOST is missing." in half.stderr


def test_what_is_missing_in_a_group_is_named_as_it_is_set() -> None:
    nothing = call("serve", "sales", environment={})
    half = call("serve", "sales", environment={"SALES_ACCOUNTS__LOGIN_KEY": "hush", "SALES_CARTS__KEPT": "long"})

    for variable in ("SALES_DATABASE_URL", "SALES_ACCOUNTS__LOGIN_KEY", "SALES_ACCOUNTS__MAIL_SECRET"):
        assert f"\n  {variable} is missing." in nothing.stderr
    assert "SALES_ACCOUNTS__MAIL_SECRET is missing." in half.stderr
    assert "SALES_ACCOUNTS__LOGIN_KEY" not in half.stderr
    assert "SALES_CARTS__KEPT: Input should be a valid timedelta" in half.stderr
    assert "hush" not in half.stderr


def test_a_group_that_is_set_as_a_whole_and_not_readable_is_said_without_a_traceback() -> None:
    result = call("serve", "sales", environment={"SALES_ACCOUNTS": "hush"})

    assert result.exit_code == 2
    assert 'error parsing value for field "accounts"' in result.stderr
    assert "hush" not in result.stderr


def test_failpoints_are_refused_outside_of_tests() -> None:
    result = call("serve", "product", environment={**COMPLETE, "FAILPOINTS": "chassis.relay.sent=kill"})

    assert result.exit_code == 2
    assert "FAILPOINTS: Failpoints can be armed in the test environment only." in result.stderr


def test_a_database_that_is_away_ends_it_with_one_line() -> None:
    result = call("serve", "product", environment=COMPLETE)

    assert result.exit_code == 1
    assert "The database that PRODUCT_DATABASE_URL names cannot be prepared" in result.stderr


def test_only_services_that_exist_can_be_served() -> None:
    assert call("serve", "billing").exit_code == 2


@pytest.fixture
async def own_signals() -> AsyncIterator[None]:
    """What a process of services does about signals is undone for the process of the tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
    yield
    for number, action in before.items():
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(number, action)


@pytest.mark.usefixtures("own_signals")
async def test_a_process_that_no_longer_hears_of_events_ends_as_a_failure() -> None:
    ending = Ending()

    ending.give_up("product.inbox.v1: the queue is gone")

    assert ending.begun.is_set()
    with pytest.raises(Failure, match=r"started again: product\.inbox\.v1: the queue is gone\."):
        ending.was_in_order()


@pytest.mark.usefixtures("own_signals")
async def test_a_closed_terminal_ends_it_unless_it_was_started_to_outlive_that() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    deaf = Ending()
    os.kill(os.getpid(), signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    hearing = Ending()
    os.kill(os.getpid(), signal.SIGHUP)

    await asyncio.wait_for(hearing.begun.wait(), 5)

    hearing.was_in_order()
    assert not deaf.begun.is_set()


async def test_it_serves_until_sigterm_and_shows_its_metrics(
    fresh_database: FreshDatabase, rabbitmq_url: str, tmp_path: Path
) -> None:
    port, metrics_port = free_ports(2)
    settings = {
        **COMPLETE,
        "RABBITMQ_URL": rabbitmq_url,
        "PRODUCT_DATABASE_URL": await fresh_database("product"),
        "PRODUCT_PORT": "1",
        "METRICS_PORT": str(metrics_port),
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 (it takes a moment once)
            [ORDERFLOW, "serve", "product", "--port", str(port)], env=settings, stdout=output, stderr=output
        )
    try:
        async with aiohttp.ClientSession() as client:
            await until(lambda: _answers(client, f"http://127.0.0.1:{port}/readyz"), within=30)
            async with client.get(f"http://127.0.0.1:{port}/api/v1/products/unknown") as answer:
                assert answer.status == 404
            async with client.get(f"http://127.0.0.1:{metrics_port}/metrics") as answer:
                metrics = await answer.text()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 10)
    finally:
        process.kill()
        process.wait()

    assert code == 0, log.read_text()
    assert re.search(r'^http_requests_total\{.*status="404"\} 1.0$', metrics, re.MULTILINE)
    assert all(line.startswith("{") for line in log.read_text().splitlines())


async def _answers(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
