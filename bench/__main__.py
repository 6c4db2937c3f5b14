"""`make bench`: orderflow, its floor and the usual way in turns, and the report of it in docs/benchmarks.md."""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop

from . import machine, others, ours, report, shapes, wares
from .contestant import Contestant
from .figures import FLOOR, OURS, TRACED, USUAL, Figures, Round
from .machine import Machine
from .measuring import Entrant, counted_by_now, enter
from .turns import Turns, in_turn

CONTESTANTS: Final[dict[str, Callable[[Machine], AbstractAsyncContextManager[Contestant]]]] = {
    FLOOR: others.floor,
    OURS: ours.without_traces,
    TRACED: ours.with_traces,
    USUAL: others.usual,
}
_SATURATING: Final = 32
SHAPES: Final = ("many", "shapes", "old")


def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder, machine.provided(Path(folder)) as provided:
        page = uvloop.run(_run(provided, arguments))
    print(f"written: {page}")


async def _run(machine: Machine, wanted: argparse.Namespace) -> Path:
    await machine.settle()
    options = {name: value for name, value in vars(wanted).items() if name != "docs"}
    command = shlex.join(["make", "bench", *([f"ARGS={shlex.join(sys.argv[1:])}"] if sys.argv[1:] else [])])
    figures = Figures(command, datetime.now(UTC).date().isoformat(), await machine.described(), options)
    async with AsyncExitStack() as stack:
        contestants = {name: await stack.enter_async_context(CONTESTANTS[name](machine)) for name in wanted.contestants}
        await counted_by_now()
        entrants = {name: await enter(each, machine, wares.of_many()) for name, each in contestants.items()}
        turns = Turns(list(contestants.values()))
        await machine.execute("CHECKPOINT")
        await _take_turns(figures, list(entrants.values()), turns, wanted)
        if "shapes" in wanted.shapes:
            those = [entrants[name] for name in (FLOOR, OURS) if name in entrants]
            async for found in shapes.all_of(those, turns, machine, wanted.rounds, wanted.seconds):
                _note(figures, found)
        statements = {}
        for name, entrant in entrants.items():
            async with turns.of(entrant.contestant):
                statements[name] = await entrant.statements()
        await counted_by_now()
        figures.costs += [await entrant.cost(statements[name]) for name, entrant in entrants.items()]
        if wanted.long and OURS in entrants:
            async with turns.of(contestants[OURS]):
                async for grown in shapes.growth(entrants[OURS]):
                    figures.growth.append(grown)
                    print(
                        f"{grown.orders:,} orders: { ({name: round(mb) for name, mb in grown.megabytes.items()}) } MB"
                    )
    if "old" in wanted.shapes:
        async for found in shapes.among_old_orders(machine, wanted.old, wanted.rounds, wanted.seconds):
            _note(figures, found)
    return report.write(figures, wanted.docs)


async def _take_turns(figures: Figures, entrants: list[Entrant], turns: Turns, wanted: argparse.Namespace) -> None:
    for entrant in entrants:  # warms up
        async with turns.of(entrant.contestant):
            await entrant.measure(replace(entrant.load, clients=_SATURATING, seconds=wanted.seconds))
    if "many" in wanted.shapes:
        for number in range(wanted.rounds):
            for clients in wanted.clients:
                for entrant in in_turn(entrants, number):
                    async with turns.of(entrant.contestant):
                        measured = await entrant.measure(replace(entrant.load, clients=clients, seconds=wanted.seconds))
                        _note(figures, measured)
                        if clients == _SATURATING:
                            figures.waits.append(await entrant.wait(measured.delivered / 2, 2 * wanted.seconds))


def _note(figures: Figures, found: Round) -> None:
    figures.rounds.append(found)
    print(
        f"{found.contestant:<18} {found.shape:<22} {found.clients:>4} clients  {found.accepted:8,.0f}/s accepted  "
        f"{found.delivered:8,.0f}/s delivered  {sum(found.cpu.values()):6.2f} ms CPU",
        flush=True,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--shapes", nargs="*", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--clients", nargs="+", type=int, default=[32, 1, 8, 128])
    parser.add_argument("--old", nargs="+", type=int, help="how many old orders; 10 and 100,000")
    parser.add_argument("--rounds", type=int, help="2, with --long 5")
    parser.add_argument("--seconds", type=float, help="of one load; 1.5, with --long 2")
    parser.add_argument("--docs", type=Path, help="where the report goes; docs, and with --quick build")
    parser.add_argument("--long", action="store_true", help="more rounds, a million old orders, and 100,000 new ones")
    parser.add_argument("--quick", action="store_true", help="one short round, to try it; little is to be learnt of it")
    given = parser.parse_args()
    given.rounds = given.rounds or (1 if given.quick else 5 if given.long else 2)
    given.seconds = given.seconds or (1.0 if given.quick else 2.0 if given.long else 1.5)
    given.old = given.old or ([10, 10_000] if given.quick else [10, 100_000, *([1_000_000] if given.long else [])])
    given.docs = given.docs or Path("build" if given.quick else "docs")
    return given


if __name__ == "__main__":
    main(_arguments())
