"""A served process believes the proxies that it was told to trust, when they say who is calling: nobody else."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.keys import new_keypair
from tests.harness.fixtures import FreshDatabase
from tests.harness.platform import ORDERFLOW, until
from tests.harness.ports import free_ports

PEOPLE, PEOPLES_PUBLIC = new_keypair("people", ["customer"])


@asynccontextmanager
async def served(database_url: str, log: Path, **more: str) -> AsyncIterator[str]:
    [port] = free_ports(1)
    settings = {
        "RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1",
        "SALES_DATABASE_URL": database_url,
        "SALES_TRUSTED_KEYS": json.dumps({"keys": [PEOPLES_PUBLIC]}),
        "SALES_SIGNING_KEY": new_keypair("sales", ["service"])[0],
        "SALES_ACCOUNTS__LOGIN_KEY": PEOPLE,
        "SALES_ACCOUNTS__MAIL_SECRET": "hush",
        "SALES_PRODUCT_URL": "http://127.0.0.1:1",
        **more,
    }
    with log.open("wb") as output:
        command = [str(ORDERFLOW), "serve", "sales", "--role", "api", "--port", str(port)]
        process = subprocess.Popen(command, env=settings, stdout=output, stderr=output)  # noqa: ASYNC220
    try:
        url = f"http://127.0.0.1:{port}"
        await until(lambda: _answers(f"{url}/livez"), within=30)
        yield url
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 10)


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def guess(url: str, email: str, forwarded_for: str) -> int:
    body = {"email": email, "password": "not the password"}
    forwarded = {"X-Forwarded-For": forwarded_for}
    async with (
        aiohttp.ClientSession(headers=forwarded) as client,
        client.post(f"{url}/api/v1/sessions", json=body) as answer,
    ):
        return answer.status


async def close_every_gate(database_url: str) -> None:
    """As after many wrong guesses by whoever has guessed until now."""
    database = Database(database_url, application_name="test")
    async with database.begin() as session:
        await session.execute(text("UPDATE slowdowns SET opens_at = now() + interval '1 hour'"))
    await database.close()


@pytest.mark.parametrize(("trusted", "second"), [("127.0.0.0/8", 401), ("10.0.0.0/8", 429)])
async def test_a_guess_counts_for_whom_a_trusted_proxy_names(
    fresh_database: FreshDatabase, tmp_path: Path, trusted: str, second: int
) -> None:
    database_url = await fresh_database("sales")
    async with served(database_url, tmp_path / "log", SALES_TRUSTED_PROXIES=trusted) as url:
        assert await guess(url, "grace@example.org", "203.0.113.1") == 401
        await close_every_gate(database_url)

        assert await guess(url, "ada@example.org", "203.0.113.2") == second
