"""Checks designs against themselves and against what is built: what does not exist must not stand in a design."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from .comparing import compare, expected
from .design import Arrow, ParticipantKind, Sequence
from .reading import Designs, Finding

FLOWS: Final = {
    "place an order": "SEQ-ORD-001",
    "cancel an order": "SEQ-ORD-005",
    "update a cart": "SEQ-CART-002",
    "register": "SEQ-REG-001",
    "update the inventory": "SEQ-INV-001",
    "ship": "SEQ-ORD-003",
}
"""The flows that no collection may lack; a payment is processed inside of the first."""
WHOLE: Final = "all"
"""Where it is not a single file in which something is wrong."""
_STATUS: Final = re.compile(r"^(?P<entity>[A-Z][A-Za-z]*)\.(?:status|state) = (?P<status>[A-Z_]+)$")


@dataclass(frozen=True)
class Language:
    """What a design may speak of: what the contracts, the transition tables and the rules know."""

    events: frozenset[str]
    """By their domain names."""
    codes: frozenset[str]
    lives: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The statuses of each entity, by its name."""
    rules: frozenset[str] = frozenset()
    adrs: frozenset[int] = frozenset()
    steps: frozenset[tuple[str, str]] = frozenset()
    """Participant and action of every `@step` in the code."""


def check(designs: Designs, language: Language) -> list[Finding]:
    findings = list(designs.unreadable)
    for file, sequence in designs.by_file.items():
        findings += [Finding(file, place, message) for place, message in _check_one(sequence, language)]
        if file != f"{sequence.id}.json":
            findings.append(Finding(file, "id", f"{sequence.id} belongs into {sequence.id}.json."))
    ids = [sequence.id for sequence in designs.by_file.values()]
    findings += [
        Finding(file, "id", f"{one.id} is there twice.")
        for file, one in designs.by_file.items()
        if ids.count(one.id) > 1
    ]
    findings += [
        Finding(WHOLE, "", f"No design says how to {flow} ({id}).") for flow, id in FLOWS.items() if id not in ids
    ]
    return sorted(findings)


def _check_one(sequence: Sequence, language: Language) -> Iterator[tuple[str, str]]:
    yield from _participants(sequence)
    yield from _numbering(sequence)
    yield from _kept_answers(sequence)
    yield from _branches(sequence)
    for index, step in enumerate(sequence.steps):
        yield from _arrow(f"steps.{index}", step, sequence, language, is_answer=step.is_answer)
    yield from _answers(sequence)
    yield from _paths(sequence, language)
    yield from _likenesses(sequence)
    yield from _outcome(sequence, language)
    if sequence.security is None:
        yield "security", "Who may begin it, and what is checked, is not said."
    yield from _references(sequence, language)


def _participants(sequence: Sequence) -> Iterator[tuple[str, str]]:
    names = [participant.name for participant in sequence.participants]
    used = {name for step in sequence.steps for name in (step.actor, step.target)}
    used |= {name for path in sequence.exceptions for arrow in path.then for name in (arrow.actor, arrow.target)}
    for index, name in enumerate(names):
        if names.index(name) != index:
            yield f"participants.{index}", f"{name} takes part twice."
        if name not in used:
            yield f"participants.{index}", f"{name} takes part and does nothing."


def _numbering(sequence: Sequence) -> Iterator[tuple[str, str]]:
    for index, step in enumerate(sequence.steps):
        if step.step != index + 1:
            yield f"steps.{index}.step", f"This is step {index + 1}, not {step.step}."


def _kept_answers(sequence: Sequence) -> Iterator[tuple[str, str]]:
    for index, step in enumerate(sequence.steps):
        if step.is_cacheable and (step.event or step.is_answer):
            yield f"steps.{index}.is_cacheable", "Only the answer to a question can be kept and given again."


def _branches(sequence: Sequence) -> Iterator[tuple[str, str]]:
    for index, each in enumerate(sequence.concurrency):
        steps = [step for branch in each.branches for step in branch]
        if not steps:
            continue
        place = f"concurrency.{index}.branches"
        if len(each.branches) < 2 or not all(each.branches):
            yield place, "There is nothing beside it."
        if steps[0] < 1 or steps != list(range(steps[0], steps[0] + len(steps))) or steps[-1] > len(sequence.steps):
            yield place, "These are not steps of the sequence that follow one another."


