"""Whose turn it is. The others are stopped meanwhile: what they do by the clock is no cost of whoever is measured."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

import psutil

from .contestant import Contestant

T = TypeVar("T")

# RabbitMQ gives up who has been silent for twice ten seconds: until then everybody has had a moment.
_BREATH_EVERY: Final = 4.0
_BREATH: Final = 0.1
# After each turn: what has become due meanwhile is nobody's cost.
_REST: Final = 0.3


class Turns:
    def __init__(self, everyone: Sequence[Contestant]) -> None:
        self._everyone = everyone

    @asynccontextmanager
    async def of(self, contestant: Contestant) -> AsyncIterator[None]:
        others = [pid for other in self._everyone if other is not contestant for pid in other.pids.values()]
        _tell(others, signal.SIGSTOP)
        breathing = asyncio.create_task(_breathe(others))
        try:
            yield
        finally:
            breathing.cancel()
            with suppress(asyncio.CancelledError):
                await breathing
            _tell(others, signal.SIGCONT)
            await asyncio.sleep(_REST)


async def _breathe(pids: Sequence[int]) -> None:
    while True:
        await asyncio.sleep(_BREATH_EVERY)
        _tell(pids, signal.SIGCONT)
        await asyncio.sleep(_BREATH)
        _tell(pids, signal.SIGSTOP)


def _tell(pids: Sequence[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for each in [process, *process.children(recursive=True)]:
                each.send_signal(what)


def in_turn(everyone: Sequence[T], round_number: int) -> list[T]:
    """Nobody always follows the same one."""
    first = round_number % len(everyone)
    return [*everyone[first:], *everyone[:first]]
