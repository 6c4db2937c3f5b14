"""Calls that wait become one batch: what of it fails, fails alone, and each call hears of its own."""

import asyncio
from collections.abc import Sequence

import pytest

from chassis import tracing
from chassis.errors import Away, Unavailable
from product.inventory.lane import Lane

Answers = Sequence[str | Exception]


class Counter:
    """Where numbers are handed in; it stays at the first batch until it is told to go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.asked_by: list[list[str]] = []
        self.traces: list[tuple[str, ...]] = []
        self.breaks_at: dict[int, Exception] = {}
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def run(self, items: Sequence[int], by: Sequence[str]) -> Answers:
        self.batches.append(list(items))
        self.asked_by.append(list(by))
        self.traces.append(tracing.traceparents())
        self.begun.set()
        await self.goes_on.wait()
        for item in items:
            if item in self.breaks_at:
                raise self.breaks_at[item]
        return [KeyError(item) if item < 0 else str(item) for item in items]


@pytest.fixture
async def counter() -> Counter:
    return Counter()


@pytest.fixture
async def lane(counter: Counter) -> Lane[int, str]:
    return Lane(counter.run)


async def _all_at_once(
    lane: Lane[int, str], counter: Counter, *calls: Sequence[int]
) -> list[list[str] | BaseException]:
    """While somebody is served already."""
    first = asyncio.create_task(lane([0], "first"))
    await counter.begun.wait()
    waiting = [asyncio.create_task(lane(call, f"caller {number}")) for number, call in enumerate(calls)]
    await asyncio.sleep(0)
    counter.goes_on.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_calls_that_wait_are_one_batch_and_each_gets_its_own(lane: Lane[int, str], counter: Counter) -> None:
    answers = await _all_at_once(lane, counter, [1, 2], [3], [4, 5])

    assert answers == [["1", "2"], ["3"], ["4", "5"]]
    assert counter.batches == [[0], [1, 2, 3, 4, 5]]
    assert counter.asked_by[1] == ["caller 0", "caller 0", "caller 1", "caller 2", "caller 2"]


async def test_each_item_belongs_to_the_trace_of_who_asked_for_it(lane: Lane[int, str], counter: Counter) -> None:
    counter.goes_on.set()
    one, each = tracing.new_traceparent(), [tracing.new_traceparent() for _ in range(2)]

    with tracing.working_for([one]):
        alone = lane([1, 2], "a")
        together = asyncio.create_task(alone)
        await asyncio.sleep(0)
    with tracing.working_for(each):
        await asyncio.gather(together, lane([3, 4], "b"))

    assert [trace for batch in counter.traces for trace in batch] == [one, one, *each]


async def test_an_answer_that_is_an_error_is_its_call_s_alone(lane: Lane[int, str], counter: Counter) -> None:
    first, second = await _all_at_once(lane, counter, [1, -2, 3], [4])

    assert isinstance(first, KeyError)
    assert second == ["4"]
    assert counter.batches == [[0], [1, -2, 3, 4]]


@pytest.mark.parametrize("failure", [ValueError("bad"), Unavailable("Too many want the same.")])
async def test_of_a_call_with_one_bad_item_the_others_are_carried_through(
    lane: Lane[int, str], counter: Counter, failure: Exception
) -> None:
    counter.breaks_at[2] = failure

    bad, good = await _all_at_once(lane, counter, [1, 2, 3], [4])

    assert bad is failure
    assert good == ["4"]
    assert counter.batches == [[0], [1, 2, 3, 4], [1, 2, 3], [4], [1], [2], [3]]


async def test_what_is_away_for_all_is_not_tried_for_each(lane: Lane[int, str], counter: Counter) -> None:
    counter.breaks_at[2] = Away("It does not answer.")

    answers = await _all_at_once(lane, counter, [1, 2, 3], [4])

    assert [type(answer) for answer in answers] == [Away, Away]
    assert counter.batches == [[0], [1, 2, 3, 4]]


async def test_a_lane_that_closes_answers_what_it_has_taken(lane: Lane[int, str], counter: Counter) -> None:
    asked = asyncio.create_task(lane([1, 2], "a"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(lane.close())
    counter.goes_on.set()

    assert await asked == ["1", "2"]
    await closing
    with pytest.raises(Unavailable):
        await lane([3], "b")
