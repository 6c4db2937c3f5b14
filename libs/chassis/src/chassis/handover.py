"""From the transactions of a process to its relay: what they have put into the outbox need not be looked for.

Such rows are kept from everybody else for a while. If nothing comes of them here, they are waiting rows like any other.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from .broker import Message

KEPT_FOR: Final = timedelta(seconds=3)
"""Much longer than it takes to send them, and no longer than others should wait for what a dead process had in hand.

What has not been begun in half of it is left to be looked for: with what is begun later another relay could be faster,
and whoever hears it hears it twice."""
_MOST: Final = 2_000


class Entry(NamedTuple):
    """A row of the outbox, and the message that it is."""

    id: int
    message: Message


class Handover:
    """Closed while nobody is there to take, or while nothing gets through."""

    def __init__(self) -> None:
        self.kept_for = KEPT_FOR
        self.filled = asyncio.Event()
        """Something is there, or something was left in the outbox to be looked for."""
        self.has_left_some = False
        self._entries: deque[tuple[float, Entry]] = deque()
        """With when they came."""
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether rows that are being written are to be kept for us. More than that much is better looked for."""
        return self._is_open and len(self._entries) < _MOST

    @property
    def keeps_for(self) -> timedelta | None:
        return self.kept_for if self.is_open else None

    def open(self) -> None:
        self._is_open = True

    def close(self) -> list[Entry]:
        """What was not taken yet."""
        self._is_open = False
        left = [entry for _, entry in self._entries]
        self._entries.clear()
        return left

    def put(self, entries: Sequence[Entry]) -> None:
        """After the commit. Without entries: there are rows that were not kept."""
        now = time.monotonic()
        self._entries.extend((now, entry) for entry in entries)
        self.has_left_some = self.has_left_some or not entries
        self.filled.set()

    def take(self, most: int) -> list[Entry]:
        too_old = time.monotonic() - self.kept_for.total_seconds() / 2
        while self._entries and self._entries[0][0] < too_old:
            self._entries.popleft()
            self.has_left_some = True
        return [self._entries.popleft()[1] for _ in range(min(most, len(self._entries)))]
