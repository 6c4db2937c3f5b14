"""Who would only wait at the next coalescer gathers before this one: until it is free there, and never for long."""

import asyncio

import pytest

from chassis import coalescer
from chassis.coalescer import Coalescer
from libs.chassis.tests.doubling import Doubling, turns


async def test_who_would_only_wait_ahead_gathers_until_those_before_are_through() -> None:
    further, here = Doubling(), Doubling()
    further.gate.clear()
    ahead = Coalescer(further)
    double = Coalescer(here, ahead=ahead)
    before = asyncio.ensure_future(ahead(0))
    await turns(3)
    asked = []
    for item in range(1, 4):
        asked.append(asyncio.ensure_future(double(item)))
        await turns(5)
    assert here.batches == []

    further.gate.set()

    assert await asyncio.gather(before, *asked) == [0, 2, 4, 6]
    assert here.batches == [[1, 2, 3]]


async def test_who_waits_ahead_already_is_served_before_those_who_are_held_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coalescer, "_LONGEST_HELD_BACK", 60)
    doubling = Doubling()
    doubling.gate.clear()
    ahead = Coalescer(doubling, limit=1)
    double = Coalescer(doubling, ahead=ahead)
    asked = [asyncio.ensure_future(ahead(item)) for item in (10, 11)]
    await turns(3)
    asked.append(asyncio.ensure_future(double(1)))
    await turns(3)

    doubling.gate.set()

    assert await asyncio.wait_for(asyncio.gather(*asked), 5) == [20, 22, 2]
    assert doubling.batches == [[10], [11], [1]]


async def test_nobody_is_held_back_for_longer_than_a_moment() -> None:
    further = Doubling()
    further.gate.clear()
    ahead = Coalescer(further)
    stuck = asyncio.ensure_future(ahead(0))
    await turns(3)

    async with asyncio.timeout(5):
        assert await Coalescer(Doubling(), ahead=ahead)(21) == 42

    further.gate.set()
    await stuck


async def test_closing_holds_nobody_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalescer, "_LONGEST_HELD_BACK", 60)
    further = Doubling()
    further.gate.clear()
    ahead = Coalescer(further)
    stuck = asyncio.ensure_future(ahead(0))
    double = Coalescer(Doubling(), limit=2, ahead=ahead)
    asked = [asyncio.ensure_future(double(item)) for item in range(5)]
    await turns(3)

    await asyncio.wait_for(double.close(), 5)

    assert [each.result() for each in asked] == [0, 2, 4, 6, 8]
    further.gate.set()
    await stuck
