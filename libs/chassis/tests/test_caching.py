"""Who has a representation already is told so and not sent it again; who has an older one gets the new one."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from chassis.caching import cacheable
from chassis.db import Database
from libs.chassis.tests.web import application, calling

router = APIRouter(prefix="/api/v1/shelf")


class ShelfView(BaseModel):
    wares: list[str]
    note: str | None = None


@router.get("")
async def show_shelf(request: Request, ware: str = "mug") -> Response:
    return cacheable(request, ShelfView(wares=[ware]), max_age=timedelta(minutes=5), exclude_none=True)


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(application(database, router)) as client:
        yield client


async def ask(client: httpx.AsyncClient, *known: str, ware: str = "mug", method: str = "GET") -> httpx.Response:
    headers = [("If-None-Match", each) for each in known]
    return await client.request(method, "/api/v1/shelf", params={"ware": ware}, headers=headers)


async def tag_of(client: httpx.AsyncClient, ware: str = "mug") -> str:
    return (await ask(client, ware=ware)).headers["etag"]


async def test_it_may_be_kept_for_as_long_as_the_route_says(client: httpx.AsyncClient) -> None:
    answer = await ask(client)

    assert (answer.status_code, answer.json()) == (200, {"wares": ["mug"]})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get_list("cache-control") == ["public, max-age=300"]
    assert answer.headers["x-trace-id"]


async def test_its_tag_is_a_strong_one_of_its_content(client: httpx.AsyncClient) -> None:
    tag = await tag_of(client)

    assert tag[0] == tag[-1] == '"'
    assert len(tag) == 34
    assert tag == await tag_of(client)
    assert tag != await tag_of(client, "jug")


@pytest.mark.parametrize(
    "known",
    [
        ["{tag}"],
        ["W/{tag}"],
        ['"older", {tag}'],
        ['"older",W/{tag} ,"oldest"'],
        ['"with, comma", {tag}'],
        ['"older"', "{tag}"],
        ["*"],
        [" * "],
    ],
)
async def test_who_has_it_is_not_sent_it_again(client: httpx.AsyncClient, known: list[str]) -> None:
    tag = await tag_of(client)

    answer = await ask(client, *(each.replace("{tag}", tag) for each in known))

    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer.headers["etag"], answer.headers["cache-control"]) == (tag, "public, max-age=300")
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("known", [[], [""], ['""'], ['"older"'], ["older"], ['"*"'], ["*, *"], ['W/"', '"' * 5000]])
async def test_who_has_something_else_is_sent_it(client: httpx.AsyncClient, known: list[str]) -> None:
    assert (await ask(client, *known)).json() == {"wares": ["mug"]}


async def test_a_tag_without_its_quotes_is_none(client: httpx.AsyncClient) -> None:
    tag = await tag_of(client)

    assert (await ask(client, tag.strip('"'))).status_code == 200


async def test_who_has_the_one_of_another_address_is_sent_this_one(client: httpx.AsyncClient) -> None:
    assert (await ask(client, await tag_of(client, "jug"))).json() == {"wares": ["mug"]}


async def test_a_head_request_is_answered_alike_without_the_body(client: httpx.AsyncClient) -> None:
    whole = await ask(client)

    head, known = await ask(client, method="HEAD"), await ask(client, whole.headers["etag"], method="HEAD")

    assert (head.status_code, head.content, known.status_code) == (200, b"", 304)
    for name in ("etag", "cache-control", "content-type", "content-length"):
        assert head.headers[name] == whole.headers[name]
