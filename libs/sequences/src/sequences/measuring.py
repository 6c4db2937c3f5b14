"""Measures the steps of designed sequences: from what a running system has recorded of runs that went as planned."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import median, quantiles

from chassis.steps import Step as Seen
from chassis.tracing import REQUEST

from .comparing import WhoDoesWhat, compare, expected
from .design import Sequence
from .measured import Spread, StepTiming, Timings
from .observing import Happened, Recorded, as_steps, observe
from .seeing import runs

_NONE = timedelta(0)


@dataclass(frozen=True)
class Trace:
    steps: Several[Seen]
    happened: Mapping[str, Happened]
    """The same ones, by their ids, with their times."""


def traces(spans: Iterable[Recorded]) -> list[Trace]:
    by_id = defaultdict[str, list[Recorded]](list)
    for span in spans:
        by_id[span.trace_id].append(span)
    return [Trace(as_steps(each), _with_requests(each)) for each in by_id.values()]


def measure(sequence: Sequence, designs: Several[Sequence], recorded: Iterable[Trace]) -> Timings | None:
    """None, where no run went as planned. `designs` are all there are."""
    found = list(_as_planned(sequence, designs, recorded))
    if not found:
        return None
    places, timed = _places(sequence), defaultdict[int, list[_Timed]](list)
    for run in found:
        for number, one in _numbered(run, places):
            timed[number].append(_Timed(one, _own(one, run)))
    return Timings(
        runs=len(found),
        first_call=_spread(run[0].took for run in found),
        whole=_spread(max(one.at + one.took for one in run) - run[0].at for run in found),
        steps={number: _timing(timed[number]) for number in sorted(timed)},
    )


@dataclass(frozen=True)
class _Timed:
    step: Happened
    own: timedelta


def _with_requests(spans: Several[Recorded]) -> dict[str, Happened]:
    """What a request was made for takes as long as the request: until the transaction is committed and answered."""
    requests = {span.span_id: span for span in spans if span.name == REQUEST}
    parents = {span.span_id: span.parent_id or "" for span in spans if span.participant}
    steps_of = Counter(parents.values())
    happened = {}
    for one in observe(spans):
        request = requests.get(parents[one.id])
        happened[one.id] = _as_long_as(one, request) if request and steps_of[request.span_id] == 1 else one
    return happened


def _as_long_as(one: Happened, request: Recorded) -> Happened:
    return replace(one, at=request.started_at, took=request.ended_at - request.started_at)


def _as_planned(sequence: Sequence, designs: Several[Sequence], recorded: Iterable[Trace]) -> Iterator[list[Happened]]:
    """Each begins with its first call."""
    for trace in recorded:
        for run in runs(trace.steps, sequence, designs):
            if not compare(expected(sequence), run.calls):
                seen = zip(run.steps, run.calls, strict=True)
                # Whose the first call was, only the design knows.
                yield [replace(trace.happened[step.span_id], call=call) for step, call in seen]


def _places(sequence: Sequence) -> dict[WhoDoesWhat, list[int]]:
    """The numbers of the steps that have this arrow."""
    places = defaultdict[WhoDoesWhat, list[int]](list)
    for step in sequence.steps:
        if not step.is_answer:
            places[step.actor, step.target, step.action].append(step.step)
    return places


def _numbered(run: Several[Happened], places: Mapping[WhoDoesWhat, Several[int]]) -> Iterator[tuple[int, Happened]]:
    """What happens more often than it is designed is a loop's: it counts for the last of them."""
    seen = defaultdict[WhoDoesWhat, int](int)
    for one in run:
        arrow = one.call.who_does_what
        if numbers := places.get(arrow):
            yield numbers[min(seen[arrow], len(numbers) - 1)], one
            seen[arrow] += 1


def _own(one: Happened, run: Several[Happened]) -> timedelta:
    """What it brought about by an event, after its end, is no part of it."""
    end = one.at + one.took
    inside = [min(other.at + other.took, end) - other.at for other in run if other.inside == one.id]
    return max(_NONE, one.took - sum((each for each in inside if each > _NONE), _NONE))


def _timing(timed: Several[_Timed]) -> StepTiming:
    waits = [one.step.after for one in timed if one.step.after]
    return StepTiming(
        took=_spread(one.step.took for one in timed),
        own=round(median(_ms(one.own) for one in timed), 2),
        outbox=_spread(wait.outbox for wait in waits) if waits else None,
        queue=_spread(wait.queue for wait in waits) if waits else None,
    )


def _spread(times: Iterable[timedelta]) -> Spread:
    known = [_ms(time) for time in times]
    p95 = quantiles(known, n=20, method="inclusive")[-1] if len(known) > 1 else known[0]
    return Spread(p50=round(median(known), 2), p95=round(p95, 2), longest=round(max(known), 2))


def _ms(time: timedelta) -> float:
    return time / timedelta(milliseconds=1)
