"""What can wait gives way after its work: for a moment always, for longer while many wait for this process' answers."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

LONGEST_BREATHER: Final = timedelta(milliseconds=90)
# So few who wait for an answer are no crowd; for each so many more the breather is there once more, up to six times.
_FEW: Final = 16
_LARGEST_CROWD: Final = 6.0


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
        return min(max(0, self._count - _FEW) / _FEW, _LARGEST_CROWD)


requests: Final = _Requests()


def breather(*, since: float, longest: timedelta = LONGEST_BREATHER, was_full: bool = False) -> float:
    """What others get after a piece of work: twice as long as it took, within bounds; nothing where more is waiting.

    Under load more gathers meanwhile, and what is done together costs less; what comes alone has not waited. Is there
    a crowd that waits for answers, it goes first, whatever else is waiting.
    """
    took = asyncio.get_running_loop().time() - since
    times = requests.crowd if was_full else 1 + requests.crowd
    return times * min(2 * took, longest.total_seconds())
