"""`make profile SERVICE=sales`: where a service of orderflow spends its time under load, as a flame graph (SVG)."""

import argparse
import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import uvloop

from . import machine, ours, wares
from .contestant import SERVICES
from .machine import Machine
from .measuring import enter


def main(service: str, clients: int, seconds: float, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, machine.provided(Path(folder)) as provided:
        uvloop.run(_profile(provided, service, clients, seconds, to))
    print(f"written: {to}")


async def _profile(machine: Machine, service: str, clients: int, seconds: float, to: Path) -> None:
    async with ours.without_traces(machine) as platform:
        entrant = await enter(platform, machine, wares.of_many())
        load = replace(entrant.load, clients=clients, seconds=seconds)
        await entrant.measure(replace(load, seconds=2))
        spy = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / "py-spy",
            *("record", "--pid", str(platform.pids[service]), "--output", str(to)),
            *("--duration", str(round(seconds)), "--rate", "500", "--nonblocking"),
        )
        found = await entrant.measure(load)
        if await spy.wait():
            raise RuntimeError("py-spy could not look into the process: it needs to be root, or may trace others")
    print(f"{found.accepted:,.0f} orders/s meanwhile, {found.cpu[service]:.2f} ms of {service} each")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--to", type=Path)
    given = parser.parse_args()
    main(given.service, given.clients, given.seconds, given.to or Path("build", f"profile-{given.service}.svg"))