def _arrow(
    place: str, arrow: Arrow, sequence: Sequence, language: Language, *, is_answer: bool = False
) -> Iterator[tuple[str, str]]:
    known = {participant.name: participant.type for participant in sequence.participants}
    for side, name in (("actor", arrow.actor), ("target", arrow.target)):
        if name not in known:
            yield f"{place}.{side}", f"{name} is not among the participants."
    if arrow.event is not None and arrow.event not in language.events:
        yield f"{place}.event", f"There is no event {arrow.event}."
    if is_answer or arrow.target not in known or known[arrow.target] == ParticipantKind.ACTOR:
        return
    if language.steps and (arrow.target, arrow.action) not in language.steps:
        yield f"{place}.action", f"Nothing in the code is the step {arrow.target}.{arrow.action}."


def _answers(sequence: Sequence) -> Iterator[tuple[str, str]]:
    first = sequence.steps[0] if sequence.steps else None
    if first is None:
        yield "steps", "Nothing happens."
        return
    for index, step in enumerate(sequence.steps):
        if step.is_answer and (step.actor, step.target) != (first.target, first.actor):
            yield f"steps.{index}", f"An answer goes from {first.target} to {first.actor}."


def _paths(sequence: Sequence, language: Language) -> Iterator[tuple[str, str]]:
    ids = [path.id for path in sequence.exceptions]
    for index, path in enumerate(sequence.exceptions):
        place = f"exceptions.{index}"
        if ids.index(path.id) != index:
            yield f"{place}.id", f"{path.id} is there twice."
        if path.step > len(sequence.steps):
            yield f"{place}.step", f"There is no step {path.step}."
        if path.code is not None and path.code not in language.codes:
            yield f"{place}.code", f"There is no error code {path.code}."
        if path.code is not None and path.code not in path.handling:
            yield f"{place}.handling", f"It does not name {path.code}."
        if path.without and not path.goes_on:
            yield f"{place}.without", "It does not go on anyway."
        for number in path.without:
            if not path.step < number <= len(sequence.steps):
                yield f"{place}.without", f"There is no step {number} behind step {path.step}."
        for number, arrow in enumerate(path.then):
            yield from _arrow(f"{place}.then.{number}", arrow, sequence, language)


def _likenesses(sequence: Sequence) -> Iterator[tuple[str, str]]:
    """A test that walks the one would be believed to have walked the other."""
    expectations = [("the planned run", expected(sequence))]
    for index, path in enumerate(sequence.exceptions):
        this = expected(sequence, path)
        for name, other in expectations:
            if not compare(this, other.run) or not compare(other, this.run):
                yield f"exceptions.{index}", f"A run of it looks like one of {name}."
        expectations.append((path.id, this))


def _outcome(sequence: Sequence, language: Language) -> Iterator[tuple[str, str]]:
    if not sequence.outcome.state_changes and any(step.event for step in sequence.steps):
        yield "outcome.state_changes", "Events are emitted, so something has changed; what, is not said."
    for index, change in enumerate(sequence.outcome.state_changes):
        found = _STATUS.match(change)
        if found is None:
            continue
        entity, status = found["entity"], found["status"]
        if entity not in language.lives:
            yield f"outcome.state_changes.{index}", f"Nothing is known of the life of {entity}."
        elif status not in language.lives[entity]:
            yield f"outcome.state_changes.{index}", f"{entity} is never {status}."


def _references(sequence: Sequence, language: Language) -> Iterator[tuple[str, str]]:
    for key, rules in (("relatedACs", sequence.related_acs), ("relatedBRs", sequence.related_brs)):
        if not rules:
            yield key, "It realises none."
        for index, rule in enumerate(rules):
            if rule not in language.rules:
                yield f"{key}.{index}", f"There is no {rule}."
    for index, deviation in enumerate(sequence.deviation):
        if deviation.adr not in language.adrs:
            yield f"deviation.{index}.adr", f"There is no decision {deviation.adr}."
