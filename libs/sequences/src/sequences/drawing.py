"""Draws the documents: one for each sequence, and `overview`'s for the whole, from what is designed and seen."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from typing import Any

from .beside import Beside, Emitted, Exchange
from .design import Mode, Path, Sequence, Step
from .markdown import as_json, duration, fenced, numbers, section, table
from .measured import timing_table
from .mermaid import error_flow, sequence_diagram
from .overview import KINDS, NOTE, overview
from .timing import is_due, waits_for


def documents(sequences: Several[Sequence], beside: Beside) -> dict[str, str]:
    """Every drawn file's content by its name."""
    drawn = {f"{sequence.id}.md": _ended(_one(sequence, beside)) for sequence in sequences}
    drawn["README.md"] = _ended(overview(sequences, beside))
    drawn["collection.json"] = json.dumps(collection(sequences), indent=2, ensure_ascii=False) + "\n"
    return drawn


def collection(sequences: Several[Sequence]) -> dict[str, Any]:
    by_domain = Counter(sequence.domain for sequence in sequences)
    return {
        "sequences": [sequence.model_dump(mode="json", by_alias=True, exclude_defaults=True) for sequence in sequences],
        "summary": {"total_sequences": len(sequences), "sequences_by_domain": dict(sorted(by_domain.items()))},
    }


