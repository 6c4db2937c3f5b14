"""Where calls of one kind meet: those that wait are done as one batch, and each gets the answers to its own items."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Generic, TypeVar

from chassis import tracing
from chassis.coalescer import Coalescer
from chassis.errors import Away, Overloaded

from .traces import with_traces

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Batch = Callable[[Sequence[Item], Sequence[str]], Awaitable[Sequence[Answer]]]
"""One answer, or exception, for each item, in order; with the items come the names of those who ask."""

# Calls, each of them with as many items as it may have.
_MOST_AT_ONCE: Final = 16
_MOST_WAITING: Final = 1000


@dataclass(frozen=True, slots=True)
class _Call(Generic[Item]):
    items: Sequence[Item]
    by: str
    traces: Sequence[str]
    """Whose trace each item belongs to."""


class Lane(Generic[Item, Answer]):
    def __init__(self, run: Batch[Item, Answer | Exception]) -> None:
        self._run = run
        self._calls: Coalescer[_Call[Item], Sequence[Answer | Exception]] = Coalescer(
            self._together, limit=_MOST_AT_ONCE, pending_limit=_MOST_WAITING
        )

    async def __call__(self, items: Sequence[Item], by: str) -> list[Answer]:
        """All are carried through, whatever becomes of one of them; the first error is then the answer for all."""
        traces = [trace or tracing.new_traceparent() for _, trace in with_traces(items)]
        answers: list[Answer] = []
        for answer in await self._answers(_Call(items, by, traces)):
            if isinstance(answer, Exception):
                raise answer
            answers.append(answer)
        return answers

    async def close(self) -> None:
        """What was asked is done and answered first."""
        await self._calls.close()

    async def _answers(self, call: _Call[Item]) -> Sequence[Answer | Exception]:
        try:
            return await self._calls(call)
        except (Away, Overloaded):
            raise
        except Exception:
            if len(call.items) == 1:
                raise
        one_by_one = (_Call([item], call.by, [trace]) for item, trace in zip(call.items, call.traces, strict=True))
        return [await self._alone(each) for each in one_by_one]

    async def _alone(self, call: _Call[Item]) -> Answer | Exception:
        try:
            [answer] = await self._calls(call)
        except Exception as error:
            return error
        return answer

    async def _together(self, calls: Sequence[_Call[Item]]) -> Sequence[Sequence[Answer | Exception]]:
        items = [item for call in calls for item in call.items]
        by = [call.by for call in calls for _ in call.items]
        with tracing.working_for([trace for call in calls for trace in call.traces]):
            answers = iter(await self._run(items, by))
        return [list(islice(answers, len(call.items))) for call in calls]
