"""Where a request comes from: the connection says it, or a proxy that is trusted, and nobody else."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import SecretStr, ValidationError

from chassis.serving import Site, serve
from chassis.settings import ServiceSettings
from tests.harness.ports import free_ports

CLIENT, PROXY = "203.0.113.9", "10.1.2.3"


@pytest.fixture(autouse=True)
def the_collector_is_as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@asynccontextmanager
async def served(*trusted: str) -> AsyncIterator[str]:
    app = FastAPI()

    @app.get("/")
    async def who(request: Request) -> str:
        return request.client.host if request.client else "nobody"

    [port] = free_ports(1)
    stop, started = asyncio.Event(), asyncio.Event()

    async def ready() -> None:
        started.set()

    site = Site(app, "127.0.0.1", port, [ip_network(each) for each in trusted])
    serving = asyncio.create_task(serve([site], stop, ready))
    await started.wait()
    yield f"http://127.0.0.1:{port}/"
    stop.set()
    await serving


async def seen(url: str, *forwarded: str) -> str:
    async with httpx.AsyncClient() as client:
        answer = await client.get(url, headers=[("X-Forwarded-For", each) for each in forwarded])
    return str(answer.json())


async def test_nobody_is_believed_who_is_not_named_not_even_on_the_same_machine() -> None:
    async with served() as url:
        assert await seen(url, CLIENT) == "127.0.0.1"


async def test_a_proxy_that_is_named_is_believed() -> None:
    async with served("127.0.0.0/8") as url:
        assert await seen(url, CLIENT) == CLIENT
        assert await seen(url) == "127.0.0.1"


async def test_another_that_is_named_makes_this_one_no_more_believable() -> None:
    async with served("10.0.0.0/8") as url:
        assert await seen(url, CLIENT) == "127.0.0.1"


async def test_what_a_client_says_of_itself_is_not_what_the_proxy_says_of_it() -> None:
    async with served("127.0.0.1", "10.0.0.0/8") as url:
        assert await seen(url, f"198.51.100.7, {CLIENT}") == CLIENT
        assert await seen(url, "198.51.100.7", CLIENT) == CLIENT
        assert await seen(url, f"198.51.100.7, {CLIENT}, {PROXY}") == CLIENT


def settings() -> ServiceSettings:
    return ServiceSettings(database_url=SecretStr("postgresql://"), trusted_keys="{}", signing_key=SecretStr("{}"))


def test_the_environment_names_them_with_commas_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,2001:db8::/32")

    assert [str(each) for each in settings().trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]


def test_there_are_none_unless_they_are_named() -> None:
    assert settings().trusted_proxies == ()


@pytest.mark.parametrize("given", ["*", "proxy", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", given)

    with pytest.raises(ValidationError):
        settings()
