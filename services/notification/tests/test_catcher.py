"""The catcher of mails: what a developer sends arrives in a folder, and nowhere else."""

import os
import stat
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from notification.catcher import catch
from tests.harness.ports import free_ports


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
async def port(tmp_path: Path, said: list[str]) -> AsyncIterator[int]:
    port = free_ports(1)[0]
    async with await catch(tmp_path / "caught", "127.0.0.1", port, said.append):
        yield port


def mail(subject: str = "Your order has been received") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "orders@example.org", "ada@example.org", subject
    message["Message-ID"] = "<one@example.org>"
    message.set_content("Thank you, Ada.")
    return message


async def send(port: int, message: EmailMessage) -> None:
    await aiosmtplib.send(message, hostname="127.0.0.1", port=port)


async def test_each_mail_becomes_a_file_and_a_line_in_the_order_in_which_they_came(
    tmp_path: Path, said: list[str], port: int
) -> None:
    await send(port, mail())
    await send(port, mail("Ihre Bestellung ist unterwegs: Größe XL"))

    files = sorted((tmp_path / "caught").iterdir())
    kept = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    assert [each["Subject"] for each in kept] == [
        "Your order has been received",
        "Ihre Bestellung ist unterwegs: Größe XL",
    ]
    assert kept[0]["Message-ID"] == "<one@example.org>"
    assert kept[0].get_content().strip() == "Thank you, Ada."
    assert said == [
        f"{files[0].name}  to ada@example.org: Your order has been received",
        f"{files[1].name}  to ada@example.org: Ihre Bestellung ist unterwegs: Größe XL",
    ]


async def test_what_it_keeps_is_for_its_owner_only(tmp_path: Path, port: int) -> None:
    await send(port, mail())

    folder = tmp_path / "caught"
    [file] = folder.iterdir()
    assert [stat.S_IMODE(os.stat(each).st_mode) for each in (folder, file)] == [0o700, 0o600]


async def test_a_catcher_that_is_started_again_keeps_what_it_had(tmp_path: Path, said: list[str], port: int) -> None:
    await send(port, mail("the first"))
    another = free_ports(1)[0]

    async with await catch(tmp_path / "caught", "127.0.0.1", another, said.append):
        await send(another, mail("the second"))

    assert len(list((tmp_path / "caught").iterdir())) == 2


async def test_a_subject_moves_no_cursor(said: list[str], port: int) -> None:
    raw = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: =?utf-8?q?a=1b[2J=0ab?=\r\n\r\nhello\r\n"

    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as client:
        await client.sendmail("a@example.org", ["b@example.org"], raw)

    [line] = said
    assert line.isprintable()


async def test_a_mail_without_anything_is_kept_as_well(tmp_path: Path, said: list[str], port: int) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as client:
        await client.sendmail("a@example.org", ["b@example.org"], b"\xff\xfe\r\n")

    assert said[0].endswith("to b@example.org: (no subject)")
    assert len(list((tmp_path / "caught").iterdir())) == 1
