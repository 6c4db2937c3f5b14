"""`orderflow mail catch`: a platform that sends by SMTP, and a catcher that takes what it sends."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.harness.embedded import embedded
from tests.harness.platform import ORDERFLOW, until
from tests.harness.ports import free_ports

from .factories import ran


@dataclass
class Catcher:
    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path
    output: Path

    def is_ready(self) -> bool:
        return "Catching mails" in self.output.read_text()


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    port, folder, output = free_ports(1)[0], tmp_path / "caught", tmp_path / "catch.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [ORDERFLOW, "mail", "catch", "--port", str(port), "--folder", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Catcher(process, port, folder, output)
    finally:
        process.kill()
        process.wait()


async def test_what_a_platform_sends_by_smtp_is_caught_and_told_in_a_line(
    tmp_path: Path, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    smtp = {"HOST": "127.0.0.1", "PORT": str(catcher.port), "TLS": "none"}
    for name, value in smtp.items():
        monkeypatch.setenv(f"NOTIFICATION_SMTP__{name}", value)
    await until(catcher.is_ready, within=30)

    async with embedded(tmp_path, "--no-seed") as platform, aiohttp.ClientSession() as client:
        account = {"email": "grace@example.org", "name": "Grace", "password": "purple giraffes sing quietly"}
        async with client.post(f"{platform.url('sales')}/api/v1/customers", json=account) as answer:
            assert answer.status == 201
        await until(lambda: any(catcher.folder.glob("*.eml")), within=30)

    [mail] = catcher.folder.glob("*.eml")
    assert "\nSubject: Please confirm your e-mail address" in mail.read_text()
    assert f"{mail.name}  to grace@example.org: Please confirm your e-mail address\n" in catcher.output.read_text()
    catcher.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(catcher.process.wait, 20) == 0


async def test_a_port_that_is_taken_is_said_in_plain_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        refused = await ran("mail", "catch", "--port", str(port), "--folder", "caught", folder=tmp_path)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"orderflow: Mails cannot be caught at 127.0.0.1:{port} into {tmp_path}/caught: ")
    assert "Traceback" not in refused.stderr


async def test_a_file_is_no_folder_for_mails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    refused = await ran("mail", "catch", "--port", str(free_ports(1)[0]), "--folder", "file", folder=tmp_path)

    assert (refused.returncode, os.listdir(tmp_path)) == (1, ["file"])
    assert refused.stderr.endswith("File exists.\n")
