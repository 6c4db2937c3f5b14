"""A PostgreSQL of our own, started as our child and stopped with us. What is in it is the services' affair."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy import URL

from .cluster import OWNER, find_cluster, last_words
from .failure import Failure, in_short

# A socket's path has room for 107 bytes, less on other systems than Linux.
_LONGEST_FOLDER: Final = 80
_STARTS_WITHIN: Final = 60.0
_DIE_WITH_PARENT: Final = 1
# Fast, then at once, then by force; after the last two the next start has to recover. At the first everything is
# written to the disk, some hundred files after a busy day: on a slow one that takes a while.
_ENDS_BY: Final = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0))


@asynccontextmanager
async def own_postgres(folder: Path, log: Path, databases: Sequence[str]) -> AsyncIterator[URL]:
    """The server's URL while it runs; where it is new it has these databases."""
    with tempfile.TemporaryDirectory(prefix="orderflow-") as spare:
        sockets = folder if len(os.fsencode(folder)) <= _LONGEST_FOLDER else Path(spare)
        server = _start(folder, sockets, log, databases)
        try:
            await _ready(server, folder, log)
            yield URL.create("postgresql", OWNER, query={"host": str(sockets)})
        finally:
            if server.poll() is None:
                await asyncio.to_thread(_stop, psutil.Process(server.pid))
                server.poll()


def _start(folder: Path, sockets: Path, log: Path, databases: Sequence[str]) -> "subprocess.Popen[bytes]":
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": '"{}"'.format(str(sockets).replace('"', '""')),
        "unix_socket_permissions": "0700",
        "log_min_messages": "warning",
        "jit": "off",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    try:
        cluster = find_cluster(folder)
        if cluster.exists:
            _end_leftover(folder)
        else:
            cluster.make(databases)
        if sockets != folder:
            cluster.give(sockets)
        with log.open("wb") as output:
            first = _die_with_parent if sys.platform == "linux" else None
            return cluster.start(["postgres", "-D", str(folder), *options], folder, output, first=first)
    except OSError as error:
        raise Failure(f"PostgreSQL cannot be started in {folder}: {in_short(error)}.") from error


def _die_with_parent() -> None:
    """Killed by force we cannot stop it; the system does."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGINT)


def _end_leftover(folder: Path) -> None:
    """The caller holds the lock on all this: a server that still runs here belongs to a run that was killed."""
    pid_file = folder / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, psutil.Error):
        process = psutil.Process(int(pid_file.read_text().partition("\n")[0]))
        if process.name() == "postgres" and Path(process.cwd()) == folder.resolve():
            _stop(process)
    # PostgreSQL would take a zombie, or whoever has got the number meanwhile, for a server.
    pid_file.unlink(missing_ok=True)


def _stop(process: psutil.Process) -> None:
    for number, patience in _ENDS_BY:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if _has_ended(process):
                return
            time.sleep(0.02)


def _has_ended(process: psutil.Process) -> bool:
    try:
        # In a container there may be nobody who reaps what was left behind.
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def _ready(server: "subprocess.Popen[bytes]", folder: Path, log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while not _says_ready(server.pid, folder):
        if server.poll() is not None:
            raise Failure(f"PostgreSQL has ended in {folder}: {last_words(log)}.")
        if time.monotonic() > deadline:
            raise Failure(f"PostgreSQL is not ready after {_STARTS_WITHIN:.0f} seconds; {log} may say why.")
        await asyncio.sleep(0.02)


def _says_ready(pid: int, folder: Path) -> bool:
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
