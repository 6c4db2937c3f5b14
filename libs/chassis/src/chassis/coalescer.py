"""Many callers, one batch: while a batch runs, the next one gathers. What a batch does is its owner's."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from typing import Any, Final, Generic, NamedTuple, TypeVar

from . import tracing
from .errors import Away, Overloaded, Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# Who is held back for longer waits for something that is slow, and can as well wait there.
_LONGEST_HELD_BACK: Final = 0.03


class _Waiting(NamedTuple, Generic[Item, Answer]):
    item: Item
    answer: asyncio.Future[Answer]
    traceparent: str


class Coalescer(Generic[Item, Answer]):
    """Hands waiting items to `run`, which gives one answer (or exception) for each, in order.

    Inside `run` the context holds nothing of any single caller; `tracing.traceparents()` has one entry per item.

    `ahead` is where callers go next. While it is at work they would only wait there, one small batch behind the other:
    they gather here instead, for a moment at most.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        limit: int = 64,
        pending_limit: int = 5000,
        ahead: "Coalescer[Any, Any] | None" = None,
    ) -> None:
        self._run = run
        self._limit = limit
        self._pending_limit = pending_limit
        self._waiting: deque[_Waiting[Item, Answer]] = deque()
        self._running: asyncio.Task[None] | None = None
        # When the next batch is to begin, if none runs.
        self._due: asyncio.Handle | None = None
        self._closed = False
        self._ahead = ahead
        self._behind: list[Coalescer[Any, Any]] = []
        if ahead is not None:
            ahead._behind.append(self)

    async def __call__(self, item: Item) -> Answer:
        if self._closed or len(self._waiting) >= self._pending_limit:
            raise Overloaded("Too much is waiting at the moment. Please try again.")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append(_Waiting(item, answer, tracing.traceparent.get() or tracing.new_traceparent()))
        if self._running is None and self._due is None:
            self._due = loop.call_soon(self._go_on)
        return await answer

    async def close(self) -> None:
        """Takes nothing new, and returns when everything that was taken has its answer."""
        self._closed = True
        self._hurry()
        while self._running is not None or self._due is not None:
            await (asyncio.wait([self._running]) if self._running else asyncio.sleep(0))

    def _go_on(self) -> None:
        if self._waiting and self._ahead is not None and self._ahead._running is not None and not self._closed:
            self._due = asyncio.get_running_loop().call_later(_LONGEST_HELD_BACK, self._start)
        else:
            self._start()

    def _hurry(self) -> None:
        """What is held back is not any more."""
        if self._due is not None:
            self._due.cancel()
            self._start()

    def _start(self) -> None:
        self._due = None
        batch: list[_Waiting[Item, Answer]] = []
        while self._waiting and len(batch) < self._limit:
            waiting = self._waiting.popleft()
            if not waiting.answer.done():  # a caller that left before its turn wants nothing done
                batch.append(waiting)
        if not batch:
            return
        # Not the context of whoever came first: a long-running lane would keep it, and its transaction, for ever.
        context = tracing.batch_context([waiting.traceparent for waiting in batch])
        self._running = asyncio.get_running_loop().create_task(self._serve(batch), context=context)
        self._running.add_done_callback(self._finished, context=context)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running = None
        self._go_on()
        if self._running is None:
            for each in self._behind:
                each._hurry()

    async def _serve(self, batch: Sequence[_Waiting[Item, Answer]]) -> None:
        try:
            for waiting, answer in zip(batch, await self._answers(batch), strict=True):
                _tell(waiting.answer, answer)
        finally:
            # Only a cancelled batch leaves someone without an answer here; whether it was done, nobody knows.
            for waiting in batch:
                _tell(waiting.answer, Unavailable("The request was interrupted. Please try again."))

    async def _answers(self, batch: Sequence[_Waiting[Item, Answer]]) -> Sequence[Answer | Exception]:
        try:
            answers = await self._run([waiting.item for waiting in batch])
        except Away as error:
            # What is away for all is away for each: one by one they would only wait for it in a row.
            return [copy(error) for _ in batch]
        except Exception as error:
            return [error] if len(batch) == 1 else [await self._alone(waiting) for waiting in batch]
        if len(answers) != len(batch):
            return [RuntimeError(f"A batch of {len(batch)} got {len(answers)} answers.") for _ in batch]
        return answers

    async def _alone(self, waiting: _Waiting[Item, Answer]) -> Answer | Exception:
        with tracing.working_for([waiting.traceparent]):
            return (await self._answers([waiting]))[0]


def _tell(waiting: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if waiting.done():
        return
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
