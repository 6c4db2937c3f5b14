"""`docs/benchmarks.md` and its plots, from the figures of a run; what is written there by hand stays as it is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from . import chapters, plots
from .figures import FLOOR, MANY, OURS, TRACED, USUAL, Figures, Round, names

BEGIN: Final = "<!-- by hand: from here on `make bench` changes nothing -->"
END: Final = "<!-- by hand: to here -->"
_BY_HAND: Final = f"""{BEGIN}
## What costs most after this

Not written down yet: `make profile SERVICE=sales` draws where a service's time goes.
{END}"""
_WHO: Final = {
    FLOOR: "the least code that makes the same HTTP call, rows and messages, by hand and fast: `bench/floor`",
    OURS: "as shipped: authentication, validation, idempotency keys, attempts, history, audit",
    TRACED: "the same, with every step of every order recorded",
    USUAL: "FastAPI, an ORM session per request, httpx, a polled outbox, a transaction per message: `bench/usual`",
}


def write(figures: Figures, docs: Path) -> Path:
    folder = docs / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    figures.write(folder / "figures.json")
    for name, picture in pictures(figures).items():
        (folder / f"{name}.svg").write_text(picture)
    page = docs / "benchmarks.md"
    page.write_text(document(figures, page.read_text() if page.exists() else ""))
    return page


def document(figures: Figures, before: str = "") -> str:
    parts = [
        _head(figures),
        chapters.what_must_hold(figures),
        chapters.ratios(figures),
        chapters.accepting(figures),
        chapters.delivering(figures),
        chapters.shapes(figures),
        chapters.among_old(figures),
        chapters.cpu(figures),
        chapters.costs(figures),
        chapters.memory_over_orders(figures),
        _by_hand(before),
        _machine(figures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def pictures(figures: Figures) -> dict[str, str]:
    who, clients = names(figures.rounds), chapters.clients_of(figures)
    of_clients = {f"{each} clients" if each > 1 else "1 client": each for each in clients}

    def by_clients(what: Callable[[Round], float]) -> plots.Bars:
        return {
            label: {name: value for name in who if (value := figures.median(what, name, MANY, number)) is not None}
            for label, number in of_clients.items()
        }

    drawn = {
        "accepting": plots.grouped("Orders accepted", "a second", by_clients(lambda each: each.accepted)),
        "delivering": plots.grouped("Orders to DELIVERED", "a second", by_clients(lambda each: each.delivered)),
        "cpu": plots.stacked("CPU of an order at 32 clients, to DELIVERED", "ms", chapters.cpu_of(figures, who)),
    }
    if figures.growth:
        services = figures.growth[0].megabytes
        grown = {name: [(each.orders, each.megabytes[name]) for each in figures.growth] for name in services}
        drawn["memory"] = plots.lines("Memory by orders placed", "MB", grown)
    return drawn


def _head(figures: Figures) -> str:
    who = "\n".join(f"- **{name}**: {_WHO[name]}" for name in names(figures.rounds) if name in _WHO)
    return f"""# Benchmarks

Made by `{figures.command}` on {figures.taken_on}, which anyone can repeat; `bench/README.md` says how it is measured.
In one run the contestants take turns, on one machine with one PostgreSQL and one RabbitMQ, the clients among them.
So the ratios are what counts: the absolute figures are those of this machine on this day.

{who}

All write the same kinds of rows and send the same messages for an order, and bring it to DELIVERED without people."""


def _machine(figures: Figures) -> str:
    rows = [(name, what) for name, what in figures.machine.items()]
    return f"## Where\n\n{chapters.table(('', ''), rows)}\n\n{_chosen(figures)}"


def _chosen(figures: Figures) -> str:
    options = {
        name: ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
        for name, value in figures.options.items()
    }
    return "\n".join(f"- {name}: {value}" for name, value in options.items())


def _by_hand(before: str) -> str:
    begin, end = before.find(BEGIN), before.find(END)
    return before[begin : end + len(END)] if 0 <= begin < end else _BY_HAND
