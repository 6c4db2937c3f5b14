"""The document of the whole: what all sequences share, and each of them in a line."""

from collections.abc import Iterator
from collections.abc import Sequence as Several
from typing import Final

from .beside import Beside
from .design import Mode, ParticipantKind, Sequence, Step
from .markdown import as_json, duration, fenced, section, table
from .measured import Timings, most_of_the_time
from .mermaid import LEGEND, state_diagram
from .timing import critical

NOTE: Final = "<!-- Drawn by `orderflow sequences draw` from the designs. Changes here are lost. -->"
KINDS: Final = {
    ParticipantKind.ACTOR: "user",
    ParticipantKind.SERVICE: "internal",
    ParticipantKind.AGGREGATE: "internal",
    ParticipantKind.EXTERNAL: "external",
}


def overview(sequences: Several[Sequence], beside: Beside) -> Iterator[str]:
    yield from (NOTE, "", "# Sequence designs", "")
    yield from section("Document information", _information(sequences, beside))
    yield from section("Overview", _each(sequences))
    yield from section("Legend", table(("", ""), [(f"`{sign}`", meaning) for sign, meaning in LEGEND.items()]))
    yield from section("Key actors and systems", _everybody(sequences, beside))
    yield from section("Errors", _errors(beside))
    yield from section("Critical paths", _critical_paths(sequences))
    yield from section("Timing", _timing(sequences, beside))
    yield from section("Time-outs", _limits(beside))
    yield from section("Concurrency", (f"- {what} {joined}" for what, joined in beside.concurrency))
    yield from section("States", _states(beside))
    yield from section("Integration points", _integration(sequences, beside))
    yield from section("Security", _security(sequences, beside))
    yield from section("Notes and assumptions", (f"- {note}" for note in beside.notes))


def _information(sequences: Several[Sequence], beside: Beside) -> Iterator[str]:
    paths = sum(len(sequence.exceptions) for sequence in sequences)
    rows = [
        ("project", beside.project),
        ("version", beside.version),
        ("date", "that of the commit: what is drawn is checked to be of today's designs and code"),
        ("holds", f"{len(sequences)} sequences with {paths} other paths"),
        ("drawn from", "the designs one folder up, the contracts, transition tables and settings in the code"),
        ("payloads", "real runs, of the tests that walk the sequences"),
        ("times", beside.measured or "not measured yet"),
    ]
    yield from table(("", ""), rows)


def _each(sequences: Several[Sequence]) -> Iterator[str]:
    yield "Each is a JSON file one folder up: who calls whom, in which order, and what else may happen. The code names"
    yield "its steps after them, and the tests that walk them are held to what stands here."
    yield ""
    rows = [
        (f"[{each.id}]({each.id}.md)", each.name, each.trigger.type, str(len(each.steps)), str(len(each.exceptions)))
        for each in sequences
    ]
    yield from table(("sequence", "", "trigger", "steps:", "other paths:"), rows)


def _everybody(sequences: Several[Sequence], beside: Beside) -> Iterator[str]:
    everybody = {one.name: KINDS[one.type] for sequence in sequences for one in sequence.participants}
    rows = [(name, beside.roles.get(name, ""), everybody[name]) for name in sorted(everybody)]
    yield from table(("name", "what it is", "type"), rows)


def _errors(beside: Beside) -> Iterator[str]:
    if beside.error is not None:
        yield from ("Every refusal, of every service, has one form:", "", *as_json(beside.error), "")
    if beside.failures:
        yield from ("What can happen to any request, whatever its sequence:", "")
        rows = [(one.what, one.when, f"{one.status} `{one.code}`", one.then) for one in beside.failures]
        yield from (*table(("", "when", "answer", "what then"), rows), "")
    if beside.codes:
        yield from ("All codes:", "")
        by_status = sorted((status, code, meaning) for code, (status, meaning) in beside.codes.items())
        code_rows = [(str(status), f"`{code}`", meaning) for status, code, meaning in by_status]
        yield from table(("status:", "code", "meaning"), code_rows)


