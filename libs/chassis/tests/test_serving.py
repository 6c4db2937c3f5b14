"""Several applications in one process: all of them are served, or none; and together they end."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from chassis.serving import NotStarted, Site, serve
from tests.harness.ports import free_ports


@pytest.fixture(autouse=True)
def the_collector_is_as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Application:
    """Notes its beginning and its end, and fails where it is told to."""

    def __init__(self, port: int, *, fails: bool = False, seconds: float = 0) -> None:
        self.life: list[str] = []
        self.site = Site(FastAPI(lifespan=self._lifespan), "127.0.0.1", port)
        self._fails = fails
        self._seconds = seconds

        @self.site.app.get("/")
        async def answer(seconds: float = 0) -> str:
            await asyncio.sleep(seconds)
            return "here"

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        await asyncio.sleep(self._seconds)
        if self._fails:
            raise ZeroDivisionError("at the start")
        self.life.append("started")
        yield
        self.life.append("stopped")


def url(app: Application) -> str:
    return f"http://127.0.0.1:{app.site.port}/"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


async def test_all_are_served_until_it_is_over_and_what_runs_is_finished() -> None:
    apps = [Application(port) for port in free_ports(2)]
    stop, started = asyncio.Event(), asyncio.Event()

    async def when_started() -> None:
        started.set()

    serving = asyncio.create_task(serve([app.site for app in apps], stop, when_started))
    await asyncio.wait_for(started.wait(), 30)
    async with httpx.AsyncClient() as client:
        assert [(await client.get(url(app))).json() for app in apps] == ["here", "here"]
        asked = asyncio.create_task(client.get(url(apps[0]), params={"seconds": 0.5}))
        await asyncio.sleep(0.1)
        stop.set()
        assert (await asked).json() == "here"
    await asyncio.wait_for(serving, 30)

    assert [app.life for app in apps] == [["started", "stopped"]] * 2
    assert all(is_free(app.site.port) for app in apps)


async def test_a_port_that_is_taken_is_said_before_anything_starts() -> None:
    free, taken = free_ports(2)
    apps = [Application(free), Application(taken)]

    with socket.create_server(("127.0.0.1", taken)), pytest.raises(OSError, match="already in use"):
        await serve([app.site for app in apps], asyncio.Event())

    assert [app.life for app in apps] == [[], []]
    assert is_free(free)


async def test_when_one_does_not_start_the_others_end_and_it_is_said() -> None:
    good, bad = free_ports(2)
    apps = [Application(good), Application(bad, fails=True, seconds=0.2)]

    with pytest.raises(NotStarted):
        await asyncio.wait_for(serve([app.site for app in apps], asyncio.Event()), 30)

    assert apps[0].life == ["started", "stopped"]
    assert is_free(good)


async def test_being_stopped_while_starting_ends_in_good_order_and_announces_nothing() -> None:
    [port] = free_ports(1)
    app = Application(port, seconds=0.5)
    stop = asyncio.Event()

    async def never() -> None:
        raise AssertionError("it was stopped before")

    serving = asyncio.create_task(serve([app.site], stop, never))
    await asyncio.sleep(0.1)
    stop.set()
    await asyncio.wait_for(serving, 30)

    assert app.life == ["started", "stopped"]


async def test_what_fails_when_all_have_started_ends_them() -> None:
    [port] = free_ports(1)
    app = Application(port)

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(serve([app.site], asyncio.Event(), fail), 30)

    assert app.life == ["started", "stopped"]
