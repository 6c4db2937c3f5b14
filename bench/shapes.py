"""The shapes of load beside the plain one, each with the plain one beside it, in turns."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final

from . import ours, wares
from .figures import HOT, MANY, REPEATS, SHORT, SLOW, Growth, Round
from .figures import old as old_shape
from .machine import Machine
from .measuring import Entrant, enter
from .turns import Turns, in_turn

_CLIENTS: Final = 32
_DELAY: Final = 2000
_BURST: Final = 1000
_IDLE: Final = 3.0
_STEP: Final = 10_000
_MOST: Final = 100_000
# What differs least takes the most rounds.
_MOST_OLD: Final = 1_000_000
_TURNS: Final = 3


async def all_of(
    entrants: Sequence[Entrant], turns: Turns, machine: Machine, rounds: int, seconds: float
) -> AsyncIterator[Round]:
    # The plain load has its own rounds before.
    for _ in range(max(1, rounds - 1)):
        for entrant in entrants:
            async with turns.of(entrant.contestant):
                found = await _each(entrant, machine, seconds)
            for one in found:
                yield one


async def _each(entrant: Entrant, machine: Machine, seconds: float) -> list[Round]:
    plain = replace(entrant.load, clients=_CLIENTS, seconds=seconds)
    hot = replace(plain, bodies=wares.of_one_hot())
    found = [
        # To and fro: little is to lie between these two, and a machine's pace changes.
        await entrant.measure(plain, MANY),
        await entrant.measure(hot, HOT),
        await entrant.measure(hot, HOT),
        await entrant.measure(plain, MANY),
        await entrant.measure(replace(plain, bodies=wares.a_fifth_short()), SHORT, refused=400),
    ]
    if entrant.contestant.tokens:  # the others know no keys
        found.append(await entrant.measure(replace(plain, repeats=2), REPEATS))
    async with _slow_commits(machine):
        found.append(await entrant.measure(plain, SLOW))
    return [*found, await entrant.burst(_IDLE, _BURST)]


async def among_old_orders(machine: Machine, sizes: Sequence[int], rounds: int, seconds: float) -> AsyncIterator[Round]:
    """A platform for each size, and turns among them."""
    async with AsyncExitStack() as stack:
        entrants = []
        for size in sizes:
            platform = await stack.enter_async_context(ours.orderflow(f"orderflow among {size}", machine, size))
            entrants.append((old_shape(size), await enter(platform, machine, wares.of_many())))
        turns = Turns([entrant.contestant for _, entrant in entrants])
        await machine.execute("CHECKPOINT")
        # The first warms up.
        for number in range((_TURNS if _MOST_OLD in sizes else 1) * rounds + 1):
            for shape, entrant in in_turn(entrants, number):
                async with turns.of(entrant.contestant):
                    found = await entrant.measure(replace(entrant.load, clients=_CLIENTS, seconds=seconds), shape)
                if number:
                    yield replace(found, contestant="orderflow")


async def growth(entrant: Entrant) -> AsyncIterator[Growth]:
    """After every ten thousand orders, up to a hundred thousand."""
    for orders in range(_STEP, _MOST + 1, _STEP):
        await entrant.measure(replace(entrant.load, clients=_CLIENTS, most=_STEP))
        yield Growth(orders, entrant.megabytes())


@asynccontextmanager
async def _slow_commits(machine: Machine) -> AsyncIterator[None]:
    await machine.delay_commits(_DELAY)
    try:
        yield
    finally:
        await machine.delay_commits(0)