def _critical_paths(sequences: Several[Sequence]) -> Iterator[str]:
    rows = []
    for each in sequences:
        calls = [step for step in each.steps if not step.is_answer]
        rows.append(
            (
                each.id,
                _list(step for step in calls if step.mode == Mode.SYNCHRONOUS),
                _list(step for step in calls if step.mode == Mode.ASYNCHRONOUS),
                _list(step for step in calls if step.is_cacheable),
                "; ".join(_transactions(calls)),
            )
        )
    heads = ("sequence", "synchronous: before the answer", "asynchronous", "cacheable", "atomic")
    yield from table(heads, rows)


def _transactions(steps: Several[Step]) -> Iterator[str]:
    for name in dict.fromkeys(step.transaction for step in steps if step.transaction):
        yield f"{name}: {_list(step for step in steps if step.transaction == name)}"


def _timing(sequences: Several[Sequence], beside: Beside) -> Iterator[str]:
    if beside.due:
        due = [(one.of, f"< {duration(one.within)}") for one in beside.due.values()]
        yield from (*table(("required, of 95 in 100", ""), due), "")
    yield "Critical are the fewest steps that take more than half of what is waited for, or, where nothing is measured,"
    yield "those in which somebody waits for what is outside of the process."
    yield f"Milliseconds; {beside.measured}" if beside.measured else "Nothing is measured yet."
    yield ""
    rows = []
    for each in sequences:
        timings = beside.timings.get(each.id)
        figures = (
            (timings.first_call.p50, timings.first_call.p95, timings.whole.p95, timings.whole.longest)
            if timings
            else ()
        )
        shown = [f"{figure:.1f}" for figure in figures] or [""] * 4
        rows.append((each.id, *shown, ", ".join(f"{step.step} {step.action}" for step in _critical(each, timings))))
    heads = ("sequence", "answered, p50:", "p95:", "all done, p95:", "longest:", "critical steps")
    yield from table(heads, rows)


def _critical(sequence: Sequence, timings: Timings | None) -> Iterator[Step]:
    if timings is None:
        return critical(sequence)
    most = most_of_the_time(sequence, timings)
    return (step for step in sequence.steps if step.step in most)


def _limits(beside: Beside) -> Iterator[str]:
    if beside.limits:
        rows = [(one.of, duration(one.longest), one.setting, one.then) for one in beside.limits.values()]
        yield from table(("of", "longest:", "set by", "what happens then"), rows)


def _states(beside: Beside) -> Iterator[str]:
    for entity, life in beside.lives.items():
        yield from (f"### {entity}", "", *fenced("mermaid", state_diagram(life, beside.begins.get(entity, ()))), "")


def _integration(sequences: Several[Sequence], beside: Beside) -> Iterator[str]:
    if beside.systems:
        rows = [(one.name, one.used_for, one.by, one.when_it_is_away) for one in beside.systems]
        yield from (*table(("system", "for", "by", "when it is away"), rows), "")
    if beside.events:
        heads = ("event", "type", "published by", "heard by", "says", "in")
        event_rows = [
            (
                one.domain_name,
                f"`{one.event_type}`",
                one.source,
                ", ".join(one.heard_by) or "none of ours",
                one.says,
                ", ".join(_emitting(sequences, one.domain_name)),
            )
            for one in beside.events
        ]
        yield from table(heads, event_rows)


def _emitting(sequences: Several[Sequence], event: str) -> Iterator[str]:
    for each in sequences:
        arrows = (*each.steps, *(arrow for path in each.exceptions for arrow in path.then))
        if any(arrow.event and event in arrow.event.split(", ") for arrow in arrows):
            yield f"[{each.id}]({each.id}.md)"


def _security(sequences: Several[Sequence], beside: Beside) -> Iterator[str]:
    yield from (f"- {each}" for each in beside.security)
    rows = [(each.id, each.name, each.security.who) for each in sequences if each.security]
    if rows:
        yield from ("", *table(("sequence", "", "who may begin it"), rows))


def _list(steps: Iterator[Step]) -> str:
    return ", ".join(str(step.step) for step in steps)
