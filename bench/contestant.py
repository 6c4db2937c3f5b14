"""What every contestant is to those who measure it: where Sales answers, its databases and its processes.

All have tables of the same names, as far as anything is asked of them here.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import make_url

from chassis.ids import first_uuid7_at
from tests.harness.platform import until
from tests.harness.ports import free_ports

from . import wares
from .machine import Machine, asked

SERVICES: Final = ("sales", "product", "delivery", "notification")


@dataclass(frozen=True)
class Contestant:
    name: str
    url: str
    databases: Mapping[str, str]
    """By service; as asyncpg takes them."""
    vhost: str
    pids: Mapping[str, int]
    """Of its processes, by service; each with its children."""
    tokens: Sequence[str] = ()

    @property
    def database_names(self) -> list[str]:
        return [str(make_url(url).database) for url in self.databases.values()]

    async def delivered(self, since: UUID) -> int:
        return int(await self.value("sales", _DELIVERED, since))

    async def waits(self, since: UUID) -> list[float]:
        """How many seconds each order has taken from its creation until Sales knew that it was delivered."""
        rows = await self.query("sales", _WAITS, since)
        return [float(row[0]) for row in rows]

    async def unsent(self) -> int:
        counts = [await self.value(service, _UNSENT) for service in ("sales", "product", "delivery")]
        return sum(counts)

    async def value(self, service: str, statement: str, *parameters: Any) -> Any:
        return (await self.query(service, statement, *parameters))[0][0]

    async def query(self, service: str, statement: str, *parameters: Any) -> list[Any]:
        async with asked(self.databases[service]) as connection:
            return list(await connection.fetch(statement, *parameters))


_DELIVERED: Final = "SELECT count(*) FROM orders WHERE id > $1 AND status = 'DELIVERED'"
_WAITS: Final = """
    SELECT extract(epoch FROM at - created_at)::float FROM orders JOIN order_history ON order_id = orders.id
    WHERE orders.id > $1 AND to_status = 'DELIVERED'
"""
_UNSENT: Final = "SELECT count(*) FROM outbox WHERE sent_at IS NULL"


def from_now_on() -> UUID:
    """Smaller than the id of every order that is placed later."""
    return first_uuid7_at(datetime.now(UTC))


Prepare = Callable[[str, str], Awaitable[None]]
"""Makes the tables of a service in its database."""


@asynccontextmanager
async def of_module(name: str, module: str, prepare: Prepare, machine: Machine) -> AsyncIterator[Contestant]:
    """A contestant that is a module with a process per service; Product first, as others call it."""
    async with AsyncExitStack() as stack:
        vhost = stack.enter_context(machine.vhost())
        databases = {
            service: await stack.enter_async_context(machine.database(f"{name}_{service}")) for service in SERVICES
        }
        for service in SERVICES:
            await prepare(service, databases[service])
        await wares.fill(databases["product"])
        ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        product = f"http://127.0.0.1:{ports['product']}"
        pids = {}
        for service in SERVICES:
            command = [sys.executable, "-m", module, service, str(ports[service])]
            log = machine.folder / f"{name}-{service}.log"
            given = [databases[service], vhost, product]
            pids[service] = await stack.enter_async_context(_process([*command, *given], ports[service], log))
        yield Contestant(name, f"http://127.0.0.1:{ports['sales']}", databases, vhost, pids)


@asynccontextmanager
async def _process(command: Sequence[str], port: int, log: Path) -> AsyncIterator[int]:
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 (it is started once)
            command, env=os.environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        await until(lambda: process.poll() is not None or _listens(port), 60)
        if process.poll() is not None:
            raise _Ended(command, log)
        yield process.pid
        if process.poll() is not None:
            raise _Ended(command, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _Ended(Exception):
    def __init__(self, command: Sequence[str], log: Path) -> None:
        super().__init__(f"{' '.join(command[1:5])} has ended:\n{log.read_text()[-2000:]}")


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
