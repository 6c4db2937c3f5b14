"""Callers never see that their work was done together: each gets its own answer, whatever happens to the others."""

import asyncio
import gc
from collections.abc import Sequence
from contextvars import ContextVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import tracing
from chassis.coalescer import Coalescer
from chassis.errors import Away, Conflict, Overloaded, Unavailable
from libs.chassis.tests.doubling import Doubling, turns


async def test_what_arrives_in_one_turn_goes_together() -> None:
    doubling = Doubling()
    double = Coalescer(doubling)

    answers = await asyncio.gather(*map(double, range(10)))

    assert answers == [item * 2 for item in range(10)]
    assert doubling.batches == [list(range(10))]


async def test_when_something_needed_is_away_all_hear_it_at_once_instead_of_waiting_for_it_one_by_one() -> None:
    batches = []

    async def ask(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        raise Away("It is away.", [{"field": "it"}], retry_after=7)

    asker = Coalescer(ask)

    answers = await asyncio.gather(*map(asker, range(10)), return_exceptions=True)

    assert batches == [list(range(10))]
    assert len({id(answer) for answer in answers}) == 10
    for answer in answers:
        assert isinstance(answer, Away)
        assert (answer.message, answer.details, answer.retry_after) == ("It is away.", ({"field": "it"},), 7)


async def test_while_a_batch_runs_the_next_one_gathers() -> None:
    doubling = Doubling()
    doubling.gate.clear()
    double = Coalescer(doubling, limit=3)
    asked = [asyncio.ensure_future(double(0))]
    await turns(3)

    asked += [asyncio.ensure_future(double(item)) for item in range(1, 6)]
    await turns(3)
    doubling.gate.set()

    assert await asyncio.gather(*asked) == [0, 2, 4, 6, 8, 10]
    assert doubling.batches == [[0], [1, 2, 3], [4, 5]]
    assert doubling.most_running == 1


async def test_a_lone_caller_does_not_wait_for_company() -> None:
    double = Coalescer(Doubling())

    async with asyncio.timeout(0.5):
        assert await double(21) == 42


async def test_each_caller_gets_the_refusal_of_its_own_item() -> None:
    double = Coalescer(Doubling(refused=frozenset({2})))

    answers = await asyncio.gather(*map(double, range(4)), return_exceptions=True)

    assert [answers[0], answers[1], answers[3]] == [0, 2, 6]
    assert isinstance(answers[2], Conflict)


async def test_in_a_batch_that_fails_only_the_bad_item_fails() -> None:
    doubling = Doubling(spoiled=frozenset({1}))
    double = Coalescer(doubling)

    answers = await asyncio.gather(*map(double, range(3)), return_exceptions=True)

    assert [answers[0], answers[2]] == [0, 4]
    assert isinstance(answers[1], ZeroDivisionError)
    assert doubling.batches == [[0, 1, 2], [0], [1], [2]]


async def test_a_batch_of_one_that_fails_is_not_tried_again() -> None:
    doubling = Doubling(spoiled=frozenset({1}))

    with pytest.raises(ZeroDivisionError):
        await Coalescer(doubling)(1)

    assert doubling.batches == [[1]]


async def test_answers_that_are_too_few_go_to_nobody() -> None:
    async def forgetful(items: Sequence[int]) -> list[int | Exception]:
        return list(items[1:])

    answers = await asyncio.gather(*map(Coalescer(forgetful), range(3)), return_exceptions=True)

    assert all(isinstance(answer, RuntimeError) for answer in answers)


async def test_a_caller_that_leaves_cancels_neither_the_batch_nor_the_others() -> None:
    doubling = Doubling()
    doubling.gate.clear()
    double = Coalescer(doubling)
    leaving, staying = asyncio.ensure_future(double(1)), asyncio.ensure_future(double(2))
    await turns(3)

    leaving.cancel()
    await turns(3)
    doubling.gate.set()

    assert await staying == 4
    assert leaving.cancelled()
    assert doubling.batches == [[1, 2]]


async def test_nothing_is_done_for_a_caller_that_left_before_its_turn() -> None:
    doubling = Doubling()
    doubling.gate.clear()
    double = Coalescer(doubling)
    first, second = asyncio.ensure_future(double(1)), asyncio.ensure_future(double(2))
    await turns(1)
    late = asyncio.ensure_future(double(3))
    await turns(3)

    late.cancel()
    await turns(1)
    doubling.gate.set()

    assert [await first, await second] == [2, 4]
    await double.close()
    assert doubling.batches == [[1, 2]]


async def test_a_caller_cancelled_in_the_turn_of_its_failure_leaves_no_unretrieved_exception() -> None:
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    asked: list[asyncio.Future[int]] = []

    async def fail(items: Sequence[int]) -> list[int | Exception]:
        loop.call_soon(asked.pop().cancel)  # comes after the failure is known, and before its caller wakes up
        raise ZeroDivisionError

    leaving = asyncio.ensure_future(Coalescer(fail)(1))
    asked.append(leaving)
    await asyncio.wait([leaving])

    assert leaving.cancelled()
    del leaving
    gc.collect()
    assert complaints == []


async def test_too_many_waiting_callers_are_sent_away_at_once() -> None:
    doubling = Doubling()
    doubling.gate.clear()
    double = Coalescer(doubling, limit=1, pending_limit=2)
    asked = [asyncio.ensure_future(double(1))]
    await turns(3)
    asked += [asyncio.ensure_future(double(item)) for item in (2, 3)]
    await turns(1)

    with pytest.raises(Overloaded) as refused:
        await double(4)

    doubling.gate.set()
    assert refused.value.code == "OVERLOADED"
    assert await asyncio.gather(*asked) == [2, 4, 6]


async def test_a_batch_that_is_cancelled_leaves_nobody_waiting() -> None:
    async def cancelled(_: Sequence[int]) -> list[int | Exception]:
        raise asyncio.CancelledError

    double = Coalescer(cancelled)

    for _ in range(2):
        with pytest.raises(Unavailable):
            await double(1)


async def test_closing_waits_for_what_was_taken_and_takes_no_more() -> None:
    double = Coalescer(Doubling(), limit=2)
    asked = [asyncio.ensure_future(double(item)) for item in range(5)]
    await turns(1)

    await double.close()

    assert [each.result() for each in asked] == [0, 2, 4, 6, 8]
    with pytest.raises(Unavailable):
        await double(6)


async def test_a_batch_sees_the_traces_of_all_its_callers_and_nothing_else_of_any() -> None:
    private: ContextVar[str] = ContextVar("private", default="nobody's")
    seen: list[tuple[str, tuple[str, ...], str]] = []

    async def look(items: Sequence[int]) -> list[int | Exception]:
        seen.append((private.get(), tracing.traceparents(), tracing.current_trace_id()))
        return list(items)

    looking = Coalescer(look)
    parents = [tracing.new_traceparent() for _ in range(3)]

    async def call(item: int) -> int:
        private.set(str(item))
        with tracing.continue_trace(parents[item]):
            return await looking(item)

    await asyncio.gather(*map(call, range(3)))

    assert seen == [("nobody's", tuple(parents), parents[0][3:35])]


async def test_items_tried_alone_belong_to_their_own_callers_only() -> None:
    seen: list[tuple[str, ...]] = []

    async def look(items: Sequence[str]) -> list[str | Exception]:
        seen.append(tracing.traceparents())
        if len(items) > 1:
            raise ZeroDivisionError
        return list(items)

    looking = Coalescer(look)
    parents = [tracing.new_traceparent() for _ in range(2)]

    async def call(parent: str) -> str:
        with tracing.continue_trace(parent):
            return await looking(parent)

    await asyncio.gather(*map(call, parents))

    assert seen == [tuple(parents), (parents[0],), (parents[1],)]


@given(
    bursts=st.lists(st.lists(st.integers(0, 99), max_size=12), max_size=6),
    spoiled=st.frozensets(st.integers(0, 99), max_size=20),
    refused=st.frozensets(st.integers(0, 99), max_size=20),
    leaving=st.frozensets(st.integers(0, 71), max_size=10),
    limit=st.integers(1, 8),
    goes_on=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_everyone_who_stays_gets_exactly_their_own_answer(
    bursts: list[list[int]],
    spoiled: frozenset[int],
    refused: frozenset[int],
    leaving: frozenset[int],
    limit: int,
    goes_on: bool,
) -> None:
    async def run() -> None:
        doubling, ahead = Doubling(spoiled=spoiled, refused=refused), Coalescer(Doubling(), limit=limit)
        first = Coalescer(doubling, limit=limit, ahead=ahead if goes_on else None)

        async def double(item: int) -> int:
            doubled = await first(item)
            return await ahead(item) if goes_on else doubled

        asked: list[tuple[int, asyncio.Future[int]]] = []
        for burst in bursts:
            asked += [(item, asyncio.ensure_future(double(item))) for item in burst]
            await asyncio.sleep(0)
        for place in leaving & set(range(len(asked))):
            asked[place][1].cancel()
        await first.close()
        await asyncio.gather(*(task for _, task in asked), return_exceptions=True)

        for item, task in asked:
            if task.cancelled():
                continue
            expected = ZeroDivisionError if item in spoiled else Conflict if item in refused else None
            assert type(task.exception()) is (expected or type(None))
            assert expected or task.result() == item * 2
        assert doubling.most_running <= 1
        assert all(len(batch) <= limit for batch in doubling.batches)

    asyncio.run(run())