def _ended(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def _one(sequence: Sequence, beside: Beside) -> Iterator[str]:
    yield from (NOTE, "", f"# {sequence.id}: {sequence.name}", "")
    yield from (f"{beside.project} {beside.version}, drawn from [{sequence.id}.json](../{sequence.id}.json).", "")
    yield from (f"**Purpose**: {sequence.description}", "")
    yield from (f"**Trigger** ({sequence.trigger.type}): {sequence.trigger.description}", "")
    yield from (f"**Outcome**: {sequence.outcome.success}", "")
    yield from (*(f"- {change}" for change in sequence.outcome.state_changes), "")
    yield from _deviations(sequence, beside)
    yield from section("Participants", _participants(sequence, beside))
    yield from section("Steps", _steps(sequence))
    yield from section("Diagram", fenced("mermaid", sequence_diagram(sequence)))
    yield from section("What else may happen", _other_paths(sequence))
    for path in sequence.exceptions:
        yield from section(path.id, _path(sequence, path, beside), level=3)
    yield from section("Payloads", _payloads(beside.exchanges.get(sequence.id, {}).get("")))
    yield from section("Critical path", _critical_path(sequence))
    yield from section("Timing", _timing(sequence, beside))
    yield from section("Concurrency", _concurrency(sequence))
    yield from section("Security", _security(sequence))
    yield from section("Notes and assumptions", (f"- {note}" for note in sequence.notes))
    yield from section("Rules and acceptance criteria", _rules(sequence, beside))


def _deviations(sequence: Sequence, beside: Beside) -> Iterator[str]:
    if not sequence.deviation:
        return
    yield from ("Different from what was asked for:", "")
    for deviation in sequence.deviation:
        file = beside.adrs.get(deviation.adr, "")
        yield f"- {deviation.how} ([decision {deviation.adr}](../../adr/{file}))"
    yield ""


def _participants(sequence: Sequence, beside: Beside) -> Iterator[str]:
    rows = [(one.name, beside.roles.get(one.name, ""), KINDS[one.type]) for one in sequence.participants]
    yield from table(("participant", "what it is", "type"), rows)


def _steps(sequence: Sequence) -> Iterator[str]:
    for step in sequence.steps:
        arrow = f"{step.step}. **{step.actor}** → {step.target}: `{step.action}`"
        marks = list(_marks(step))
        yield f"{arrow} ({', '.join(marks)})" if marks else arrow
        if step.data:
            yield f"   - takes {', '.join(step.data)}"
        if step.returns:
            yield f"   - returns {step.returns}"
        if step.event:
            yield f"   - emits `{step.event}`"


def _marks(step: Step) -> Iterator[str]:
    if step.is_answer:
        yield "the answer to step 1"
    if step.mode == Mode.ASYNCHRONOUS:
        yield "asynchronous"
    if step.transaction:
        yield f"transaction: {step.transaction}"
    if step.loop:
        yield f"again for each {step.loop}"
    if step.is_optional:
        yield "where there is cause"
    if step.is_cacheable:
        yield "cacheable"


def _other_paths(sequence: Sequence) -> Iterator[str]:
    if sequence.exceptions:
        rows = [
            (f"[{path.id}](#{path.id.lower()})", path.condition, str(path.step), path.handling)
            for path in sequence.exceptions
        ]
        yield from table(("path", "condition", "step:", "handling"), rows)


def _path(sequence: Sequence, path: Path, beside: Beside) -> Iterator[str]:
    yield from (f"{path.condition} (step {path.step}): {path.handling}", "")
    yield from (*fenced("mermaid", error_flow(sequence, path)), "")
    yield from _payloads(beside.exchanges.get(sequence.id, {}).get(path.id))


def _payloads(seen: Exchange | Emitted | None) -> Iterator[str]:
    if isinstance(seen, Emitted):
        yield from ("Nobody asks for it. What tells of it, as it travels:", "", *as_json(seen.event))
    if not isinstance(seen, Exchange):
        return
    yield from (f"`{seen.request}`", "")
    if seen.body is not None:
        yield from (*as_json(seen.body), "")
    yield f"Answer {seen.status}:" if seen.answer is not None else f"Answer {seen.status}, empty."
    if seen.answer is not None:
        yield from ("", *as_json(seen.answer))


def _critical_path(sequence: Sequence) -> Iterator[str]:
    calls = [step for step in sequence.steps if not step.is_answer]
    yield f"- Synchronous, before the answer: {numbers(_of(calls, Mode.SYNCHRONOUS))}"
    if later := _of(calls, Mode.ASYNCHRONOUS):
        yield f"- Asynchronous, nobody waits for it: {numbers(later)}"
    for name in dict.fromkeys(step.transaction for step in calls if step.transaction):
        yield f"- Atomic, one transaction ({name}): {numbers(step.step for step in calls if step.transaction == name)}"
    if cacheable := [step.step for step in calls if step.is_cacheable]:
        yield f"- Cacheable: {numbers(cacheable)}"
    else:
        yield "- Cacheable: nothing"


def _of(steps: Iterable[Step], mode: Mode) -> list[int]:
    return [step.step for step in steps if step.mode == mode]


def _timing(sequence: Sequence, beside: Beside) -> Iterator[str]:
    if timings := beside.timings.get(sequence.id):
        yield from (*timing_table(sequence, timings, beside.measured), "")
    rows = [row for step in sequence.steps if any((row := _bounds(sequence, step, beside))[2:])]
    if rows:
        yield from table(("step:", "", "due (p95)", "given up after"), rows)


def _bounds(sequence: Sequence, step: Step, beside: Beside) -> tuple[str, ...]:
    due, limit = beside.due.get(is_due(sequence, step) or ""), beside.limits.get(waits_for(step) or "")
    return (
        str(step.step),
        f"{step.target}: {step.action}",
        duration(due.within) if due else "",
        duration(limit.longest) if limit else "",
    )


def _concurrency(sequence: Sequence) -> Iterator[str]:
    for each in sequence.concurrency:
        beside_each_other = " and ".join(numbers(branch) for branch in each.branches)
        yield f"- {each.what}{f' ({beside_each_other})' if beside_each_other else ''} {each.joined}"


def _security(sequence: Sequence) -> Iterator[str]:
    if sequence.security is None:
        return
    yield f"- Who may begin it: {sequence.security.who}"
    yield from (f"- Checked: {check}" for check in sequence.security.checked)
    if sequence.security.never_logged:
        yield f"- Never in a log, span, event or error: {', '.join(sequence.security.never_logged)}"


def _rules(sequence: Sequence, beside: Beside) -> Iterator[str]:
    for rule in (*sequence.related_brs, *sequence.related_acs):
        yield f"- [{rule}](../../rules.md#{rule.lower()}): {beside.rules.get(rule, '')}"
