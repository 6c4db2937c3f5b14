"""Compares what was seen with what was designed: which arrows are missing, which extra, which out of order."""

from collections import Counter
from collections.abc import Iterator, Mapping
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
    transaction: str | None = None

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
    """What a run of one path shows: its calls in order, and those that others make afterwards.

    These may come at any time, and are in order inside of a transaction only.
    """

    in_order: tuple[Call, ...]
    afterwards: tuple[Call, ...]
    loops: tuple[frozenset[WhoDoesWhat], ...] = ()

    @property
    def run(self) -> tuple[Call, ...]:
        """One that is just so."""
        return *self.in_order, *self.afterwards


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
    call = Call(
        step.actor,
        step.target,
        step.action,
        step.event,
        step.step,
        is_optional=step.is_optional,
        transaction=step.transaction,
    )
    if path and path.step == step.step:
        event = step.event if path.step_succeeds else None
        return replace(call, event=event, error=path.step_ends_with, is_optional=False)
    if path and path.code and step.step == 1:
        # What is refused inside of the first call is what that one ends with.
        return replace(call, error=path.code)
    return call


def compare(wanted: Expected, seen: Several[Call]) -> list[Difference]:
    """What comes afterwards may come at any time, each in its own place among the calls that were seen."""
    seen = _once_each_round(seen, wanted)
    places = _find(wanted.afterwards, seen)
    left = [call for place, call in enumerate(seen) if place not in places.values()]
    return [*_in_order(wanted.in_order, left), *_afterwards(wanted.afterwards, seen, places)]


def _is_cut_off(step: Step, path: Path) -> bool:
    if step.step == path.step:
        return path.step_is_absent
    return step.step > path.step and (not path.goes_on or step.step in path.without)


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


def _find(afterwards: Several[Call], seen: Several[Call]) -> dict[int, int]:
    """Where each was seen, once: first those that are as they should be, then what is left for the others."""
    places = dict[int, int]()
    for is_match in (_is_same, _is_same_arrow):
        for index, call in enumerate(afterwards):
            free = (place for place, one in enumerate(seen) if place not in places.values() and is_match(one, call))
            if index not in places and (place := next(free, None)) is not None:
                places[index] = place
    return places


def _afterwards(wanted: Several[Call], seen: Several[Call], places: Mapping[int, int]) -> Iterator[Difference]:
    furthest = dict[str, int]()
    for index, call in enumerate(wanted):
        place = places.get(index)
        if place is None:
            if not call.is_optional:
                yield Difference(Kind.MISSING, call)
            continue
        yield from _inside(call, seen[place])
        if call.transaction and place < furthest.setdefault(call.transaction, place):
            yield Difference(Kind.REORDERED, call)
        elif call.transaction:
            furthest[call.transaction] = place


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
    """Of calls that are alike, those that have to be there come first."""
    to_spare = Counter(call.who_does_what for call in seen)
    to_spare.subtract(call.who_does_what for call in wanted if not call.is_optional)
    left = []
    for call in wanted:
        if call.is_optional:
            to_spare[call.who_does_what] -= 1
        if not call.is_optional or to_spare[call.who_does_what] >= 0:
            left.append(call)
    return left


def _inside(wanted: Call, seen: Call) -> Iterator[Difference]:
    if wanted.event != seen.event:
        yield Difference(Kind.EVENT, wanted, f"emits {seen.event or 'nothing'}, not {wanted.event or 'anything'}")
    if wanted.error != seen.error:
        yield Difference(
            Kind.ERROR, wanted, f"ends with {seen.error or 'no error'}, not {wanted.error or 'without one'}"
        )
