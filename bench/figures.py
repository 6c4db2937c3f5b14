"""What a run has found, as it is kept between measuring and reporting: in one file of JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from .histogram import Histogram

FLOOR: Final = "floor"
USUAL: Final = "usual"
OURS: Final = "orderflow"
TRACED: Final = "orderflow, traced"

MANY: Final = "many products"
HOT: Final = "one hot product"
SHORT: Final = "a fifth is short"
REPEATS: Final = "each asked twice"
SLOW: Final = "commits 2 ms slower"
BURST: Final = "a burst after idle"


def old(orders: int) -> str:
    return f"{orders:,} old orders"


@dataclass(frozen=True)
class Round:
    """One load on one contestant, until all of it was delivered."""

    contestant: str
    shape: str
    clients: int
    answered: float
    """Requests a second, whatever the answer."""
    accepted: float
    """Orders a second."""
    delivered: float
    """Orders a second, from the beginning of the load until the last one was DELIVERED."""
    empty_after: float
    """Seconds from the end of the load until all was delivered, sent and heard."""
    latencies: Mapping[int, int]
    cpu: Mapping[str, float]
    """Milliseconds per order, by process."""
    unexpected: int = 0
    """Answers other than the shape asks for."""


@dataclass(frozen=True)
class Wait:
    """One round of orders that come steadily, from accepting to DELIVERED, at half of what the contestant delivers."""

    contestant: str
    rate: float
    seconds: Mapping[int, int]
    latencies: Mapping[int, int]
    empty_after: float


@dataclass(frozen=True)
class Cost:
    """What an order comes to, of all that the contestant was given; megabytes are those of its processes at the end."""

    contestant: str
    published: float
    heard: float
    message_bytes: float
    transactions: float
    statements: float | None
    """BEGIN and COMMIT included; None where the server does not tell."""
    rows: float
    megabytes: Mapping[str, float]


@dataclass(frozen=True)
class Growth:
    """The memory of each service after so many orders."""

    orders: int
    megabytes: Mapping[str, float]


@dataclass
class Figures:
    command: str
    taken_on: str
    machine: Mapping[str, str]
    options: Mapping[str, Any]
    rounds: list[Round] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)

    def of(self, contestant: str, shape: str = MANY, clients: int | None = None) -> list[Round]:
        return [
            each
            for each in self.rounds
            if each.contestant == contestant and each.shape == shape and clients in (None, each.clients)
        ]

    def median(self, what: Callable[[Round], float], *which: Any) -> float | None:
        found = self.of(*which)
        return median(map(what, found)) if found else None

    def ms(self, percent: float, *which: Any) -> float | None:
        """So many milliseconds at most in this share of the answers of all rounds."""
        found = self.of(*which)
        return Histogram.all_of(Histogram(each.latencies) for each in found).ms(percent) if found else None

    def waits_of(self, contestant: str) -> list[Wait]:
        return [each for each in self.waits if each.contestant == contestant]

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")


def read(file: Path) -> Figures:
    kept = json.loads(file.read_text())
    return Figures(
        **{
            **kept,
            "rounds": [Round(**{**each, "latencies": _counts(each["latencies"])}) for each in kept["rounds"]],
            "waits": [
                Wait(**{**each, "seconds": _counts(each["seconds"]), "latencies": _counts(each["latencies"])})
                for each in kept["waits"]
            ],
            "costs": [Cost(**each) for each in kept["costs"]],
            "growth": [Growth(**each) for each in kept["growth"]],
        }
    )


def _counts(kept: Mapping[str, int]) -> dict[int, int]:
    return {int(number): count for number, count in kept.items()}


def names(rounds: Sequence[Round]) -> list[str]:
    """The contestants, in the order of the tables."""
    return [name for name in (FLOOR, OURS, TRACED, USUAL) if any(each.contestant == name for each in rounds)]
