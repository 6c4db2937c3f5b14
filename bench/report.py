"""`docs/benchmarks.md` and its plots, from the figures of a run; what is written there by hand stays as it is."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from . import plots
from .bounds import bounds
from .figures import BURST, FLOOR, HOT, MANY, OURS, REPEATS, SHORT, SLOW, TRACED, USUAL, Figures, Round, names, old
from .histogram import Histogram

BEGIN: Final = "<!-- by hand: from here on `make bench` changes nothing -->"
END: Final = "<!-- by hand: to here -->"
_BY_HAND: Final = f"""{BEGIN}
## What costs most after this

Not written down yet: `make profile SERVICE=sales` draws where a service's time goes.
{END}"""
_SHAPES: Final = (MANY, HOT, SHORT, REPEATS, SLOW, BURST)
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
        _bounds(figures),
        _ratios(figures),
        _accepting(figures),
        _delivering(figures),
        _shapes(figures),
        _among_old(figures),
        _cpu(figures),
        _costs(figures),
        _growth(figures),
        _by_hand(before),
        _machine(figures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def pictures(figures: Figures) -> dict[str, str]:
    who, clients = names(figures.rounds), _clients(figures)
    of_clients = {f"{each} clients" if each > 1 else "1 client": each for each in clients}

    def by_clients(what: Callable[[Round], float]) -> plots.Bars:
        return {
            label: {name: value for name in who if (value := figures.median(what, name, MANY, number)) is not None}
            for label, number in of_clients.items()
        }

    drawn = {
        "accepting": plots.grouped("Orders accepted", "a second", by_clients(lambda each: each.accepted)),
        "delivering": plots.grouped("Orders to DELIVERED", "a second", by_clients(lambda each: each.delivered)),
        "cpu": plots.stacked("CPU of an order at 32 clients, to DELIVERED", "ms", _cpu_of(figures, who)),
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


def _bounds(figures: Figures) -> str:
    said = {True: "yes", False: "**no**", None: "–"}
    rows = [(each.what, each.wanted, each.measured, said[each.holds]) for each in bounds(figures)]
    return "## What must hold\n\n" + _table(("", "wanted", "measured", "holds"), rows)


def _ratios(figures: Figures) -> str:
    who = names(figures.rounds)

    def row(name: str, what: Callable[[Round], float], base: str, clients: int) -> list[str]:
        own, other = figures.median(what, name, MANY, clients), figures.median(what, base, MANY, clients)
        return [f"{own / other:.2f}" if own and other else "–"]

    rows = []
    for clients in _clients(figures):
        for name in who:
            cells = [
                *row(name, lambda each: each.accepted, FLOOR, clients),
                *row(name, lambda each: each.accepted, USUAL, clients),
                *row(name, lambda each: each.delivered, FLOOR, clients),
                *row(name, lambda each: each.delivered, USUAL, clients),
            ]
            rows.append((str(clients), name, *cells))
    head = ("clients", "", "accepted, × floor", "accepted, × usual", "delivered, × floor", "delivered, × usual")
    return "## Ratios\n\n" + _table(head, rows)


def _accepting(figures: Figures) -> str:
    rows = []
    for clients in _clients(figures):
        for name in names(figures.rounds):
            found = figures.of(name, MANY, clients)
            if not found:
                continue
            rates = [each.accepted for each in found]
            slowest = [Histogram(each.latencies).ms(95) for each in found]
            rows.append(
                (
                    str(clients),
                    name,
                    f"{median(rates):,.0f}",
                    f"{min(rates):,.0f}–{max(rates):,.0f}",
                    *(f"{figures.ms(percent, name, MANY, clients):.1f}" for percent in (50, 95, 99)),
                    f"{min(slowest):.0f}–{max(slowest):.0f}",
                    str(sum(each.unexpected for each in found)),
                )
            )
    head = ("clients", "", "orders/s", "in each round", "p50 ms", "p95 ms", "p99 ms", "p95 in each", "other answers")
    words = (
        "Rates are medians of the rounds, percentiles are of all answers; beside them the lowest and highest round.\n\n"
    )
    return "## Orders accepted\n\n![](benchmarks/accepting.svg)\n\n" + words + _table(head, rows)


def _delivering(figures: Figures) -> str:
    rows = []
    for clients in _clients(figures):
        for name in names(figures.rounds):
            delivered = figures.median(lambda each: each.delivered, name, MANY, clients)
            empty = figures.median(lambda each: each.empty_after, name, MANY, clients)
            if delivered is not None and empty is not None:
                rows.append((str(clients), name, f"{delivered:,.0f}", f"{empty:.1f}"))
    title = "## To DELIVERED\n\n![](benchmarks/delivering.svg)\n\n"
    first = _table(("clients", "", "orders/s", "all done, s after the load"), rows)
    return title + first + _waiting(figures)


def _waiting(figures: Figures) -> str:
    rows = []
    for name in names(figures.rounds):
        found = figures.waits_of(name)
        if not found:
            continue
        answers = Histogram.all_of(Histogram(each.latencies) for each in found)
        ways = Histogram.all_of(Histogram(each.seconds) for each in found)
        slowest = [Histogram(each.seconds).ms(95) for each in found]
        rows.append(
            (
                name,
                f"{median(each.rate for each in found):,.0f}",
                *(f"{answers.ms(percent):.0f}" for percent in (50, 95)),
                *(f"{ways.ms(percent):.0f}" for percent in (50, 95)),
                f"{min(slowest):.0f}–{max(slowest):.0f}",
                f"{max(each.empty_after for each in found):.1f}",
            )
        )
    if not rows:
        return ""
    accepting, delivering = ("accept p50 ms", "p95 ms"), ("to DELIVERED p50 ms", "p95 ms", "p95 in each")
    head = ("", "orders/s", *accepting, *delivering, "all done, s after the load at most")
    words = (
        "\n\nOrders that come steadily, each round at half of what the contestant has just delivered of 32 clients:\n\n"
    )
    return words + _table(head, rows)


def _shapes(figures: Figures) -> str:
    rows = []
    for name in (OURS, FLOOR):
        plain = figures.median(lambda each: each.answered, name, MANY, 32)
        for shape in _SHAPES:
            clients = 128 if shape == BURST else 32
            answered = figures.median(lambda each: each.answered, name, shape, clients)
            if answered is None or not plain:
                continue
            accepted = figures.median(lambda each: each.accepted, name, shape, clients) or 0
            share = f"{answered / plain:.2f}"
            rows.append(
                (
                    name,
                    shape,
                    f"{answered:,.0f}",
                    f"{accepted:,.0f}",
                    share,
                    f"{figures.ms(50, name, shape, clients):.1f}",
                    f"{figures.ms(95, name, shape, clients):.1f}",
                )
            )
    if len({row[1] for row in rows}) < 2:
        return ""
    head = ("", "shape", "answers/s", "orders/s", "answers, × many products", "p50 ms", "p95 ms")
    words = "At 32 clients; the burst is a thousand orders of 128 clients, after some seconds of none.\n\n"
    return "## Shapes\n\n" + words + _table(head, rows)


def _among_old(figures: Figures) -> str:
    rows = []
    base = figures.median(lambda each: each.accepted, OURS, old(10), 32)
    for size in figures.options.get("old", ()):
        accepted = figures.median(lambda each: each.accepted, OURS, old(size), 32)
        delivered = figures.median(lambda each: each.delivered, OURS, old(size), 32)
        if accepted is not None and base:
            rows.append((f"{size:,}", f"{accepted:,.0f}", f"{accepted / base:.2f}", f"{delivered:,.0f}"))
    if not rows:
        return ""
    head = ("orders there before", "orders/s", "× among ten", "orders/s to DELIVERED")
    return "## Among old orders\n\n" + _table(head, rows)


def _cpu(figures: Figures) -> str:
    who = names(figures.rounds)
    used = _cpu_of(figures, who)
    if not used:
        return ""
    processes = list(dict.fromkeys(name for parts in used.values() for name in parts))
    rows = [(name, *(f"{used[one].get(name, 0):.2f}" for one in used)) for name in processes]
    rows.append(("together", *(f"{sum(used[one].values()):.2f}" for one in used)))
    words = (
        "Milliseconds of a core per order at 32 clients, from its acceptance to DELIVERED; the clients come on top.\n\n"
    )
    return "## CPU per order\n\n![](benchmarks/cpu.svg)\n\n" + words + _table(("", *used), rows)


def _costs(figures: Figures) -> str:
    if not figures.costs:
        return ""
    rows = [
        (
            each.contestant,
            *(f"{value:.1f}" for value in (each.published, each.heard)),
            f"{each.message_bytes:,.0f}",
            f"{each.transactions:.2f}",
            "not told" if each.statements is None else f"{each.statements:.2f}",
            f"{each.rows:.1f}",
        )
        for each in figures.costs
    ]
    head = ("per order", "messages sent", "heard", "their bytes", "transactions", "statements", "rows written")
    processes = list(figures.costs[0].megabytes)
    memory = [
        (each.contestant, *(f"{each.megabytes.get(name, 0):.0f}" for name in processes)) for each in figures.costs
    ]
    words = (
        "By RabbitMQ's and PostgreSQL's own counters, over the whole run, what each does by the clock included. The\n"
        "statements, BEGIN and COMMIT among them, are those in PostgreSQL's log while 32 clients place 200 orders.\n\n"
    )
    return (
        "## What an order comes to\n\n"
        + words
        + _table(head, rows)
        + "\n\n## Memory, MB\n\n"
        + _table(("", *processes), memory)
    )


def _growth(figures: Figures) -> str:
    if not figures.growth:
        return ""
    services = list(figures.growth[0].megabytes)
    rows = [(f"{each.orders:,}", *(f"{each.megabytes[name]:.0f}" for name in services)) for each in figures.growth]
    return "## Memory over many orders, MB\n\n![](benchmarks/memory.svg)\n\n" + _table(("orders", *services), rows)


def _machine(figures: Figures) -> str:
    rows = [(name, what) for name, what in figures.machine.items()]
    return f"## Where\n\n{_table(('', ''), rows)}\n\n{_chosen(figures)}"


def _chosen(figures: Figures) -> str:
    options = {
        name: ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
        for name, value in figures.options.items()
    }
    return "\n".join(f"- {name}: {value}" for name, value in options.items())


def _by_hand(before: str) -> str:
    begin, end = before.find(BEGIN), before.find(END)
    return before[begin : end + len(END)] if 0 <= begin < end else _BY_HAND


def _cpu_of(figures: Figures, who: Sequence[str]) -> dict[str, dict[str, float]]:
    used = {}
    for name in who:
        found = figures.of(name, MANY, 32)
        if found:
            used[name] = {process: median(each.cpu[process] for each in found) for process in _in_order(found[0].cpu)}
    return used


def _in_order(processes: Iterable[str]) -> list[str]:
    order = ("sales", "product", "delivery", "notification", "PostgreSQL", "RabbitMQ")
    return [name for name in order if name in set(processes)]


def _clients(figures: Figures) -> list[int]:
    return sorted({each.clients for each in figures.rounds if each.shape == MANY})


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
