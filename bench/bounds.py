"""What must hold, and whether it did in this run."""

from dataclasses import dataclass

from .figures import FLOOR, HOT, MANY, OURS, SLOW, USUAL, Figures, Round, old
from .histogram import Histogram


@dataclass(frozen=True)
class Bound:
    what: str
    wanted: str
    measured: str
    holds: bool | None
    """None where this run has not measured it."""


def bounds(figures: Figures) -> list[Bound]:
    return [
        _least("Accepting at 32 clients, of the floor", 0.7, _accepting(figures, OURS, FLOOR)),
        _least("Accepting at 32 clients, of the usual way", 5, _accepting(figures, OURS, USUAL)),
        _most("Accepting with 128 clients, p95", 200, figures.ms(95, OURS, MANY, 128), " ms"),
        _most("Alone (1 client), p50, of the usual way's", 1, _alone(figures)),
        _least("To DELIVERED at 32 clients, of the floor", 0.6, _delivering(figures)),
        _most("From accepting to DELIVERED at half of saturation, p95", 500, _wait(figures), " ms"),
        _least("One hot product, of many products", 0.8, _shapes(figures, HOT, MANY)),
        _least("Among a million old orders, of among ten", 0.9, _shapes(figures, old(1_000_000), old(10))),
        _least("Commits 2 ms slower, of as they are", 0.5, _shapes(figures, SLOW, MANY)),
        _most("Memory after 100,000 orders, of after 20,000, in the service that grew most", 1.1, _grown(figures)),
        _most("Outboxes and queues empty after the end of load, at half of saturation", 2, _empty(figures), " s"),
    ]


def _least(what: str, limit: float, measured: float | None, unit: str = " ×") -> Bound:
    return Bound(what, f"≥ {limit:g}{unit}", _said(measured, unit), None if measured is None else measured >= limit)


def _most(what: str, limit: float, measured: float | None, unit: str = " ×") -> Bound:
    return Bound(what, f"≤ {limit:g}{unit}", _said(measured, unit), None if measured is None else measured <= limit)


def _said(measured: float | None, unit: str) -> str:
    if measured is None:
        return "not in this run"
    return f"{measured:.0f}{unit}" if unit == " ms" else f"{measured:.2f}{unit}"


def _accepting(figures: Figures, one: str, other: str) -> float | None:
    return _ratio(figures.median(_accepted, one, MANY, 32), figures.median(_accepted, other, MANY, 32))


def _delivering(figures: Figures) -> float | None:
    return _ratio(figures.median(_delivered, OURS, MANY, 32), figures.median(_delivered, FLOOR, MANY, 32))


def _shapes(figures: Figures, one: str, other: str) -> float | None:
    return _ratio(figures.median(_accepted, OURS, one, 32), figures.median(_accepted, OURS, other, 32))


def _alone(figures: Figures) -> float | None:
    return _ratio(figures.ms(50, OURS, MANY, 1), figures.ms(50, USUAL, MANY, 1))


def _wait(figures: Figures) -> float | None:
    found = figures.waits_of(OURS)
    return Histogram.all_of(Histogram(each.seconds) for each in found).ms(95) if found else None


def _empty(figures: Figures) -> float | None:
    return max((each.empty_after for each in figures.waits_of(OURS)), default=None)


def _grown(figures: Figures) -> float | None:
    early = next((each for each in figures.growth if each.orders >= 20_000), None)
    if early is None:
        return None
    late = figures.growth[-1]
    return max(late.megabytes[service] / early.megabytes[service] for service in early.megabytes)


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _accepted(each: Round) -> float:
    return each.accepted


def _delivered(each: Round) -> float:
    return each.delivered
