"""The private PostgreSQL and RabbitMQ that all contestants share, what they do and cost, and what runs them."""

import os
import platform
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil

from tests.harness import postgres, rabbitmq
from tests.harness.postgres import PostgresServer
from tests.harness.rabbitmq import RabbitMQ

# A checkpoint in the midst of somebody's round would be taken for their slowness.
_SETTINGS: Final = {"max_wal_size": "16GB", "min_wal_size": "8GB", "checkpoint_timeout": "1h"}
_LOG_FILES: Final = 128
_NEXT_LOG_FILE: Final = ("SELECT pg_logical_emit_message(true, 'bench', 'next')", "SELECT pg_switch_wal()")
WATCHING: Final = "bench"
_PACKAGES: Final = ("fastapi", "uvicorn", "uvloop", "sqlalchemy", "asyncpg", "aio-pika", "aiohttp", "pydantic")


@dataclass(frozen=True)
class Machine:
    postgres: PostgresServer
    rabbitmq: RabbitMQ
    folder: Path

    def vhost(self) -> AbstractContextManager[str]:
        return self.rabbitmq.vhost()

    def queues(self, vhost: str) -> list[str]:
        return self.rabbitmq.queues(vhost)

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[str]:
        """A new, empty one."""
        async with self.postgres.database(f"bench_{name}_{secrets.token_hex(2)}") as url:
            yield plain(url)

    async def execute(self, *statements: str) -> None:
        async with asked(self.postgres.url("postgres")) as connection:
            for statement in statements:
                await connection.execute(statement)

    async def value(self, statement: str, *parameters: Any) -> Any:
        async with asked(self.postgres.url("postgres")) as connection:
            return await connection.fetchval(statement, *parameters)

    async def settle(self) -> None:
        settings = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in _SETTINGS.items()]
        await self.execute(*settings, "SELECT pg_reload_conf()")
        # Where a server has run for a while there are some to use again; to make one takes the time of many commits.
        await self.execute(*_LOG_FILES * _NEXT_LOG_FILE, "CHECKPOINT")

    async def delay_commits(self, microseconds: int) -> None:
        """Each flush of the log waits so long before, as on a disk that is slower by it; for all, from now on."""
        await self.execute(
            "ALTER SYSTEM SET commit_siblings = 0",
            f"ALTER SYSTEM SET commit_delay = {microseconds}",
            "SELECT pg_reload_conf()",
        )

    async def server_pid(self) -> int:
        async with asked(self.postgres.url("postgres")) as connection:
            backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
            return int(backend.ppid())

    def broker_pid(self) -> int | None:
        """None where it is not ours, as in a container."""
        port = self.rabbitmq.url.rpartition(":")[2]
        for process in psutil.process_iter(["name", "environ"]):
            environment = process.info["environ"] or {}
            if process.info["name"].startswith("beam") and environment.get("RABBITMQ_NODE_PORT") == port:
                return int(process.pid)
        return None

    async def described(self) -> dict[str, str]:
        return {
            "processor": f"{_processor()}, {os.cpu_count()} cores",
            "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
            "system": f"{platform.system()} {platform.release()}",
            "Python": platform.python_version(),
            "PostgreSQL": str(await self.value("SHOW server_version")),
            "RabbitMQ": self.rabbitmq.overview()["rabbitmq_version"],
            **{package: version(package) for package in _PACKAGES},
        }


@contextmanager
def provided(folder: Path) -> Iterator[Machine]:
    # Whoever ends us ends in good order what we have started, which would outlive us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        server = stack.enter_context(postgres.provided(durable=True))
        yield Machine(server, stack.enter_context(rabbitmq.provided()), folder)


@asynccontextmanager
async def asked(url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A connection of those who measure, known by its name."""
    connection = await asyncpg.connect(plain(url), server_settings={"application_name": WATCHING})
    try:
        yield connection
    finally:
        await connection.close()


def plain(url: str) -> str:
    """As asyncpg takes it."""
    return url.replace("+asyncpg", "")


def _processor() -> str:
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []
