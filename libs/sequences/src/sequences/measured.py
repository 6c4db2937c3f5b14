"""How long the steps of a sequence took when they were last measured, and what the documents show of it."""

from collections.abc import Iterator, Mapping
from typing import Final

from .design import Form, Mode, Sequence, Step

ANSWER_WITHIN: Final = 200.0
"""Milliseconds, at p95: what is asked of an API."""
END_WITHIN: Final = 500.0
"""Likewise: what is asked of a whole sequence, with all that nobody waits for."""


class Spread(Form):
    """Milliseconds."""

    p50: float
    p95: float
    longest: float


class StepTiming(Form):
    took: Spread
    own: float
    """At the median, less what the steps inside of it took."""
    outbox: Spread | None = None
    queue: Spread | None = None
    """How long the event that brought it about was in the outbox, and then with the broker."""

    @property
    def part(self) -> float:
        """What the whole is longer by because of this step."""
        return self.own + sum(wait.p50 for wait in (self.outbox, self.queue) if wait)


class Timings(Form):
    """Of one sequence, run as planned."""

    runs: int
    first_call: Spread
    """What the caller waits."""
    whole: Spread
    """From the beginning of the first call to the end of the last step."""
    steps: Mapping[int, StepTiming]


class Measured(Form):
    measured: str = ""
    """When, on what and by which command."""
    sequences: Mapping[str, Timings] = {}


def timing_table(sequence: Sequence, timings: Timings, measured: str) -> Iterator[str]:
    yield from (f"Milliseconds, of {timings.runs} runs; {measured}", "")
    yield from ("| | p50 | p95 | longest | asked for | |", "|---|---:|---:|---:|---|---|")
    if _is_answered(sequence):
        met = timings.first_call.p95 < ANSWER_WITHIN
        yield f"| until the answer | {_figures(timings.first_call)} | p95 < {ANSWER_WITHIN:.0f} | {_met(met)} |"
    met = timings.whole.p95 < END_WITHIN
    yield f"| until the last step has ended | {_figures(timings.whole)} | p95 < {END_WITHIN:.0f} | {_met(met)} |"
    yield from ("", *_steps(sequence, timings), "")
    among = "that somebody waits for" if _is_answered(sequence) else "there are"
    yield "Critical, and in bold: the fewest steps that take more than half of the time, among those"
    yield f"{among}; of a step that has others inside, its own part counts, and so does what an event waited before."


def most_of_the_time(sequence: Sequence, timings: Timings) -> set[int]:
    """The numbers of the fewest steps that make up more than half of what is waited for."""
    measured = [step for step in sequence.steps if step.step in timings.steps]
    if _is_answered(sequence):
        measured = [step for step in measured if step.mode == Mode.SYNCHRONOUS]
    parts = {step.step: timings.steps[step.step].part for step in measured}
    found = set[int]()
    for number in sorted(parts, key=lambda number: parts[number], reverse=True):
        if sum(parts[one] for one in found) > sum(parts.values()) / 2:
            break
        found.add(number)
    return found


def _steps(sequence: Sequence, timings: Timings) -> Iterator[str]:
    has_waits = any(timing.outbox for timing in timings.steps.values())
    waits = (" in the outbox before | in the queue before |", "---:|---:|") if has_waits else ("", "")
    yield f"| step | | p50 | p95 | longest | own, p50 |{waits[0]}"
    yield f"|---|---|---:|---:|---:|---:|{waits[1]}"
    bold = most_of_the_time(sequence, timings)
    for step in sequence.steps:
        if timing := timings.steps.get(step.step):
            before = f" {_wait(timing.outbox)} | {_wait(timing.queue)} |" if has_waits else ""
            yield f"| {_name(step, is_bold=step.step in bold)} | {_figures(timing.took)} | {timing.own:.1f} |{before}"


def _name(step: Step, *, is_bold: bool) -> str:
    name = f"{step.target}: {step.action}"
    return f"**{step.step}** | **{name}**" if is_bold else f"{step.step} | {name}"


def _is_answered(sequence: Sequence) -> bool:
    return any(step.is_answer for step in sequence.steps)


def _met(met: bool) -> str:
    return "met" if met else "**not met**"


def _wait(wait: Spread | None) -> str:
    return f"{wait.p50:.1f}, p95 {wait.p95:.1f}" if wait else ""


def _figures(spread: Spread) -> str:
    return " | ".join(f"{value:.1f}" for value in (spread.p50, spread.p95, spread.longest))
