"""Turns recorded steps into calls: whose run of which sequence it was, and what belongs to it."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass

from chassis.steps import Step

from .comparing import Call, WhoDoesWhat, expected
from .design import Sequence
from .participants import SOMEBODY, SPEAKERS


@dataclass(frozen=True)
class Run:
    """What began as this sequence does, and all that happened inside of it, or because of what it emitted."""

    sequence: Sequence
    steps: tuple[Step, ...]
    calls: tuple[Call, ...]


def runs(steps: Several[Step], sequence: Sequence, designs: Iterable[Sequence]) -> list[Run]:
    """Every run of the sequence; `designs` are all there are, itself among them.

    What begins another one of them inside of a run belongs to that one, unless this design has the call, too.
    """
    by_id = {step.span_id: step for step in steps}
    beginnings = _beginnings(sequence)
    theirs = {call.who_does_what: call for other in designs for call in _beginnings(other)}
    foreign = [call for arrow, call in theirs.items() if arrow not in _arrows(sequence)]
    return [_run(sequence, steps, step, beginnings, foreign, by_id) for step in _outermost(steps, beginnings, by_id)]


def begun(steps: Several[Step], designs: Several[Sequence]) -> list[list[Run]]:
    """All that was begun. Two designs may begin with the same call: what began so is there as a run of either."""
    found: dict[str, list[Run]] = {}
    for sequence in designs:
        for run in runs(steps, sequence, designs):
            found.setdefault(run.steps[0].span_id, []).append(run)
    return list(found.values())


def as_call(step: Step, actor: str | None = None) -> Call:
    """Several events of one step are one note; a step that emits the same twice for two items has emitted it."""
    caller = actor or (SPEAKERS.get(step.heard_in, step.heard_in) if step.heard_in else step.caller)
    event = ", ".join(dict.fromkeys(step.emits)) or None
    return Call(caller or SOMEBODY, step.participant, step.action, event, error=step.error)


def _beginnings(sequence: Sequence) -> list[Call]:
    """The first call; where that may be absent, the next one, too."""
    calls = []
    for call in expected(sequence).in_order:
        calls.append(call)
        if not call.is_optional:
            break
    return calls


def _arrows(sequence: Sequence) -> set[WhoDoesWhat]:
    arrows = [*sequence.steps, *(arrow for path in sequence.exceptions for arrow in path.then)]
    return {(arrow.actor, arrow.target, arrow.action) for arrow in arrows}


def _outermost(steps: Several[Step], beginnings: Several[Call], by_id: Mapping[str, Step]) -> Iterator[Step]:
    """One that is inside of another of its kind is a part of that one."""
    begun = {step.span_id for step in steps if _is_one_of(step, beginnings)}
    for step in steps:
        if step.span_id in begun and not any(outer.span_id in begun for outer in _around(step, by_id)):
            yield step


def _run(
    sequence: Sequence,
    steps: Several[Step],
    beginning: Step,
    beginnings: Several[Call],
    foreign: Several[Call],
    by_id: Mapping[str, Step],
) -> Run:
    ours = [step for step in steps if step is beginning or _belongs(step, beginning, foreign, by_id)]
    actor = next(call.actor for call in beginnings if _is(beginning, call))
    return Run(sequence, tuple(ours), tuple(as_call(step, actor if step is beginning else None) for step in ours))


def _belongs(step: Step, beginning: Step, foreign: Several[Call], by_id: Mapping[str, Step]) -> bool:
    if _is_one_of(step, foreign):
        return False
    for outer in _around(step, by_id):
        if outer is beginning:
            return True
        if _is_one_of(outer, foreign):
            return False
    return False


def _is_one_of(step: Step, calls: Iterable[Call]) -> bool:
    return any(_is(step, call) for call in calls)


def _is(step: Step, call: Call) -> bool:
    """Whoever is not of ours and made a first call, only the design knows."""
    return (step.participant, step.action) == (call.target, call.action) and as_call(step).actor in (
        call.actor,
        SOMEBODY,
    )


def _around(step: Step, by_id: Mapping[str, Step]) -> Iterator[Step]:
    outer = by_id.get(step.outer_id or "")
    while outer is not None:
        yield outer
        outer = by_id.get(outer.outer_id or "")
