"""A plugin of pytest: a test that is marked with a sequence has to walk it as it is designed."""

from collections.abc import Iterator
from collections.abc import Sequence as Several
from pathlib import Path as File
from typing import Any, Final

import pytest

from chassis.steps import Recording, record

from .comparing import Call, Difference, compare, expected
from .design import Path, Sequence
from .reading import Designs, read
from .seeing import begun

FOLDER: Final = File("docs/sequences")
_WALKED: Final = "walked"
_PLANNED: Final = "as planned"


class NotWalked(Exception):
    """A test did not walk what it claims to."""


class Walking:
    def __init__(self, folder: File) -> None:
        self._folder = folder
        self._designs: Designs | None = None

    @property
    def designs(self) -> Designs:
        if self._designs is None:
            self._designs = read(self._folder)
        return self._designs

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        claims = [_claim(mark) for mark in item.iter_markers("sequence")]
        if not claims:
            return (yield)
        with record() as recording:
            result = yield
        for sequence_id, path_id in claims:
            hold_to(self.designs, sequence_id, path_id, recording)
            item.user_properties.append((_WALKED, f"{sequence_id} {path_id or _PLANNED}"))
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        walked: dict[str, set[str]] = {}
        for report in terminalreporter.stats.get("passed", []):
            for name, value in getattr(report, "user_properties", ()):
                if name == _WALKED:
                    walked.setdefault(value, set()).add(report.nodeid.split("[")[0].rpartition("::")[2])
        if walked:
            terminalreporter.section("sequences that were walked")
            for line in table(self.designs, walked):
                terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Walking(config.rootpath / FOLDER), "sequences-walking")


def hold_to(designs: Designs, sequence_id: str, path_id: str | None, recording: Recording) -> None:
    """Raises unless some run was this one, and every other run of the sequence one that is designed."""
    sequence = designs.get(sequence_id)
    if sequence is None:
        raise NotWalked(f"There is no design {sequence_id}.")
    path = sequence.path(path_id) if path_id else None
    if path_id and path is None:
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


def is_designed(sequence: Sequence, run: Several[Call]) -> bool:
    return any(not compare(expected(sequence, path), run) for path in (None, *sequence.exceptions))


def explain(sequence: Sequence, path: Path | None, differences: Several[Difference], run: Several[Call]) -> str:
    lines = [f"{sequence.id} {sequence.name}, {path.id if path else _PLANNED}: this is not what was designed."]
    lines += [f"  {difference}" for difference in differences]
    lines += ["What was seen:", *(f"  {call}{_ending(call)}" for call in run)]
    return "\n".join(lines)


def table(designs: Designs, walked: dict[str, set[str]]) -> Iterator[str]:
    for sequence in designs.all:
        yield f"{sequence.id}  {sequence.name}"
        for path_id in (_PLANNED, *(path.id for path in sequence.exceptions)):
            tests = sorted(walked.get(f"{sequence.id} {path_id}", ()))
            yield f"    {path_id:<40} {', '.join(tests) or '-'}"


def _claim(mark: pytest.Mark) -> tuple[str, str | None]:
    return mark.args[0], mark.kwargs.get("exception")


def _ending(call: Call) -> str:
    return f" ({call.error})" if call.error else f" [{call.event}]" if call.event else ""
