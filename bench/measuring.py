"""One measurement of one contestant: a load, what it cost, and how soon all of it was done."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import aiormq

from .contestant import Contestant, from_now_on
from .counters import Counted, Trees, count, message_bytes, trees_of
from .figures import BURST, MANY, Cost, Round, Wait
from .histogram import Histogram
from .load import Load, Outcome, run
from .machine import Machine
from .statements import NotShown, counted

_PATIENCE = 300.0
_LOOK_EVERY = 0.05
_COMPANY, _SECONDS_WITH_STATEMENTS = 32, 1.0
# RabbitMQ's counters are of five seconds ago, PostgreSQL's of one.
_COUNTED_AFTER = 6.0


class Entrant:
    """A contestant at the start: what it is asked and how it is watched."""

    def __init__(
        self, contestant: Contestant, machine: Machine, trees: Trees, before: Counted, bodies: Sequence[str]
    ) -> None:
        self.name = contestant.name
        self.contestant = contestant
        self.load = Load(contestant.url, contestant.tokens, bodies)
        self._machine = machine
        self._trees = trees
        self._before = before

    async def measure(self, load: Load, shape: str = MANY, *, refused: int = 0) -> Round:
        """`refused` is the status that the shape wants some requests to be answered with."""
        before, since = self._trees.seconds(), from_now_on()
        outcome = await run(load)
        placed, delivered_at, empty_at = await self._end(outcome, since)
        after = self._trees.seconds()
        unexpected = sum(number for status, number in outcome.answers.items() if status not in (201, refused))
        return Round(
            self.name,
            shape,
            load.clients,
            answered=outcome.answers.total() / outcome.seconds,
            accepted=placed / outcome.seconds,
            delivered=placed / (delivered_at - outcome.began_at),
            empty_after=empty_at - outcome.began_at - outcome.seconds,
            latencies=dict(outcome.latencies.counts),
            cpu={name: 1000 * (after[name] - before[name]) / max(1, placed) for name in before},
            unexpected=unexpected,
        )

    async def wait(self, rate: float, seconds: float) -> Wait:
        since = from_now_on()
        outcome = await run(replace(self.load, clients=64, rate=rate, seconds=seconds))
        *_, empty_at = await self._end(outcome, since)
        waits = Histogram.of(await self.contestant.waits(since))
        empty_after = empty_at - outcome.began_at - outcome.seconds
        return Wait(self.name, rate, dict(waits.counts), dict(outcome.latencies.counts), empty_after)

    async def burst(self, idle: float, orders: int) -> Round:
        await asyncio.sleep(idle)
        return await self.measure(replace(self.load, clients=128, most=orders), BURST)

    async def statements(self) -> float | None:
        """Of one order among others; None where the server does not tell."""
        since = from_now_on()
        try:
            async with counted(self._machine) as so_far:
                outcome = await run(replace(self.load, clients=_COMPANY, seconds=_SECONDS_WITH_STATEMENTS))
                placed, *_ = await self._end(outcome, since)
                found = await so_far()
        except NotShown:
            return None
        return sum(found[name] for name in self.contestant.database_names) / placed

    async def cost(self, statements: float | None) -> Cost:
        """Of everything since it entered; what has run has to be `counted_by_now`."""
        told = (await count(self.contestant, self._machine)).since(self._before)
        orders = max(1, await self.contestant.value("sales", "SELECT count(*) FROM orders"))
        return Cost(
            self.name,
            published=told.published / orders,
            heard=told.delivered / orders,
            message_bytes=await message_bytes(self.contestant),
            transactions=told.transactions / orders,
            statements=statements,
            rows=told.rows / orders,
            megabytes=self._trees.megabytes(),
        )

    def megabytes(self) -> dict[str, float]:
        """Of its own processes."""
        found = self._trees.megabytes()
        return {service: found[service] for service in self.contestant.pids}

    async def _end(self, outcome: Outcome, since: UUID) -> tuple[int, float, float]:
        """How many orders there are, when the last was delivered, and when nothing waited any more."""
        placed = int(await self.contestant.value("sales", "SELECT count(*) FROM orders WHERE id > $1", since))
        deadline = time.time() + _PATIENCE
        while await self.contestant.delivered(since) < placed:
            if time.time() > deadline:
                raise RuntimeError(f"{self.name} does not deliver what it has accepted")
            await asyncio.sleep(_LOOK_EVERY)
        delivered_at = max(time.time(), outcome.began_at + outcome.seconds)
        queues = self._machine.queues(self.contestant.vhost)
        async with await aiormq.connect(self.contestant.vhost) as connection:
            channel = await connection.channel()
            while await self.contestant.unsent() or await _waiting(channel, queues):
                if time.time() > deadline:
                    raise RuntimeError(f"{self.name} does not send what it has written")
                await asyncio.sleep(_LOOK_EVERY)
        return placed, delivered_at, max(time.time(), delivered_at)


async def counted_by_now() -> None:
    """Nothing may run meanwhile."""
    await asyncio.sleep(_COUNTED_AFTER)


async def enter(contestant: Contestant, machine: Machine, bodies: Sequence[str]) -> Entrant:
    """What it took to begin is no order's: it has to be `counted_by_now`."""
    return Entrant(contestant, machine, await trees_of(contestant, machine), await count(contestant, machine), bodies)


async def _waiting(channel: aiormq.abc.AbstractChannel, queues: Sequence[str]) -> int:
    return sum([(await channel.queue_declare(name, passive=True)).message_count or 0 for name in queues])
