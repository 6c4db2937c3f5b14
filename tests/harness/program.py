"""Runs `orderflow` as a process of its own that starts in a moment, as it is forked from one that has imported it all.

Importing is most of what a service does when it starts; whether the command itself works is tested by its own tests.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import ClassVar, Protocol

from orderflow import fleet

_READY = multiprocessing.get_context("forkserver")
_READY.set_forkserver_preload(["orderflow.serve", *(f"{service}.app" for service in fleet.NAMES), __name__])


class Process(Protocol):
    """As subprocess.Popen, as far as that is needed here."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Program:
    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
        self._process = _READY.Process(target=_run, args=(arguments, dict(environment), output), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class Command:
    """The same as whoever installs it starts it: for who measures it, as a fork shares its memory with others."""

    program: ClassVar[Sequence[str]] = [str(Path(sys.executable).parent / "orderflow")]

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
        with output.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.program, *arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def _run(arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
    # Ctrl-C is for pytest, which then ends us; killed, it cannot.
    os.setsid()
    Thread(target=_end_with_the_tests, daemon=True).start()
    with Path(os.devnull).open() as nothing, output.open("ab") as log:
        for number, file in enumerate((nothing, log, log)):
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["orderflow", *arguments]
    from orderflow.main import app

    app()


def _end_with_the_tests() -> None:
    if tests := multiprocessing.parent_process():
        tests.join()
    os.kill(os.getpid(), signal.SIGKILL)
