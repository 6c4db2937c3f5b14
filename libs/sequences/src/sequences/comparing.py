"""Compares what was seen with what was designed: which arrows are missing, which extra, which out of order."""

from collections.abc import Iterator
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum

from .design import Arrow, Mode, Path, Sequence, Step

WhoDoesWhat = tuple[str, str, str]


@dataclass(frozen=True)
class Call:
    """`actor → target: action`, as designed or as seen; `number` is its step in the design."""

    actor: str
    target: str
    action: str
    event: str | None = None
    number: int | None = None
    error: str | None = None
    is_optional: bool = False

    @property
    def who_does_what(self) -> WhoDoesWhat:
        return self.actor, self.target, self.action

    def __str__(self) -> str:
        return f"{self.actor} → {self.target}: {self.action}"


class Kind(StrEnum):
    MISSING = "missing"
    EXTRA = "extra"
    REORDERED = "reordered"
    EVENT = "event"
    ERROR = "error"


@dataclass(frozen=True)
class Difference:
    kind: Kind
    call: Call
    detail: str = ""

    def __str__(self) -> str:
        number = f"step {self.call.number}, " if self.call.number else ""
        return f"{self.kind}: {number}{self.call}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True)
class Expected:
    """What a run of one path shows: its calls in order, and those that others make afterwards, in no order."""

    in_order: tuple[Call, ...]
    afterwards: tuple[Call, ...]
    loops: tuple[frozenset[WhoDoesWhat], ...] = ()


def expected(sequence: Sequence, path: Path | None = None) -> Expected:
    in_order, afterwards = list[Call](), list[Call]()
    for step in sequence.steps:
        group = afterwards if step.mode == Mode.ASYNCHRONOUS else in_order
        if not step.is_answer and not (path and _is_cut_off(step, path)):
            group.append(_call(step, path))
        if path and path.step == step.step:
            group += [Call(arrow.actor, arrow.target, arrow.action, arrow.event) for arrow in path.then]
    loops = {step.loop for step in sequence.steps if step.loop}
    repeated = [
        frozenset(_who_does_what(step) for step in sequence.steps if step.loop == loop) for loop in sorted(loops)
    ]
    return Expected(tuple(in_order), tuple(afterwards), tuple(repeated))


def _call(step: Step, path: Path | None) -> Call:
    call = Call(step.actor, step.target, step.action, step.event, step.step, is_optional=step.is_optional)
    if path and path.step == step.step:
        event = step.event if path.step_succeeds else None
        return replace(call, event=event, error=path.step_ends_with, is_optional=False)
    if path and path.code and step.step == 1:
        # What is refused inside of the first call is what that one ends with.
        return replace(call, error=path.code)
    return call


def compare(wanted: Expected, seen: Several[Call]) -> list[Difference]:
    """What comes afterwards may come at any time, each in its own place among the calls that were seen."""
    left, afterwards = _without(_once_each_round(seen, wanted), wanted.afterwards)
    differences = list(_in_order(wanted.in_order, left))
    for call, found in afterwards:
        if found is not None:
            differences += _inside(call, found)
        elif not call.is_optional:
            differences.append(Difference(Kind.MISSING, call))
    return differences


def _is_cut_off(step: Step, path: Path) -> bool:
    if path.goes_on:
        return False
    return step.step > path.step or (step.step == path.step and path.step_is_absent)


def _who_does_what(arrow: Arrow) -> WhoDoesWhat:
    return arrow.actor, arrow.target, arrow.action


def _once_each_round(seen: Several[Call], wanted: Expected) -> list[Call]:
    """Of what a loop repeats only the first is left, unless a later one ended otherwise, or came after the loop."""
    left: list[Call] = []
    in_order = {call.who_does_what for call in wanted.in_order}
    over: set[frozenset[WhoDoesWhat]] = set()
    began: set[frozenset[WhoDoesWhat]] = set()
    for call in seen:
        its = {loop for loop in wanted.loops if call.who_does_what in loop}
        if call.who_does_what in in_order:
            over |= {loop for loop in began - its if loop <= in_order}
        began |= its
        if not its - over or not any(_is_same(call, other) for other in left):
            left.append(call)
    return left


def _is_same_arrow(call: Call, other: Call) -> bool:
    return call.who_does_what == other.who_does_what


def _is_same(call: Call, other: Call) -> bool:
    return (call.who_does_what, call.event, call.error) == (other.who_does_what, other.event, other.error)


def _without(seen: Several[Call], afterwards: Several[Call]) -> tuple[list[Call], list[tuple[Call, Call | None]]]:
    """Each is found once: first those that are as they should be, then what is left for the others."""
    left, found = list(seen), dict[int, Call]()
    for is_match in (_is_same, _is_same_arrow):
        for index, call in enumerate(afterwards):
            match = next((one for one in left if index not in found and is_match(one, call)), None)
            if match is not None:
                left.remove(match)
                found[index] = match
    return left, [(call, found.get(index)) for index, call in enumerate(afterwards)]


def _in_order(wanted: Several[Call], seen: Several[Call]) -> Iterator[Difference]:
    wanted = _less_what_may_be_absent(wanted, seen)
    matcher = SequenceMatcher(
        None, [call.who_does_what for call in wanted], [call.who_does_what for call in seen], autojunk=False
    )
    missing: list[Call] = []
    extra: list[Call] = []
    for tag, first, last, seen_first, seen_last in matcher.get_opcodes():
        if tag == "equal":
            for call, one in zip(wanted[first:last], seen[seen_first:seen_last], strict=True):
                yield from _inside(call, one)
        else:
            missing += wanted[first:last]
            extra += seen[seen_first:seen_last]
    for call in missing:
        elsewhere = next((one for one in extra if one.who_does_what == call.who_does_what), None)
        if elsewhere is None:
            yield Difference(Kind.MISSING, call)
        else:
            extra.remove(elsewhere)
            yield Difference(Kind.REORDERED, call)
            yield from _inside(call, elsewhere)
    for call in extra:
        yield Difference(Kind.EXTRA, call)


def _less_what_may_be_absent(wanted: Several[Call], seen: Several[Call]) -> list[Call]:
    present = {call.who_does_what for call in seen}
    return [call for call in wanted if not call.is_optional or call.who_does_what in present]


def _inside(wanted: Call, seen: Call) -> Iterator[Difference]:
    if wanted.event != seen.event:
        yield Difference(Kind.EVENT, wanted, f"emits {seen.event or 'nothing'}, not {wanted.event or 'anything'}")
    if wanted.error != seen.error:
        yield Difference(
            Kind.ERROR, wanted, f"ends with {seen.error or 'no error'}, not {wanted.error or 'without one'}"
        )
