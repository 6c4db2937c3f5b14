"""Work for coalescers: it is remembered in which batches it came."""

import asyncio
from collections.abc import Sequence

from chassis.errors import Conflict


class Doubling:
    """Doubles each item, remembers the batches, and fails where it is told to."""

    def __init__(self, *, spoiled: frozenset[int] = frozenset(), refused: frozenset[int] = frozenset()) -> None:
        self.batches: list[list[int]] = []
        self.spoiled = spoiled
        self.refused = refused
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most_running = 0

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        await asyncio.sleep(0)
        await self.gate.wait()
        self.running -= 1
        if self.spoiled & set(items):
            raise ZeroDivisionError
        return [Conflict(str(item)) if item in self.refused else item * 2 for item in items]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
