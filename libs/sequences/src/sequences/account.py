"""What a test run has walked, path by path and broker by broker, and what a whole one owes."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass, field
from typing import Final

from .reading import Designs

IN_PROCESS: Final = "in process"
RABBITMQ: Final = "rabbitmq"
AS_PLANNED: Final = "as planned"


@dataclass(frozen=True, order=True)
class Walk:
    """Of one path, or of the planned run, on one broker."""

    sequence_id: str
    path_id: str
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
        """A walk that was skipped for a reason is not owed."""
        owed = {Walk(*path, broker) for path in paths(designs) for broker in brokers}
        return sorted(owed - self.walked.keys() - self.skipped.keys())


def paths(designs: Designs) -> Iterator[tuple[str, str]]:
    for sequence in designs.all:
        yield sequence.id, AS_PLANNED
        for path in sequence.exceptions:
            yield sequence.id, path.id


def table(designs: Designs, account: Account) -> Iterator[str]:
    """A line for each path and each set of brokers that the same tests walked it on."""
    for sequence in designs.all:
        yield f"{sequence.id}  {sequence.name}"
        for path_id in (AS_PLANNED, *(path.id for path in sequence.exceptions)):
            lines = list(_path(sequence.id, path_id, account)) or ["-"]
            yield f"    {path_id:<40} {lines[0]}"
            for line in lines[1:]:
                yield f"    {'':<40} {line}"


def rules_table(held: Mapping[str, set[str]]) -> Iterator[str]:
    for rule, tests in sorted(held.items()):
        yield f"{rule:<14} {', '.join(sorted(tests))}"


def missing(walks: Several[Walk]) -> Iterator[str]:
    """A line for each path, with the brokers that nobody walked it on."""
    brokers: dict[tuple[str, str], list[str]] = {}
    for walk in walks:
        brokers.setdefault((walk.sequence_id, walk.path_id), []).append(walk.broker)
    for (sequence_id, path_id), names in brokers.items():
        yield f"{sequence_id} {path_id}: {', '.join(names)}"


def _path(sequence_id: str, path_id: str, account: Account) -> Iterator[str]:
    walks = [Walk(sequence_id, path_id, broker) for broker in (IN_PROCESS, RABBITMQ)]
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
