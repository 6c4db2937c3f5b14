"""Looks at all books, and again at what seems broken, until it is mended or has stayed so for as long as one waits."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import bindparam, text

from .books import Books
from .law import Broken, Law, Subject, Whole

PAGE: Final = 5_000
MOST: Final = 1_000
"""After so many offences against one law the rest is not looked at."""
_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_NEVER_RIGHT: Final = 5
_ALL: Final = None


@dataclass(frozen=True, slots=True)
class Offence:
    law: Law
    id: str
    stands: str


@dataclass(slots=True)
class Findings:
    offences: list[Offence] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    """How many rows there are of what was looked at whole."""
    cut_short: list[Law] = field(default_factory=list)
    """Broken so often that the rest was not looked at."""


@dataclass(slots=True)
class _Suspect:
    broken: Broken
    since: float
    """When it was seen first as it stands."""
    first: float


class Inspection:
    def __init__(
        self,
        books: Books,
        patience: timedelta,
        *,
        page: int = PAGE,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._books = books
        self._patience = patience.total_seconds()
        self._page = page
        self._clock = clock
        self._pause = pause
        self._suspects: defaultdict[Law, dict[str, _Suspect]] = defaultdict(dict)
        self._found: Counter[Law] = Counter()
        self.findings = Findings()

    async def run(self, laws: Sequence[Law]) -> Findings:
        by_subject: defaultdict[Subject, list[Law]] = defaultdict(list)
        for law in laws:
            if isinstance(law.look, Whole):
                await self._look(law, _ALL)
            else:
                by_subject[law.subject].append(law)
        for subject, its_laws in by_subject.items():
            async for keys in self._pages(subject):
                if subject.is_whole:
                    self.findings.seen[str(subject)] += len(keys)
                for law in its_laws:
                    await self._look_unless_enough(law, keys)
                if any(len(self._suspects[law]) >= MOST for law in its_laws):
                    await self._settle()
        await self._settle()
        return self.findings

    async def _look_unless_enough(self, law: Law, keys: Sequence[Any]) -> None:
        if self._found[law] < MOST:
            await self._look(law, keys)
        elif law not in self.findings.cut_short:
            self.findings.cut_short.append(law)

    async def _pages(self, subject: Subject) -> AsyncIterator[list[Any]]:
        page = text(
            f"SELECT DISTINCT {subject.key} FROM {subject.table} WHERE {subject.key} > :after AND {subject.only} "
            f"ORDER BY {subject.key} LIMIT {self._page}"
        ).bindparams(bindparam("after", type_=subject.kind))
        after = subject.first
        while True:
            keys = [row[subject.key] for row in await self._books.rows(subject.service, page, after=after)]
            if keys:
                yield keys
                after = keys[-1]
            if len(keys) < self._page:
                return

    async def _look(self, law: Law, keys: Sequence[Any] | None) -> None:
        """What was suspect before and is not found any more is under way, or mended."""
        began = self._clock()
        before = self._suspects[law]
        seen = {broken.id: broken for broken in await law.look.find(self._books, law.subject, keys)}
        asked = None if keys is None else set(keys)
        for id in [id for id, suspect in before.items() if asked is None or suspect.broken.key in asked]:
            if id not in seen:
                del before[id]
        for id, broken in seen.items():
            known = before.get(id)
            is_same = known is not None and (not law.look.moves or known.broken.stands == broken.stands)
            first = known.first if known else began
            before[id] = _Suspect(broken, known.since if known and is_same else began, first)

    def _is_guilty(self, suspect: _Suspect, now: float) -> bool:
        """Also of what is never twice the same, but was never right either."""
        return now - suspect.since >= self._patience or now - suspect.first >= _NEVER_RIGHT * self._patience

    async def _settle(self) -> None:
        """Until nothing is suspect any more: found guilty, or not."""
        while True:
            now = self._clock()
            for law, suspects in self._suspects.items():
                for id in [id for id, each in suspects.items() if self._is_guilty(each, now)]:
                    self._report(law, suspects.pop(id).broken)
            waiting = [law for law, suspects in self._suspects.items() if suspects]
            if not waiting:
                return
            await self._pause(min(max(self._patience / 20, _SHORTEST_PAUSE), _LONGEST_PAUSE))
            for law in waiting:
                await self._look(law, list({each.broken.key for each in self._suspects[law].values()}))

    def _report(self, law: Law, broken: Broken) -> None:
        self._found[law] += 1
        self.findings.offences.append(Offence(law, broken.id, broken.stands))
