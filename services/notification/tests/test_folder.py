"""Mails into a folder: a file each, whole or not at all."""

import asyncio
import stat
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from chassis.telemetry import configure_logging

from .factories import a_letter, a_post_office


async def sent(database_url: str, folder: Path, customers: int = 1) -> tuple[list[Path], list[dict[str, object]]]:
    async with a_post_office(database_url, folder=folder) as office:
        for number in range(customers):
            await office.knows(f"customer-{number}")
        await office.write(*(a_letter(f"customer-{number}") for number in range(customers)))
        await office.run()
        return sorted(folder.iterdir()), await office.mails()  # noqa: ASYNC240 (a few files, in a test)


async def test_each_mail_is_a_file_for_nobody_elses_eyes(database_url: str, tmp_path: Path) -> None:
    files, mails = await sent(database_url, tmp_path / "not" / "there", customers=10)

    assert {file.suffix for file in files} == {".eml"}
    assert {str(mail["id"]) for mail in mails} == {file.stem.partition("Z-")[2] for file in files}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
    message = message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert message["To"] is not None
    assert message["Message-ID"] is not None


async def test_each_mail_is_one_line_in_the_log_without_the_address(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging()

    [file], [mail] = await sent(database_url, tmp_path / "mail")

    lines = [line for line in capsys.readouterr().out.splitlines() if "mail_sent" in line]
    assert len(lines) == 1
    assert file.name in lines[0]
    assert str(mail["id"]) in lines[0]
    assert "order_confirmed" in lines[0]
    assert "customer" not in lines[0]


async def test_whoever_looks_meanwhile_finds_no_half_mails(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    found: list[bytes] = []

    async def look() -> None:
        while True:
            found.extend(file.read_bytes() for file in folder.glob("*.eml"))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await sent(database_url, folder, customers=20)
    looking.cancel()

    assert all(content.rstrip().endswith(b"--") for content in found)


async def test_a_folder_that_cannot_be_written_to_is_a_server_that_is_away(database_url: str, tmp_path: Path) -> None:
    in_the_way = tmp_path / "mail"
    in_the_way.write_text("not a folder")
    async with a_post_office(database_url, folder=in_the_way) as office:
        await office.knows("ada")
        await office.write(a_letter("ada"))
        await office.run()
        [mail] = await office.mails()
        assert (mail["state"], mail["tries"]) == ("QUEUED", 0)

        in_the_way.unlink()
        await office.until_nothing_waits()

        assert await office.states() == ["SENT"]
