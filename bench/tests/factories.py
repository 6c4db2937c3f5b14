"""Figures as a run could have found them."""

from bench.figures import FLOOR, HOT, MANY, OURS, SLOW, USUAL, Cost, Figures, Growth, Round, Wait, old
from bench.histogram import Histogram

_CPU = {"sales": 0.3, "product": 0.2, "delivery": 0.2, "notification": 0.1, "PostgreSQL": 0.4, "RabbitMQ": 0.3}


def some_figures() -> Figures:
    figures = Figures("make bench", "2026-01-01", {"processor": "two cores"}, {"rounds": 1, "old": [10, 1_000_000]})
    for clients in (1, 32, 128):
        for name, accepted in ((FLOOR, 1000), (OURS, 800), (USUAL, 100)):
            figures.rounds.append(a_round(name, MANY, clients, accepted))
    figures.rounds += [
        a_round(OURS, HOT, 32, 700),
        a_round(OURS, SLOW, 32, 300),
        a_round(OURS, old(10), 32, 800),
        a_round(OURS, old(1_000_000), 32, 790),
    ]
    figures.waits = [Wait(OURS, 200, dict(Histogram.of([0.4]).counts), dict(Histogram.of([0.01]).counts), 0.5)]
    figures.costs = [Cost(OURS, 7, 6, 2500, 0.5, 2.5, 25, _CPU)]
    figures.growth = [Growth(orders, {"sales": 100 + orders / 10_000}) for orders in (10_000, 20_000, 100_000)]
    return figures


def a_round(name: str, shape: str, clients: int, accepted: float) -> Round:
    latencies = dict(Histogram.of([clients / accepted] * 10).counts)
    return Round(name, shape, clients, accepted, accepted, accepted / 2, 1.0, latencies, _CPU)
