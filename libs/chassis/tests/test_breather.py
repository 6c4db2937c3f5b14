"""Who waits for an answer goes first; what can wait gives way, and is not forgotten."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from chassis.breather import LONGEST_BREATHER, breather, portion, requests
from chassis.broker import Message, RabbitBroker
from chassis.edge import install
from chassis.telemetry import Telemetry
from libs.chassis.tests.broker.factories import (
    asking,
    messages,
    subscription,
    until,
    until_confirmed,
    until_it_holds,
)
from libs.chassis.tests.factories import waiting_for_answers

LONGEST = LONGEST_BREATHER.total_seconds()


async def test_it_grows_with_the_work_and_is_never_longer_than_is_bearable() -> None:
    now = asyncio.get_running_loop().time()

    assert 0 <= breather(since=now, longest=timedelta(hours=1)) < 10
    assert 15 <= breather(since=now - 30, longest=timedelta(hours=1)) < 20
    assert breather(since=now - 60) == LONGEST / 4


async def test_there_is_none_where_more_is_waiting() -> None:
    now = asyncio.get_running_loop().time()

    assert breather(since=now - 60, was_full=True) == 0


async def test_after_several_there_is_a_least_unless_more_is_waiting() -> None:
    now = asyncio.get_running_loop().time()
    least = timedelta(seconds=1)

    assert breather(since=now, done=3, least=least) == 1
    assert breather(since=now - 60, done=3, least=timedelta(milliseconds=1)) == LONGEST / 4
    assert breather(since=now, done=3, least=least, was_full=True) < 1


@pytest.mark.parametrize("done", [1, 2])
async def test_what_came_by_itself_makes_the_next_no_later(done: int) -> None:
    assert breather(since=asyncio.get_running_loop().time(), done=done, least=timedelta(seconds=1)) < 1


@pytest.mark.parametrize(("crowd", "times"), [(1, 0), (16, 0), (32, 1), (64, 3), (80, 7), (112, 15), (1000, 15)])
async def test_a_crowd_that_waits_for_answers_makes_it_longer(crowd: int, times: int) -> None:
    now = asyncio.get_running_loop().time()

    with waiting_for_answers(crowd):
        assert breather(since=now - 60) == (0.25 + times) * LONGEST
        assert breather(since=now - 60, was_full=True) == times * LONGEST

    assert breather(since=now - 60) == LONGEST / 4


@pytest.mark.parametrize(("crowd", "most"), [(0, 200), (63, 200), (64, 25), (1000, 25)])
def test_in_a_rush_less_is_done_at_once(crowd: int, most: int) -> None:
    with waiting_for_answers(crowd):
        assert portion(200) == most
        assert portion(2) == 2

    assert portion(200) == 200


async def test_every_request_counts_until_it_is_answered_or_has_failed() -> None:
    may_go = asyncio.Event()
    app, router = FastAPI(), APIRouter()

    @router.get("/slow")
    async def slow() -> None:
        await may_go.wait()
        raise RuntimeError("broken")

    install(app, telemetry=Telemetry("test"))
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        asked = [asyncio.create_task(client.get("/slow")) for _ in range(48)]
        await until(lambda: requests.crowd == 2)
        may_go.set()
        answers = await asyncio.gather(*asked)

    assert {answer.status_code for answer in answers} == {500}
    with waiting_for_answers(32):
        assert requests.crowd == 1


async def test_where_nobody_waits_for_what_is_heard_it_is_heard_in_fewer_batches(rabbitmq_url: str) -> None:
    batches = list[list[str]]()
    may_go = asyncio.Event()
    may_go.set()

    async def hear(batch: Sequence[Message]) -> None:
        batches.append([each.id for each in batch])
        await may_go.wait()

    first, by_itself, *more = messages(9)
    broker = RabbitBroker(rabbitmq_url)
    try:
        await broker.subscribe(subscription(batch=4, rest=timedelta(seconds=3)), hear)
        # Until one has gone well it gets no second one.
        await until_confirmed(broker, [first])
        await until(lambda: len(batches) == 1)
        may_go.clear()
        await until_confirmed(broker, [by_itself])
        await until(lambda: len(batches) == 2)
        await until_confirmed(broker, more[:3])
        async with asking(rabbitmq_url) as channel:
            await until_it_holds(await channel.declare_queue("delivery.inbox.v1", passive=True), 0)
        # They have left the broker, and are on their way to us.
        await asyncio.sleep(1)
        may_go.set()
        await until(lambda: len(batches) == 3)
        await until_confirmed(broker, more[3:4])
        await until_confirmed(broker, more[4:])
        await until(lambda: sum(map(len, batches)) == 9)
    finally:
        await broker.close()

    assert [len(batch) for batch in batches] == [1, 1, 3, 4]


async def test_what_is_heard_gives_way_to_a_crowd_even_after_a_full_batch(rabbitmq_url: str) -> None:
    now = asyncio.get_running_loop().time
    batches = list[tuple[int, float, float]]()

    async def hear(batch: Sequence[Message]) -> None:
        began = now()
        await asyncio.sleep(0.02)
        batches.append((len(batch), began, now()))

    broker = RabbitBroker(rabbitmq_url)
    try:
        await broker.subscribe(subscription(batch=2), hear)
        with waiting_for_answers(112):
            await until_confirmed(broker, messages(9))
            await until(lambda: sum(size for size, *_ in batches) == 9)
    finally:
        await broker.close()

    rests = [began - ended for (size, _, ended), (_, began, _) in pairwise(batches) if size == 2]
    assert len(rests) >= 3
    assert min(rests) >= 15 * 2 * 0.02
