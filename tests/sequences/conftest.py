"""The whole platform in this process, on each of the two brokers, and the people who walk the sequences in it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from chassis.steps import record
from sequences.reading import read as read_designs
from sequences.walking import FOLDER
from tests.harness.fixtures import FreshDatabase
from tests.harness.in_process import broker_at, in_process

from . import seen
from .cast import Cast
from .seen import Overheard, Walk

_IN_PROCESS: Final = "in process"
_KEPT: Final = FOLDER / "seen" / "exchanges.json"
_OVERHEARD: Final = pytest.StashKey[Overheard]()
_SAID: Final = pytest.StashKey[dict[Walk, dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-said", action="store_true", help=f"write what is said on the walks into {_KEPT}")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--keep-said", default=False) and config.getoption("numprocesses", default=None):
        raise pytest.UsageError("One process keeps what is said on the walks: several would overwrite each other's.")


@pytest.fixture(params=[_IN_PROCESS, pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
async def cast(request: pytest.FixtureRequest, fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Cast]:
    overheard = request.node.stash.setdefault(_OVERHEARD, Overheard())
    broker = overheard if request.param == _IN_PROCESS else broker_at(request.getfixturevalue("rabbitmq_url"))
    async with (
        in_process(fresh_database, broker, tmp_path / "mail") as platform,
        aiohttp.ClientSession() as client,
    ):
        yield Cast(platform, client)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Iterator[None]:
    """What is said on a walk is kept, or held to what is kept; once is enough, so on the one broker only."""
    walks = list(_walks(item))
    if not walks:
        return (yield)
    with record() as recording:
        result = yield
    designs, kept = read_designs(item.config.rootpath / FOLDER), seen.read(item.config.rootpath / _KEPT)
    cast: Any = item.funcargs["cast"]
    exchanges, messages = cast.platform.exchanges, item.stash[_OVERHEARD].messages
    for walk in walks:
        said = seen.said_on(walk, designs, recording, exchanges, messages)
        if not item.config.getoption("--keep-said", default=False):
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
