"""A plugin of pytest: a test that is marked with a sequence walks it as designed, and a whole run walks every path."""

from collections.abc import Iterator
from collections.abc import Sequence as Several
from pathlib import Path as File
from typing import Any, Final

import pytest

from chassis.steps import Recording, record

from .account import AS_PLANNED, IN_PROCESS, RABBITMQ, Account, Walk, missing, optional_ways, rules_table, table
from .comparing import Call, Difference, compare, expected
from .design import Path, Sequence
from .reading import Designs, read
from .seeing import begun

FOLDER: Final = File("docs/sequences")
WALKS: Final = File("tests/sequences")
MARKS: Final = (
    "sequence(id, exception=None): walks this sequence design, or this exception path of it",
    "rule(*ids): fails if one of these rules of docs/rules.md does not hold any more",
)
_WALKED: Final = "walked"
_BROKER: Final = "broker"
_HOLDS: Final = "holds"
_BROKERS_OWED: Final = {"": (IN_PROCESS, RABBITMQ), "not rabbitmq": (IN_PROCESS,)}
"""By what `-m` says."""
_NARROWED_BY: Final = {"keyword", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly", "setuponly"}
_NO_REASON: Final = "unconditional skip"

Claim = tuple[str, str | None]
"""A sequence, and one of its exception paths."""


class NotWalked(Exception):
    """A test did not walk what it claims to."""


class Holding:
    """Wherever tests run: a marked one is held to its design."""

    def __init__(self, folder: File) -> None:
        self._folder = folder
        self._designs: Designs | None = None

    @property
    def designs(self) -> Designs:
        if self._designs is None:
            self._designs = read(self._folder)
        return self._designs

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """What reports say of a test has to be on it before it runs: one that is skipped has claims, too."""
        for item in items:
            item.user_properties += [
                (_WALKED, f"{id} {AS_PLANNED if path is None else path}") for id, path in claims(item)
            ]
            item.user_properties += [(_HOLDS, rule) for mark in item.iter_markers("rule") for rule in mark.args]
            item.user_properties.append((_BROKER, RABBITMQ if item.get_closest_marker("rabbitmq") else IN_PROCESS))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        claimed = claims(item)
        if not claimed:
            return (yield)
        with record() as recording:
            try:
                result = yield
            except Exception as error:
                self._add_differences(error, claimed, recording)
                raise
        for sequence_id, path_id in claimed:
            seen = hold_to(self.designs, sequence_id, path_id, recording)
            item.user_properties += [(_WALKED, f"{sequence_id} {way}") for way in self._optional_in(sequence_id, seen)]
        return result

    def _add_differences(self, error: Exception, claimed: list[Claim], recording: Recording) -> None:
        """What a test misses at the end of a walk mostly comes of an arrow that is not as designed."""
        for sequence_id, path_id in claimed:
            try:
                hold_to(self.designs, sequence_id, path_id, recording)
            except NotWalked as difference:
                error.add_note(str(difference))

    def _optional_in(self, sequence_id: str, seen: Several[Several[Call]]) -> list[str]:
        sequence = self.designs.get(sequence_id)
        return optional_ways(sequence, seen) if sequence else []


class Accounting:
    """Where the run ends: says what was walked, and fails a whole run that has left out a path."""

    def __init__(self, config: pytest.Config, designs: Designs) -> None:
        self._config = config
        self._designs = designs
        self._account = Account()
        self._unwalked: list[Walk] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.split("[")[0].rpartition("::")[2]
        said = list(report.user_properties)
        broker = next((str(value) for name, value in said if name == _BROKER), IN_PROCESS)
        for name, value in said:
            if name == _HOLDS and _passed(report):
                self._account.note_rule(str(value), test)
            elif name == _WALKED:
                sequence_id, _, way = str(value).partition(" ")
                walk = Walk(sequence_id, way, broker)
                if _passed(report):
                    self._account.note_walk(walk, test)
                elif reason := _skipped_because(report):
                    self._account.skipped[walk] = reason

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        came_to_its_end = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not session.shouldfail
        if came_to_its_end and is_whole(self._config):
            brokers = _BROKERS_OWED[self._config.option.markexpr]
            self._unwalked = self._account.unwalked(self._designs, brokers)
        if self._unwalked:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        sections = {"sequences that were walked": table(self._seen(), self._account)}
        if is_whole(self._config):
            sections["rules that were held"] = rules_table(self._account.held)
        sections["paths that no passed test walked"] = missing(self._unwalked)
        for title, lines in sections.items():
            if written := list(lines):
                terminalreporter.section(title, bold=True)
                for line in written:
                    terminalreporter.write_line(line)

    def _seen(self) -> Designs:
        """All of them in a whole run; of a part of it those that it has come across."""
        seen = {walk.sequence_id for walk in (*self._account.walked, *self._account.skipped)}
        if is_whole(self._config):
            return self._designs
        return Designs({file: design for file, design in self._designs.by_file.items() if design.id in seen})


def pytest_configure(config: pytest.Config) -> None:
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    holding = Holding(config.rootpath / FOLDER)
    config.pluginmanager.register(holding, "sequences-holding")
    # Of several processes that share the tests, the one that gives them away hears of all.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Accounting(config, holding.designs), "sequences-accounting")


def is_whole(config: pytest.Config) -> bool:
    """Whether all walks were asked for: nothing was left out, and their folder is in what was named."""
    named = [File(config.invocation_params.dir, argument).resolve() for argument in config.args]
    walks = (config.rootpath / WALKS).resolve()
    return (
        config.option.markexpr in _BROKERS_OWED
        and not any(getattr(config.option, name, None) for name in _NARROWED_BY)
        and any(place == walks or place in walks.parents for place in named)
    )


def claims(item: pytest.Item) -> list[Claim]:
    try:
        return [_claim(*mark.args, **mark.kwargs) for mark in item.iter_markers("sequence")]
    except TypeError as error:
        # Of a word that is written wrongly would be left that the planned run is walked.
        raise pytest.UsageError(f"{item.nodeid}: the mark `sequence` takes an id and an exception: {error}") from None


def _claim(sequence_id: str, /, *, exception: str | None = None) -> Claim:
    return sequence_id, exception


def _passed(report: pytest.TestReport) -> bool:
    return report.when == "call" and report.passed


def _skipped_because(report: pytest.TestReport) -> str | None:
    """One that is expected to fail is reported as skipped, too; it has run, and did not walk."""
    if not report.skipped or hasattr(report, "wasxfail") or not isinstance(report.longrepr, tuple | list):
        return None
    reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    return None if reason == _NO_REASON else reason.partition("\n")[0]


def hold_to(designs: Designs, sequence_id: str, path_id: str | None, recording: Recording) -> list[tuple[Call, ...]]:
    """All runs of the sequence; raises unless some was this one, and every other one that is designed."""
    sequence = designs.get(sequence_id)
    if sequence is None:
        raise NotWalked(f"There is no design {sequence_id}.")
    path = None if path_id is None else sequence.path(path_id)
    if path_id is not None and path is None:
        raise NotWalked(f"{sequence_id} has no path {path_id}.")
    found = [
        (run.calls, others)
        for others in begun(recording.steps, designs.all)
        for run in others
        if run.sequence is sequence
    ]
    seen = [calls for calls, _ in found]
    if not seen:
        raise NotWalked(f"{sequence_id} was not begun: nothing did {expected(sequence).in_order[0]}.")
    differences = {index: compare(expected(sequence, path), run) for index, run in enumerate(seen)}
    if all(differences.values()):
        nearest = min(differences, key=lambda index: len(differences[index]))
        raise NotWalked(explain(sequence, path, differences[nearest], seen[nearest]))
    for calls, others in found:
        if not any(is_designed(run.sequence, run.calls) for run in others):
            raise NotWalked(explain(sequence, None, compare(expected(sequence), calls), calls))
    return seen


def is_designed(sequence: Sequence, run: Several[Call]) -> bool:
    return any(not compare(expected(sequence, path), run) for path in (None, *sequence.exceptions))


def explain(sequence: Sequence, path: Path | None, differences: Several[Difference], run: Several[Call]) -> str:
    lines = [f"{sequence.id} {sequence.name}, {path.id if path else AS_PLANNED}: this is not what was designed."]
    lines += [f"  {difference}" for difference in differences]
    lines += ["What was seen:", *(f"  {call}{_ending(call)}" for call in run)]
    return "\n".join(lines)


def _ending(call: Call) -> str:
    return f" ({call.error})" if call.error else f" [{call.event}]" if call.event else ""
