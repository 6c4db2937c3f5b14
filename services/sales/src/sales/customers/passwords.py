"""Hashes passwords and compares them with hashes (argon2id), beside the event loop; what a password must be like is
`strength`'s.

Each hash takes its memory for some hundredths of a second. There are never more at once than there are threads here,
and what waits for one is bounded, too: beyond that the answer is 503, and the process stays as large as it is.
"""

import asyncio
import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from pydantic import SecretStr

from chassis.errors import Overloaded

T = TypeVar("T")

_MOST_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """What a guess costs; hashes that were made at another are made anew at log-in."""

    memory_kib: int
    rounds: int
    lanes: int = 1


OWASP: Final = Cost(memory_kib=19 * 1024, rounds=2)
"""The least that OWASP's cheat sheet on storing passwords recommends."""


class Passwords:
    def __init__(self, cost: Cost = OWASP, *, at_once: int | None = None, waiting_limit: int = 64) -> None:
        self._hasher = PasswordHasher(cost.rounds, cost.memory_kib, cost.lanes)
        self._nobodys = _hash_of_nothing(cost)
        threads = at_once or min(_MOST_AT_ONCE, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._limit = threads + waiting_limit
        self._taken = 0

    async def hash(self, password: SecretStr) -> str:
        return await self._beside(lambda: self._hasher.hash(_normal(password)))

    async def matches(self, password: SecretStr, password_hash: str | None) -> bool:
        """Where there is no hash, nothing matches, and that takes as long."""
        return await self._beside(lambda: self._verify(password_hash or self._nobodys, password))

    async def renewed(self, password: SecretStr, password_hash: str | None) -> str | None:
        """The hash, or one at today's cost if it was made at another."""
        if password_hash is None or not self._hasher.check_needs_rehash(password_hash):
            return password_hash
        return await self.hash(password)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password_hash: str, password: SecretStr) -> bool:
        try:
            return self._hasher.verify(password_hash, _normal(password))
        except VerifyMismatchError:
            return False

    async def _beside(self, work: Callable[[], T]) -> T:
        if self._taken >= self._limit:
            raise Overloaded("Too many want to log in or register at the moment. Please try again.")
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._taken -= 1


def _normal(password: SecretStr) -> bytes:
    """Keyboards differ in how they write the same letter."""
    return unicodedata.normalize("NFKC", password.get_secret_value()).encode()


def _hash_of_nothing(cost: Cost) -> str:
    # Of no password: only what it costs to compare one with it is real.
    salt, digest = "A" * 22, "A" * 43
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.rounds},p={cost.lanes}${salt}${digest}"
