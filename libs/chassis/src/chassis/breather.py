"""What can wait gives way after its work: for a moment always, for longer while many wait for this process' answers.

In a rush it is also done in small pieces, as everybody waits behind a large one.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

LONGEST_BREATHER: Final = timedelta(milliseconds=90)
UNHURRIED: Final = timedelta(milliseconds=40)
"""The least after work that nobody waits for, where much of it comes: it is done in fewer pieces, a little later."""
# So few came by themselves, and so may the next.
_BY_ITSELF: Final = 2
# Of it, where nobody waits.
_ALWAYS: Final = 0.25
# So few who wait for an answer are no crowd; for each so many more there is one. Beyond many it is a rush, and for each
# so many more there are four, up to fifteen in all.
_FEW: Final = 16
_MANY: Final = 64
_MOST: Final = 112
_IN_A_RUSH: Final = 4
# What is done at once in a rush.
_PIECE: Final = 25


class _Requests:
    """Those that this process is answering, of whichever of its services."""

    def __init__(self) -> None:
        self._count = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    @property
    def crowd(self) -> float:
        """How many breathers it is worth."""
        beyond_few = max(0, min(self._count, _MANY) - _FEW)
        beyond_many = max(0, min(self._count, _MOST) - _MANY)
        return (beyond_few + _IN_A_RUSH * beyond_many) / _FEW

    @property
    def are_a_rush(self) -> bool:
        return self._count >= _MANY


requests: Final = _Requests()


def portion(most: int) -> int:
    """How much of what can wait to do at once."""
    return min(most, _PIECE) if requests.are_a_rush else most


def breather(
    *,
    since: float,
    done: int = 1,
    least: timedelta = timedelta(0),
    longest: timedelta = LONGEST_BREATHER,
    was_full: bool = False,
) -> float:
    """What others get after `done` pieces of work: half as long as it took, within bounds; nothing if more is waiting.

    Under load more gathers meanwhile, and what is done together costs less; what comes alone has not waited. Is there
    a crowd that waits for answers, it goes first, whatever else is waiting: twice as long as the work took, within
    bounds, for each of its parts.
    """
    took = asyncio.get_running_loop().time() - since
    times = requests.crowd if was_full else _ALWAYS + requests.crowd
    rest = times * min(2 * took, longest.total_seconds())
    return rest if was_full or done <= _BY_ITSELF else max(rest, least.total_seconds())
