"""What a test run has walked, path by path and broker by broker, and what a whole one owes."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass, field
from typing import Final

from .comparing import Call
from .design import Sequence, Step
from .reading import Designs

IN_PROCESS: Final = "in process"
RABBITMQ: Final = "rabbitmq"
AS_PLANNED: Final = "as planned"


@dataclass(frozen=True, order=True)
class Walk:
    """Of one way through a sequence, on one broker."""

    sequence_id: str
    way: str
    broker: str


@dataclass
class Account:
    walked: dict[Walk, set[str]] = field(default_factory=dict)
    """By which tests, as for the rules."""
    skipped: dict[Walk, str] = field(default_factory=dict)
    """And for what reason."""
    held: dict[str, set[str]] = field(default_factory=dict)

    def note_walk(self, walk: Walk, test: str) -> None:
        self.walked.setdefault(walk, set()).add(test)

    def note_rule(self, rule: str, test: str) -> None:
        self.held.setdefault(rule, set()).add(test)

    def unwalked(self, designs: Designs, brokers: Iterable[str]) -> list[Walk]:
        """A walk that was skipped for a reason is not owed, and neither is what may be seen on it only."""
        owed = [Walk(one.id, way, broker) for one in designs.all for way in ways(one) for broker in brokers]
        return sorted(walk for walk in owed if walk not in self.walked and not self._is_excused(walk, designs))

    def _is_excused(self, walk: Walk, designs: Designs) -> bool:
        sequence = designs.get(walk.sequence_id)
        if sequence is None or walk.way not in map(_with, _optional(sequence)):
            return walk in self.skipped
        return any((one.sequence_id, one.broker) == (walk.sequence_id, walk.broker) for one in self.skipped)


def ways(sequence: Sequence) -> list[str]:
    """The planned run, that with each step that it may do without, and the other paths."""
    return [AS_PLANNED, *map(_with, _optional(sequence)), *(path.id for path in sequence.exceptions)]


def optional_ways(sequence: Sequence, seen: Iterable[Several[Call]]) -> list[str]:
    """A step that may be absent is walked only where it is there: nobody would miss it otherwise."""
    present = {call.who_does_what for run in seen for call in run if not call.error}
    return [_with(step) for step in _optional(sequence) if (step.actor, step.target, step.action) in present]


def table(designs: Designs, account: Account) -> Iterator[str]:
    """A line for each way, and each set of brokers that the same tests walked it on."""
    for sequence in designs.all:
        yield f"{sequence.id}  {sequence.name}"
        for way in ways(sequence):
            lines = list(_lines(sequence.id, way, account)) or ["-"]
            yield f"    {way:<40} {lines[0]}"
            for line in lines[1:]:
                yield f"    {'':<40} {line}"


def rules_table(held: Mapping[str, set[str]]) -> Iterator[str]:
    for rule, tests in sorted(held.items()):
        yield f"{rule:<14} {', '.join(sorted(tests))}"


def missing(walks: Several[Walk]) -> Iterator[str]:
    """A line for each way, with the brokers that nobody walked it on."""
    brokers: dict[tuple[str, str], list[str]] = {}
    for walk in walks:
        brokers.setdefault((walk.sequence_id, walk.way), []).append(walk.broker)
    for (sequence_id, way), names in brokers.items():
        yield f"{sequence_id} {way}: {', '.join(names)}"


def _lines(sequence_id: str, way: str, account: Account) -> Iterator[str]:
    walks = [Walk(sequence_id, way, broker) for broker in (IN_PROCESS, RABBITMQ)]
    brokers_of: dict[str, list[str]] = {}
    for walk in walks:
        for test in sorted(account.walked.get(walk, ())):
            brokers_of.setdefault(test, []).append(walk.broker)
    for brokers in dict.fromkeys(map(tuple, brokers_of.values())):
        tests = [test for test, names in brokers_of.items() if tuple(names) == brokers]
        yield f"{', '.join(brokers):<22} {', '.join(tests)}"
    for walk in walks:
        if walk in account.skipped and walk not in account.walked:
            yield f"{walk.broker:<22} skipped: {account.skipped[walk]}"


def _optional(sequence: Sequence) -> list[Step]:
    return [step for step in sequence.steps if step.is_optional]


def _with(step: Step) -> str:
    return f"with step {step.step}, {step.action}"
