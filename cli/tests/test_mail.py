"""Mails in an operator's hands: seen, and sent again."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.keys import Signer
from chassis.serving import Site, serve
from orderflow.folder import Connection, Folder
from services.notification.tests.factories import PEOPLE_KEY, PostOffice, a_letter, a_post_office
from services.notification.tests.mail_server import MailServer
from tests.harness.fixtures import FreshDatabase
from tests.harness.ports import free_ports

from .factories import called

ADMIN = Signer(PEOPLE_KEY).token("root", ["admin"], lives=timedelta(days=1))
EVIL = "550 5.1.1 Unknown\x07 \x1b[2J"


@pytest.fixture
async def office(fresh_database: FreshDatabase) -> AsyncIterator[PostOffice]:
    async with MailServer().serving() as server, a_post_office(await fresh_database("notification"), server) as running:
        for customer in ("ada", "bob"):
            await running.knows(customer)
        await running.write(a_letter("ada"), a_letter("bob", "order_cancelled"))
        server.says("RCPT", "550 5.1.1 Unknown", times=1, about="ada@")
        await running.run()
        yield running


@pytest.fixture
async def url(office: PostOffice) -> AsyncIterator[str]:
    """Its API alone, so that nothing is sent behind our backs."""
    [port] = free_ports(1)
    started, stop = asyncio.Event(), asyncio.Event()

    async def tell() -> None:
        started.set()

    served = replace(office.service, role="api", closes=())
    serving = asyncio.create_task(serve([Site(served.app(), "127.0.0.1", port)], stop, tell))
    await started.wait()
    yield f"http://127.0.0.1:{port}"
    stop.set()
    await serving


@pytest.fixture
def folder(url: str, tmp_path: Path) -> Path:
    connection: dict[str, Any] = {
        "urls": {"notification": url},
        "tokens": {"admin": ADMIN},
        "carrier_secret": "whsec_",
        "mail_secret": "hush",
        "database_urls": {},
    }
    Folder(tmp_path).announce(Connection.model_validate(connection))
    return tmp_path


async def the_failed_one(office: PostOffice) -> str:
    [row] = await office.query("SELECT id FROM mails WHERE state = 'FAILED'")
    return str(row["id"])


async def test_mails_are_listed_with_what_became_of_them(office: PostOffice, folder: Path) -> None:
    result = await called("mail", "list", "--data", str(folder))

    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(row[1:5] for row in rows) == [
        ["order_cancelled", "bob", "SENT", "1"],
        ["order_confirmed", "ada", "FAILED", "1"],
    ]
    assert {row[6] for row in rows} == {"", "550 5.1.1 Unknown"}


@pytest.mark.parametrize(
    ("wanted", "recipients"),
    [
        (["--state", "failed"], {"ada"}),
        (["--message", "order_cancelled"], {"bob"}),
        (["--recipient", "ada"], {"ada"}),
        (["--limit", "1"], {"bob"}),
        (["--state", "unwanted"], set()),
    ],
)
async def test_the_list_is_what_was_asked_for(folder: Path, wanted: list[str], recipients: set[str]) -> None:
    result = await called("mail", "list", "--data", str(folder), *wanted)

    assert result.exit_code == 0
    assert {line.split("\t")[2] for line in result.stdout.splitlines()} == recipients


async def test_a_long_list_is_read_page_by_page(office: PostOffice, folder: Path) -> None:
    await office.write(*(a_letter(f"customer-{number}") for number in range(230)))

    shown = await called("mail", "list", "--data", str(folder), "--limit", "1000")
    some = await called("mail", "list", "--data", str(folder), "--limit", "150")

    assert (len(shown.stdout.splitlines()), len(some.stdout.splitlines())) == (232, 150)


async def test_on_a_terminal_the_list_is_a_table(folder: Path) -> None:
    result = await called("mail", "list", "--data", str(folder), environment={"FORCE_COLOR": "1", "COLUMNS": "200"})

    assert "│" in result.stdout
    assert "FAILED" in result.stdout


async def test_one_mail_is_shown_and_sent_again(office: PostOffice, folder: Path) -> None:
    mail_id = await the_failed_one(office)

    shown = await called("mail", "show", mail_id, "--data", str(folder))
    again = await called("mail", "send", mail_id, "--data", str(folder))
    refused = await called("mail", "send", mail_id, "--data", str(folder))

    lines = dict(line.split(":", 1) for line in shown.stdout.splitlines())
    assert (lines["state"].strip(), lines["error"].strip()) == ("FAILED", "550 5.1.1 Unknown")
    assert (again.exit_code, again.stdout) == (0, "It is tried again.\n")
    assert (refused.exit_code, "QUEUED cannot become QUEUED" in refused.stderr) == (1, True)
    assert (await office.audited())[0]["action"] == "mail.queued_again"


async def test_what_comes_from_outside_does_not_command_the_terminal(office: PostOffice, folder: Path) -> None:
    await office.query("UPDATE mails SET last_error = :evil WHERE state = 'FAILED'", evil=EVIL)

    results = [
        await called("mail", "list", "--data", str(folder)),
        await called("mail", "show", await the_failed_one(office), "--data", str(folder)),
    ]

    assert all(result.exit_code == 0 and not {"\x1b", "\x07"} & set(result.stdout) for result in results)


async def test_a_platform_elsewhere_is_named_by_its_url(office: PostOffice, url: str) -> None:
    named = await called("mail", "list", "--notification-url", url, "--token", ADMIN)
    without = await called("mail", "list", "--notification-url", url)
    wrong = await called(
        "mail", "list", "--notification-url", url, "--token", Signer(PEOPLE_KEY).token("ada", ["customer"])
    )

    assert (named.exit_code, len(named.stdout.splitlines())) == (0, 2)
    assert (without.exit_code, without.stderr) == (2, "orderflow: --notification-url and --token go together.\n")
    assert (wrong.exit_code, wrong.stdout) == (1, "")


@pytest.mark.parametrize("mail_id", ["0197a5c8-7c00-7000-8000-000000000002", "..", "x/y?z", "%00", ""])
async def test_a_mail_that_there_is_not_is_said_so(folder: Path, mail_id: str) -> None:
    for command in ("show", "send"):
        result = await called("mail", command, mail_id, "--data", str(folder))

        assert result.exit_code == 1
        assert result.stderr.startswith("orderflow: ")
        assert "Traceback" not in result.stderr


async def test_where_nothing_runs_the_command_says_so(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    without = {"urls": {}, "tokens": {}, "carrier_secret": "", "mail_secret": "", "database_urls": {}}
    (tmp_path / "other" / "connection.json").write_text(json.dumps(without))

    nothing = await called("mail", "list", "--data", str(tmp_path))
    older = await called("mail", "list", "--data", str(tmp_path / "other"))

    assert (nothing.exit_code, "No platform runs" in nothing.stderr) == (1, True)
    assert (older.exit_code, "without Notification" in older.stderr) == (1, True)
