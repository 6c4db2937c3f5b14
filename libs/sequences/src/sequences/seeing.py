"""Turns recorded steps into calls: whose run of which sequence it was, and what belongs to it."""

from collections.abc import Mapping
from collections.abc import Sequence as Several

from chassis.steps import Step

from .comparing import Call
from .participants import SOMEBODY, SPEAKERS


def runs(steps: Several[Step], first: Call) -> list[list[Call]]:
    """Every run that begins with this call: all that happened inside of it, or because of what it emitted."""
    beginnings = [step for step in steps if _is_begun_by(first, step)]
    inside = {step.span_id: step for step in steps}
    # One that is inside of another of its kind is a part of that one.
    outermost = [step for step in beginnings if not any(_is_inside(step, other, inside) for other in beginnings)]
    return [_calls(steps, beginning, first.actor, inside) for beginning in outermost]


def as_call(step: Step, actor: str | None = None) -> Call:
    """Several events of one step are one note; a step that emits the same twice for two items has emitted it."""
    caller = actor or (SPEAKERS.get(step.heard_in, step.heard_in) if step.heard_in else step.caller)
    event = ", ".join(dict.fromkeys(step.emits)) or None
    return Call(caller or SOMEBODY, step.participant, step.action, event, error=step.error)


def _is_begun_by(first: Call, step: Step) -> bool:
    """The same, done by another of ours for a purpose of its own, is no run."""
    call = as_call(step)
    return (call.target, call.action) == (first.target, first.action) and call.actor in (SOMEBODY, first.actor)


def _calls(steps: Several[Step], beginning: Step, actor: str, by_id: Mapping[str, Step]) -> list[Call]:
    return [
        as_call(step, actor if step is beginning else None)
        for step in steps
        if step is beginning or _is_inside(step, beginning, by_id)
    ]


def _is_inside(step: Step, other: Step, by_id: Mapping[str, Step]) -> bool:
    outer = by_id.get(step.outer_id or "")
    while outer is not None and outer is not other:
        outer = by_id.get(outer.outer_id or "")
    return outer is other
