"""Domains whose mail gets stuck at the server: few of it are tried then, so that the others' mail is not held up."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from weakref import WeakValueDictionary

from chassis.breaker import Breaker

_LONGEST_PAUSE: Final = 60.0
_MOST: Final = 1_000


class Domains:
    """Remembers only those that had trouble last."""

    def __init__(self) -> None:
        self._troubled: dict[str, Breaker] = {}
        # For as long as somebody tries: of those who begin together and fail, each counts.
        self._tried: WeakValueDictionary[str, Breaker] = WeakValueDictionary()

    def wait(self, domain: str) -> float:
        """Seconds until a mail there would be let through."""
        breaker = self._troubled.get(domain)
        return breaker.wait if breaker else 0.0

    def is_troubled(self, domain: str) -> bool:
        return domain in self._troubled

    @contextmanager
    def watch(self, domain: str) -> Iterator[None]:
        """Around one attempt, as `Breaker.watch`."""
        breaker = self._troubled.get(domain) or self._tried.get(domain) or Breaker("mail", longest=_LONGEST_PAUSE)
        self._tried[domain] = breaker
        try:
            with breaker.watch():
                yield
        except Exception:
            self._troubled[domain] = breaker
            if len(self._troubled) > _MOST:
                del self._troubled[next(iter(self._troubled))]
            raise
        else:
            self._troubled.pop(domain, None)
