"""Stops asking a peer that does not answer, until it does again. What counts as no answer is the caller's."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from .errors import Away

FAILURES: Final = 5
_SHORTEST: Final = 1.0
_LONGEST: Final = 5.0


class Unreached(Away):
    """There was no answer, and nobody knows whether it was done: trying again may help."""


class Breaker:
    """Opens after five attempts in a row without an answer; then lets one through at a time, after 1 to `longest` s."""

    def __init__(self, name: str, *, longest: float = _LONGEST, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._longest = longest
        self._failures = 0
        self._pause = _SHORTEST
        self._closed_until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES

    @property
    def wait(self) -> float:
        """Seconds until an attempt would be let through."""
        if not self.is_open:
            return 0.0
        return self._pause if self._probing else max(0.0, self._closed_until - self._clock())

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around one attempt: `Unreached` counts against the peer, a cancellation says nothing about it."""
        probe = self._admit()
        try:
            yield
        except Unreached:
            self._failed(probe=probe)
            raise
        else:
            self._failures, self._pause = 0, _SHORTEST
        finally:
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        if not self.is_open:
            return False
        if self._probing or self._clock() < self._closed_until:
            raise Away(f"The {self._name} service does not answer at the moment.")
        self._probing = True
        return True

    def _failed(self, *, probe: bool) -> None:
        self._failures += 1
        # Those that were under way when it opened fail late, and say nothing new.
        if probe or self._failures == FAILURES:
            self._closed_until = self._clock() + self._pause * random.uniform(0.8, 1)
            self._pause = min(self._pause * 2, self._longest)
