"""A plugin of pytest: what is said on a walk is held to what is kept of it, or is kept anew (`--keep-said`)."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from chassis.steps import record
from sequences.reading import read as read_designs
from sequences.walking import FOLDER

from . import seen
from .seen import Walk

_IN_PROCESS: Final = "in process"
_KEPT: Final = FOLDER / "seen" / "exchanges.json"
_SAID: Final = pytest.StashKey[dict[Walk, dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-said", action="store_true", help=f"write what is said on the walks into {_KEPT}")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--keep-said") and config.getoption("numprocesses", default=None):
        raise pytest.UsageError("One process keeps what is said on the walks: several would overwrite each other's.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Once is enough, so on the broker in the process only."""
    walks = list(_walks(item))
    if not walks or not isinstance(item, pytest.Function):
        return (yield)
    with record() as recording:
        result = yield
    designs, kept = read_designs(item.config.rootpath / FOLDER), seen.read(item.config.rootpath / _KEPT)
    cast: Any = item.funcargs["cast"]
    for walk in walks:
        said = seen.said_on(walk, designs, recording, cast.platform.exchanges, cast.platform.sent)
        if not item.config.getoption("--keep-said"):
            seen.hold_to(kept, walk, said)
        elif said is not None:
            item.session.stash.setdefault(_SAID, {})[walk] = said
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    if said := session.stash.get(_SAID, {}):
        root = session.config.rootpath
        seen.keep(root / _KEPT, read_designs(root / FOLDER), said)


def _walks(item: pytest.Item) -> Iterator[Walk]:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if parameters.get("cast") == _IN_PROCESS:
        for mark in item.iter_markers("sequence"):
            yield Walk(mark.args[0], mark.kwargs.get("exception") or "", item.name)
