"""Waiting, failing and ending in ways that both brokers share; what is waited for is theirs."""

import asyncio
import random
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from ..telemetry import logger
from .protocol import Handle, Message

FINISH_WITHIN = timedelta(seconds=3)
"""What a consumer that is stopped may still take for the batch in its hands."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0

log = logger("broker")


async def hand_over(handle: Handle, messages: Sequence[Message], over: asyncio.Event) -> bool:
    """Tries until the batch is taken, and tells whether it was; only `over` ends the trying."""
    pause = _FIRST_PAUSE
    while True:
        try:
            with uninvited_cancellation_is_an_error():
                await handle(messages)
        except Exception as error:
            log.warning("batch_waits", size=len(messages), pause=pause, error=f"{type(error).__name__}: {error}")
        else:
            return True
        if await happens(over, within=pause * random.uniform(0.75, 1.25)):
            return False
        pause = min(pause * 2, _LONGEST_PAUSE)


async def happens(event: asyncio.Event, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            return await event.wait()
    except TimeoutError:
        return False


class Interrupted(Exception):
    """What was awaited ended under us."""


@contextmanager
def uninvited_cancellation_is_an_error() -> Iterator[None]:
    """aiormq ends what waits on a lost connection by CancelledError; only a task that was told to stop may obey it."""
    try:
        yield
    except asyncio.CancelledError as cancelled:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Interrupted("cancelled by another, as when a connection is lost") from cancelled


async def finish(task: asyncio.Task[None], within: timedelta) -> None:
    """Waits for a task that knows it should end, and cancels it when it is late."""
    _, late = await asyncio.wait([task], timeout=within.total_seconds())
    if late:
        task.cancel()
        await asyncio.wait([task], timeout=1)


async def quietly(closing: Awaitable[object], within: float = 1.0) -> None:
    """For a farewell to something that may be dead already: bounded, and its outcome does not matter."""
    task = asyncio.ensure_future(closing)
    # Also of one that is late, and fails after it was given up.
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    _, late = await asyncio.wait([task], timeout=within)
    for each in late:
        each.cancel()
