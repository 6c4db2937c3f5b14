"""Several processes that run the tests between them (`pytest -n auto`): who gets what, and how all of them end."""

import os
import signal
from contextlib import suppress
from typing import Any

import psutil
import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]
from xdist.workermanage import NodeManager  # type: ignore[import-untyped]

from . import postgres

# Most tests wait more than they compute.
PER_CORE, AT_MOST = 2, 8
# One worker gets all of these: what they share takes long to set up.
TOGETHER = ("cli/tests/test_check", "tests/e2e/")
# These take longest: begun last, they would leave all other workers without work.
FIRST = ("tests/", "cli/tests/test_check", "services/sales/tests/test_openapi")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return min(PER_CORE * (os.cpu_count() or 1), AT_MOST)


def pytest_configure(config: pytest.Config) -> None:
    # A CI that gives up sends SIGTERM, and where it runs us in the background SIGINT is ignored:
    # servers are to be taken down then as on Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Worker())
    elif config.getoption("tx", None):
        config.pluginmanager.register(Controller())


class Controller:
    """In the process that gives all tests away."""

    def __init__(self) -> None:
        # As long as execnet waits in the worker; killed before, it would leave its servers behind.
        NodeManager.EXIT_TIMEOUT = 20

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> "ByFile":
        return ByFile(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self) -> None:
        postgres.prepare()

    def pytest_keyboard_interrupt(self) -> None:
        for worker in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):
                worker.send_signal(signal.SIGINT)


class Worker:
    """Ends by the controller's word alone, and that once: a second signal would cut the taking down short."""

    def __init__(self) -> None:
        os.setpgrp()
        signal.signal(signal.SIGTERM, _deaf)

    def pytest_keyboard_interrupt(self) -> None:
        signal.signal(signal.SIGINT, _deaf)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """In the same order everywhere, also where the parameters of a test come from a set."""
        items.sort(key=lambda item: (not item.nodeid.startswith(FIRST), item.path, item.location[1] or 0, item.nodeid))


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests stay together and in order, as all that they share is set up in each process anew."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        # Files in the order of their number of tests, which says little about their time.
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        path: str = super()._split_scope(nodeid)
        return next((together for together in TOGETHER if path.startswith(together)), path)


def _deaf(*_: object) -> None:
    """Not SIG_IGN, which the programs that tests start would inherit."""
