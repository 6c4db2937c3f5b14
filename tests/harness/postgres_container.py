"""PostgreSQL in a container, of the version that docker-compose.yml runs; its data is in memory and goes with it."""

import asyncio
import secrets
import time

import asyncpg
from testcontainers.core.container import DockerContainer

from .ports import free_ports

IMAGE = "postgres:17"
# Nothing in a test outlives the machine: durability would only cost time.
FAST = (
    "max_connections = 200",
    "fsync = off",
    "synchronous_commit = off",
    "full_page_writes = off",
    "wal_level = minimal",
    "max_wal_senders = 0",
    "max_wal_size = 256MB",
)
_STARTS_WITHIN = 120.0


class Container:
    def __init__(self) -> None:
        port, password = free_ports(1)[0], secrets.token_hex(8)
        settings = [part for line in FAST for part in ("-c", line.replace(" ", ""))]
        self._container = (
            DockerContainer(IMAGE)
            .with_tmpfs_mount("/var/lib/postgresql/data")
            .with_bind_ports(5432, port)
            .with_env("POSTGRES_USER", "postgres")
            .with_env("POSTGRES_PASSWORD", password)
            .with_command(["postgres", *settings])
        )
        self.url = f"postgresql://postgres:{password}@{self._container.get_docker_client().host()}:{port}/postgres"
        self._container.start()
        asyncio.run(self._ready())

    def close(self) -> None:
        self._container.stop()

    async def _ready(self) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                connection = await asyncpg.connect(self.url, timeout=5)
            except (OSError, asyncpg.PostgresError) as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self._container.get_logs()}") from error
                await asyncio.sleep(0.1)
            else:
                await connection.close()
                return
