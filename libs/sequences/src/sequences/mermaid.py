"""Draws sequences and lives in mermaid, as GitHub shows them."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import Final

from .comparing import Call
from .design import Arrow, Mode, ParticipantKind, Path, Sequence, Step

_ANSWER, _CALL, _LATER, _CROSS = "-->>", "->>", "-)", "-x"
LEGEND: Final = {
    _CALL: "a call",
    _ANSWER: "its answer, or the refusal that it ends with",
    _LATER: "a call that nobody waits for",
    _CROSS: "a call that fails",
    "Note": "an event that is emitted there, or what goes otherwise",
    "loop": "again for each of these",
    "opt": "only where there is cause for it",
    "par": "at the same time as what stands behind each `and`",
}


def sequence_diagram(sequence: Sequence) -> str:
    drawing = _Drawing(sequence)
    drawing.steps(sequence.steps)
    return drawing.text()


def error_flow(sequence: Sequence, path: Path) -> str:
    """Up to the step that does not end as planned, and what follows then."""
    drawing = _Drawing(sequence)
    step, after = sequence.steps[path.step - 1], sequence.steps[path.step :]
    drawing.steps(sequence.steps[: path.step - 1])
    if path.step_is_absent:
        drawing.note((step.actor,), path.condition)
    elif path.step_ends_with is None:
        drawing.step(step, event=step.event if path.step_succeeds else None)
        drawing.comes_back(step)
        drawing.note((step.actor, step.target), path.condition)
    else:
        drawing.fails(step)
        drawing.note((step.actor, step.target), path.condition)
    drawing.leave_block()
    for arrow in path.then:
        drawing.follows(step, arrow)
    if path.goes_on:
        drawing.steps([one for one in after if one.step not in path.without])
    elif path.code is not None:
        drawing.refuse(step, path.code)
    else:
        drawing.steps([one for one in after if one.is_answer])
    return drawing.text()


def state_diagram(life: Mapping[str, Iterable[str]], begins: Several[str] = ()) -> str:
    """Of a transition table: what leads nowhere is an end, and lives begin where it is said, or where nothing leads."""
    reached = {after for following in life.values() for after in following}
    beginnings = begins or [status for status in life if status not in reached]
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {status}" for status in beginnings]
    lines += [f"    {status} --> {after}" for status in life for after in sorted(life[status])]
    lines += [f"    {status} --> [*]" for status in life if not life[status]]
    return "\n".join(lines)


def observed_diagram(calls: Several[Call]) -> str:
    names = list(dict.fromkeys(name for call in calls for name in (call.actor, call.target)))
    lines = ["sequenceDiagram", "    autonumber", *(f"    participant {name}" for name in names)]
    for call in calls:
        lines.append(f"    {call.actor}{_CROSS if call.error else _CALL}{call.target}: {call.action}")
        if call.event:
            lines.append(f"    Note right of {call.target}: {call.event}")
        if call.error:
            lines.append(f"    Note right of {call.target}: {call.error}")
    return "\n".join(lines)


class _Drawing:
    """A call stays open while its target calls others; its answer stands behind those."""

    def __init__(self, sequence: Sequence) -> None:
        self._first = sequence.steps[0]
        self._is_answered_by_a_step = any(step.is_answer for step in sequence.steps)
        self._last_waited_for = max((step.step for step in sequence.steps if step.mode == Mode.SYNCHRONOUS), default=0)
        self._blocks = _blocks(sequence)
        self._open: list[Arrow] = []
        self._failed: Arrow | None = None
        self._block: _Block | None = None
        self._opened_before = 0
        self._lines = ["sequenceDiagram", "    autonumber", *_cast(sequence)]

    def text(self) -> str:
        self.leave_block()
        self._close_down_to(0)
        return "\n".join(self._lines)

    def steps(self, steps: Several[Step]) -> None:
        for step in steps:
            if step.step == self._last_waited_for + 1:
                self.leave_block()
                self._close_down_to(0)
            self.step(step, event=step.event)

    def step(self, step: Step, *, event: str | None) -> None:
        self._enter_block_of(step)
        if step.is_answer:
            self._answer(step)
        elif step.mode == Mode.ASYNCHRONOUS:
            self._line(step, _LATER, event)
        else:
            self.call(step, event=event)

    def call(self, arrow: Arrow, *, event: str | None) -> None:
        self._close_until_called(arrow.actor)
        self._line(arrow, _CALL, event)
        if arrow.actor != arrow.target:
            self._open.append(arrow)

    def fails(self, step: Step) -> None:
        self._enter_block_of(step)
        self._close_until_called(step.actor)
        self._line(step, _CROSS, None)
        self._failed = step
        self._open.append(step)

    def follows(self, step: Step, arrow: Arrow) -> None:
        """Of those whom nobody has called, nor this step, nobody waits for what they do."""
        waited_for = {self._first.actor, step.actor, step.target, *(call.target for call in self._open)}
        if step.mode == Mode.ASYNCHRONOUS or arrow.actor not in waited_for:
            self._line(arrow, _LATER, arrow.event)
        else:
            self.call(arrow, event=arrow.event)

    def comes_back(self, step: Step) -> None:
        if self._open and self._open[-1] is step is not self._first:
            self._close_down_to(len(self._open) - 1)

    def refuse(self, step: Step, code: str) -> None:
        """Whoever made the first call is told, if they still wait; else who made this one."""
        refused = self._first if self._first in self._open else step
        self._open.clear()
        self._lines.append(f"    {refused.target}{_ANSWER}{refused.actor}: {code}")

    def leave_block(self) -> None:
        if self._block:
            self._close_down_to(self._opened_before)
            self._lines.append("    end")
        self._block = None

    def note(self, names: Several[str], words: str) -> None:
        self._lines.append(f"    Note over {','.join(dict.fromkeys(names))}: {_plain(words)}")

    def _answer(self, step: Step) -> None:
        self._close_down_to(1)
        self._open.clear()
        what = f" ({_plain(self._first.returns)})" if self._first.returns else ""
        self._lines.append(f"    {step.actor}{_ANSWER}{step.target}: {step.action}{what}")

    def _line(self, arrow: Arrow, line: str, event: str | None) -> None:
        self._lines.append(f"    {arrow.actor}{line}{arrow.target}: {arrow.action}")
        if event:
            self._lines.append(f"    Note right of {arrow.target}: {event}")

    def _close_until_called(self, actor: str) -> None:
        called = [index for index, arrow in enumerate(self._open) if arrow.target == actor]
        self._close_down_to(called[-1] + 1 if called else 0)

    def _close_down_to(self, depth: int) -> None:
        while len(self._open) > depth:
            arrow = self._open.pop()
            is_left_to_a_step = arrow is self._first and self._is_answered_by_a_step
            if arrow.returns and arrow is not self._failed and not is_left_to_a_step:
                self._lines.append(f"    {arrow.target}{_ANSWER}{arrow.actor}: {_plain(arrow.returns)}")

    def _enter_block_of(self, step: Step) -> None:
        """What was called inside of a block is answered there."""
        wanted = self._blocks.get(step.step)
        if wanted == self._block:
            return
        if wanted and self._block and wanted.beside == self._block.beside is not None:
            self._close_down_to(self._opened_before)
            self._lines.append("    and at the same time")
        else:
            self.leave_block()
            if wanted:
                self._close_until_called(step.actor)
                # Whoever began it all waits on, also where that had no need to be begun.
                self._opened_before = max(len(self._open), int(step is self._first))
                self._lines.append(f"    {_plain(wanted.opening)}")
        self._block = wanted


@dataclass(frozen=True)
class _Block:
    opening: str
    beside: int | None = None
    """Which of the things that happen at the same time it belongs to, and which branch of that it is."""
    branch: int | None = None


def _blocks(sequence: Sequence) -> dict[int, _Block]:
    blocks = {step.step: _Block(f"loop each {step.loop}") for step in sequence.steps if step.loop}
    for step in sequence.steps:
        if step.is_optional and not step.loop:
            blocks[step.step] = _Block("opt where there is cause")
    for index, each in enumerate(sequence.concurrency):
        for number, branch in enumerate(each.branches):
            blocks |= dict.fromkeys(branch, _Block("par at the same time", index, number))
    return blocks


def _cast(sequence: Sequence) -> Iterator[str]:
    for participant in sequence.participants:
        kind = "actor" if participant.type == ParticipantKind.ACTOR else "participant"
        yield f"    {kind} {participant.name}"


def _plain(text: str) -> str:
    """A semicolon ends a line of mermaid's, and a hash begins an entity."""
    return text.replace("#", "").replace(";", ",").rstrip(".")
