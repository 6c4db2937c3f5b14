"""The whole platform in one process, as `make run` starts it."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .platform import LINKS, ORDERFLOW, until
from .ports import free_range

START_WITHIN = 60.0
# A database that writes what it has to a slow disk has a minute.
_STOP_WITHIN = 90.0


@dataclass
class Embedded:
    process: subprocess.Popen[bytes]
    connection: dict[str, Any]
    output: Path

    def url(self, service: str) -> str:
        return str(self.connection["urls"][service])

    def token(self, role: str) -> str:
        return str(self.connection["tokens"][role])

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, _STOP_WITHIN)


@asynccontextmanager
async def embedded(folder: Path, *options: str) -> AsyncIterator[Embedded]:
    data, output = folder / "data", folder / "up.log"
    environment = {name: value for name, value in os.environ.items() if name != "RABBITMQ_URL"}
    written = data / "connection.json"
    # A run that was killed could not remove it.
    written.unlink(missing_ok=True)
    with output.open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 (it takes a moment once, at the start of a test)
            [ORDERFLOW, "up", "--port-base", str(port_base()), "--data", str(data), *options],
            env={"DELIVERY_CARRIERS__LINKS": LINKS, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        await until(lambda: process.poll() is not None or _has_said_what_to_try(output), START_WITHIN)
        assert process.poll() is None, output.read_text()
        yield Embedded(process, json.loads(written.read_text()), output)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, _STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()


def _has_said_what_to_try(output: Path) -> bool:
    """The last thing that it does: the connection is written before."""
    return "Try this in a second terminal:" in output.read_text()


def port_base() -> int:
    """The ports after it are free."""
    return free_range(6)[0]
