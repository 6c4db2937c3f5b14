"""The chapters of the report that are measured: a table each, with what there is to say of it."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

from .bounds import bounds
from .figures import BURST, FLOOR, HOT, MANY, OURS, REPEATS, SHORT, SLOW, USUAL, Figures, Round, names, old
from .histogram import Histogram

_SHAPES: Final = (MANY, HOT, SHORT, REPEATS, SLOW, BURST)


def what_must_hold(figures: Figures) -> str:
    said = {True: "yes", False: "**no**", None: "–"}
    rows = [(each.what, each.wanted, each.measured, said[each.holds]) for each in bounds(figures)]
    return "## What must hold\n\n" + table(("", "wanted", "measured", "holds"), rows)


def ratios(figures: Figures) -> str:
    who = names(figures.rounds)

    def row(name: str, what: Callable[[Round], float], base: str, clients: int) -> list[str]:
        own, other = figures.median(what, name, MANY, clients), figures.median(what, base, MANY, clients)
        return [f"{own / other:.2f}" if own and other else "–"]

    rows = []
    for clients in clients_of(figures):
        for name in who:
            cells = [
                *row(name, lambda each: each.accepted, FLOOR, clients),
                *row(name, lambda each: each.accepted, USUAL, clients),
                *row(name, lambda each: each.delivered, FLOOR, clients),
                *row(name, lambda each: each.delivered, USUAL, clients),
            ]
            rows.append((str(clients), name, *cells))
    head = ("clients", "", "accepted, × floor", "accepted, × usual", "delivered, × floor", "delivered, × usual")
    return "## Ratios\n\n" + table(head, rows)


def accepting(figures: Figures) -> str:
    rows = []
    for clients in clients_of(figures):
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
    return "## Orders accepted\n\n![](benchmarks/accepting.svg)\n\n" + words + table(head, rows)


def delivering(figures: Figures) -> str:
    rows = []
    for clients in clients_of(figures):
        for name in names(figures.rounds):
            delivered = figures.median(lambda each: each.delivered, name, MANY, clients)
            empty = figures.median(lambda each: each.empty_after, name, MANY, clients)
            if delivered is not None and empty is not None:
                rows.append((str(clients), name, f"{delivered:,.0f}", f"{empty:.1f}"))
    title = "## To DELIVERED\n\n![](benchmarks/delivering.svg)\n\n"
    first = table(("clients", "", "orders/s", "all done, s after the load"), rows)
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
    return words + table(head, rows)


def shapes(figures: Figures) -> str:
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
    return "## Shapes\n\n" + words + table(head, rows)


def among_old(figures: Figures) -> str:
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
    return "## Among old orders\n\n" + table(head, rows)


def cpu(figures: Figures) -> str:
    who = names(figures.rounds)
    used = cpu_of(figures, who)
    if not used:
        return ""
    processes = list(dict.fromkeys(name for parts in used.values() for name in parts))
    rows = [(name, *(f"{used[one].get(name, 0):.2f}" for one in used)) for name in processes]
    rows.append(("together", *(f"{sum(used[one].values()):.2f}" for one in used)))
    words = (
        "Milliseconds of a core per order at 32 clients, from its acceptance to DELIVERED; the clients come on top.\n\n"
    )
    return "## CPU per order\n\n![](benchmarks/cpu.svg)\n\n" + words + table(("", *used), rows)


def costs(figures: Figures) -> str:
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
        "statements, BEGIN and COMMIT among them, are those in PostgreSQL's log of a second with 32 clients.\n\n"
    )
    return (
        "## What an order comes to\n\n"
        + words
        + table(head, rows)
        + "\n\n## Memory, MB\n\n"
        + table(("", *processes), memory)
    )


def memory_over_orders(figures: Figures) -> str:
    if not figures.growth:
        return ""
    services = list(figures.growth[0].megabytes)
    rows = [(f"{each.orders:,}", *(f"{each.megabytes[name]:.0f}" for name in services)) for each in figures.growth]
    return "## Memory over many orders, MB\n\n![](benchmarks/memory.svg)\n\n" + table(("orders", *services), rows)


def cpu_of(figures: Figures, who: Sequence[str]) -> dict[str, dict[str, float]]:
    used = {}
    for name in who:
        found = figures.of(name, MANY, 32)
        if found:
            used[name] = {process: median(each.cpu[process] for each in found) for process in _in_order(found[0].cpu)}
    return used


def _in_order(processes: Iterable[str]) -> list[str]:
    order = ("sales", "product", "delivery", "notification", "PostgreSQL", "RabbitMQ")
    return [name for name in order if name in set(processes)]


def clients_of(figures: Figures) -> list[int]:
    return sorted({each.clients for each in figures.rounds if each.shape == MANY})


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
