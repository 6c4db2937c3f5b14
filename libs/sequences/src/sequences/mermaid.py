"""Draws sequences and lives in mermaid, as GitHub shows them."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Several

from .comparing import Call
from .design import Arrow, Mode, ParticipantKind, Path, Sequence

_ANSWER, _CALL, _LATER, _CROSS = "-->>", "->>", "-)", "-x"


def sequence_diagram(sequence: Sequence) -> str:
    lines = ["sequenceDiagram", "    autonumber", *_cast(sequence)]
    for step in sequence.steps:
        lines += _step(step, _ANSWER if step.is_answer else _LATER if step.mode == Mode.ASYNCHRONOUS else _CALL)
    return "\n".join(lines)


def error_flow(sequence: Sequence, path: Path) -> str:
    """Up to the step that fails, and what follows then."""
    first = sequence.steps[0]
    lines = ["sequenceDiagram", "    autonumber", *_cast(sequence)]
    for step in sequence.steps[: path.step - 1]:
        lines += _step(step, _LATER if step.mode == Mode.ASYNCHRONOUS else _CALL)
    failing = sequence.steps[path.step - 1]
    lines.append(f"    {failing.actor}{_CROSS if path.code else _CALL}{failing.target}: {failing.action}")
    lines.append(f"    Note over {failing.actor},{failing.target}: {_plain(path.condition)}")
    for arrow in path.then:
        lines += _step(arrow, _CALL)
    if path.code:
        lines.append(f"    {first.target}{_ANSWER}{first.actor}: {path.code}")
    return "\n".join(lines)


def state_diagram(life: Mapping[str, Iterable[str]]) -> str:
    """Of a transition table: where nothing leads lives begin, and what leads nowhere is an end."""
    reached = {after for following in life.values() for after in following}
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {status}" for status in life if status not in reached]
    lines += [f"    {status} --> {after}" for status in life for after in sorted(life[status])]
    lines += [f"    {status} --> [*]" for status in life if not life[status]]
    return "\n".join(lines)


def observed_diagram(calls: Several[Call]) -> str:
    names = list(dict.fromkeys(name for call in calls for name in (call.actor, call.target)))
    lines = ["sequenceDiagram", "    autonumber", *(f"    participant {name}" for name in names)]
    for call in calls:
        lines.append(f"    {call.actor}{_CROSS if call.error else _CALL}{call.target}: {call.action}")
        if call.event:
            lines.append(f"    Note right of {call.target}: {call.event}")
        if call.error:
            lines.append(f"    Note right of {call.target}: {call.error}")
    return "\n".join(lines)


def _cast(sequence: Sequence) -> Iterator[str]:
    for participant in sequence.participants:
        kind = "actor" if participant.type == ParticipantKind.ACTOR else "participant"
        yield f"    {kind} {participant.name}"


def _step(arrow: Arrow, line: str) -> Iterator[str]:
    yield f"    {arrow.actor}{line}{arrow.target}: {arrow.action}"
    if arrow.event:
        yield f"    Note right of {arrow.target}: {arrow.event}"
    if arrow.returns and line == _CALL and arrow.actor != arrow.target:
        yield f"    {arrow.target}{_ANSWER}{arrow.actor}: {_plain(arrow.returns)}"


def _plain(text: str) -> str:
    """A semicolon ends a line of mermaid's, and a hash begins an entity."""
    return text.replace("#", "").replace(";", ",").rstrip(".")
