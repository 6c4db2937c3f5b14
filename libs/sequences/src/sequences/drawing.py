"""Draws the documents: one for each sequence and one for the whole, from the designs and what is known beside them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass, field
from typing import Any, Final

from .design import Mode, ParticipantKind, Path, Sequence
from .measured import Timings, timing_table
from .mermaid import error_flow, sequence_diagram, state_diagram

NOTE: Final = "<!-- Drawn by `orderflow sequences draw` from the designs. Changes here are lost. -->"
_KINDS: Final = {
    ParticipantKind.ACTOR: "user",
    ParticipantKind.SERVICE: "internal",
    ParticipantKind.AGGREGATE: "internal",
    ParticipantKind.EXTERNAL: "external",
}


@dataclass(frozen=True)
class Exchange:
    """One request of a real run, and its answer."""

    request: str
    body: Any
    status: int
    answer: Any


@dataclass(frozen=True)
class Beside:
    """What the documents show beside the designs."""

    roles: Mapping[str, str] = field(default_factory=dict)
    """What each participant is."""
    lives: Mapping[str, Mapping[str, Iterable[str]]] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    adrs: Mapping[int, str] = field(default_factory=dict)
    """The files of the decisions."""
    exchanges: Mapping[str, Mapping[str, Exchange]] = field(default_factory=dict)
    """By sequence, and by path in it; the planned run is under the empty name."""
    timings: Mapping[str, Timings] = field(default_factory=dict)
    measured: str = ""
    """When, on what and by which command the timings were."""


def documents(sequences: Several[Sequence], beside: Beside) -> dict[str, str]:
    """Every drawn file's content by its name."""
    drawn = {f"{sequence.id}.md": _ended(_one(sequence, beside)) for sequence in sequences}
    drawn["README.md"] = _ended(_whole(sequences, beside))
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
    yield from (NOTE, "", f"# {sequence.id}: {sequence.name}", "", sequence.description, "")
    yield from (f"**Trigger** ({sequence.trigger.type}): {sequence.trigger.description}", "")
    yield from (f"**Outcome**: {sequence.outcome.success}", "")
    yield from (*(f"- {change}" for change in sequence.outcome.state_changes), "")
    yield from _deviations(sequence, beside)
    yield from ("## Participants", "", *_participants(sequence, beside), "")
    yield from ("## Steps", "", *_steps(sequence), "", *_fenced("mermaid", sequence_diagram(sequence)), "")
    yield from _critical_path(sequence)
    yield from _timing(sequence, beside)
    yield from _payloads(beside.exchanges.get(sequence.id, {}).get(""))
    if sequence.exceptions:
        yield from ("## What else may happen", "")
    for path in sequence.exceptions:
        yield from _path(sequence, path, beside)
    yield from _rules(sequence, beside)


def _deviations(sequence: Sequence, beside: Beside) -> Iterator[str]:
    if not sequence.deviation:
        return
    yield from ("Different from what was asked for:", "")
    for deviation in sequence.deviation:
        file = beside.adrs.get(deviation.adr, "")
        yield f"- {deviation.how} ([decision {deviation.adr}](../../adr/{file}))"
    yield ""


def _participants(sequence: Sequence, beside: Beside) -> Iterator[str]:
    yield from ("| participant | what it is | type |", "|---|---|---|")
    for one in sequence.participants:
        yield f"| {one.name} | {beside.roles.get(one.name, '')} | {_KINDS[one.type]} |"


def _steps(sequence: Sequence) -> Iterator[str]:
    for step in sequence.steps:
        arrow = f"{step.step}. **{step.actor}** → {step.target}: `{step.action}`"
        marks = list(_marks(sequence, step.step))
        yield f"{arrow} ({', '.join(marks)})" if marks else arrow
        if step.data:
            yield f"   - takes {', '.join(step.data)}"
        if step.returns:
            yield f"   - returns {step.returns}"
        if step.event:
            yield f"   - emits `{step.event}`"


def _marks(sequence: Sequence, number: int) -> Iterator[str]:
    step = sequence.steps[number - 1]
    if step.mode == Mode.ASYNCHRONOUS:
        yield "asynchronous"
    if step.transaction:
        yield f"transaction: {step.transaction}"
    if step.loop:
        yield f"again for each {step.loop}"
    if step.is_optional:
        yield "where there is cause"


def _critical_path(sequence: Sequence) -> Iterator[str]:
    calls = [step for step in sequence.steps if not step.is_answer]
    waited_for = [str(step.step) for step in calls if step.mode == Mode.SYNCHRONOUS]
    later = [str(step.step) for step in calls if step.mode == Mode.ASYNCHRONOUS]
    yield from ("## Critical path", "")
    yield f"- Before the answer: steps {', '.join(waited_for)}"
    if later:
        yield f"- Afterwards, nobody waits for it: steps {', '.join(later)}"
    for name in dict.fromkeys(step.transaction for step in calls if step.transaction):
        together = [str(step.step) for step in calls if step.transaction == name]
        yield f"- In one transaction ({name}): steps {', '.join(together)}"
    yield ""


def _timing(sequence: Sequence, beside: Beside) -> Iterator[str]:
    if timings := beside.timings.get(sequence.id):
        yield from ("## Timing", "", *timing_table(sequence, timings, beside.measured), "")


def _path(sequence: Sequence, path: Path, beside: Beside) -> Iterator[str]:
    yield from (f"### {path.id}", "", f"{path.condition} (step {path.step}): {path.handling}", "")
    yield from (*_fenced("mermaid", error_flow(sequence, path)), "")
    yield from _payloads(beside.exchanges.get(sequence.id, {}).get(path.id), heading=None)


def _payloads(exchange: Exchange | None, heading: str | None = "## Payloads") -> Iterator[str]:
    if exchange is None:
        return
    if heading:
        yield from (heading, "")
    yield from (f"`{exchange.request}`", "")
    if exchange.body is not None:
        yield from (*_fenced("json", _json(exchange.body)), "")
    yield f"Answer {exchange.status}:" if exchange.answer is not None else f"Answer {exchange.status}, empty."
    yield ""
    if exchange.answer is not None:
        yield from (*_fenced("json", _json(exchange.answer)), "")


def _rules(sequence: Sequence, beside: Beside) -> Iterator[str]:
    yield from ("## Rules and acceptance criteria", "")
    for rule in (*sequence.related_brs, *sequence.related_acs):
        yield f"- [{rule}](../../rules.md#{rule.lower()}): {beside.rules.get(rule, '')}"


def _whole(sequences: Several[Sequence], beside: Beside) -> Iterator[str]:
    yield from (NOTE, "", "# Sequence designs", "")
    yield from (
        "Each is a JSON file one folder up: who calls whom, in which order, and what else may happen. The code names",
        "its steps after them, and the tests that walk them are held to what stands here.",
        "",
        "`->>` is a call, `-->>` its answer, `-)` a call that nobody waits for, `-x` one that fails.",
        "",
        "| sequence | | steps | other paths |",
        "|---|---|---:|---:|",
    )
    for sequence in sequences:
        link, steps, paths = f"[{sequence.id}]({sequence.id}.md)", len(sequence.steps), len(sequence.exceptions)
        yield f"| {link} | {sequence.name} | {steps} | {paths} |"
    yield from ("", "## Who takes part", "", "| name | what it is | type |", "|---|---|---|")
    everybody = {one.name: one.type for sequence in sequences for one in sequence.participants}
    for name in sorted(everybody):
        yield f"| {name} | {beside.roles.get(name, '')} | {_KINDS[everybody[name]]} |"
    yield from ("", "## Lives", "")
    for entity, life in beside.lives.items():
        yield from (f"### {entity}", "", *_fenced("mermaid", state_diagram(life)), "")


def _fenced(language: str, text: str) -> Iterator[str]:
    yield from (f"```{language}", text, "```")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
