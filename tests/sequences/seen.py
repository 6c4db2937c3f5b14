"""What was said on a walk: taken from the requests and events of its run, and held to what is kept of the last one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.broker import Message
from chassis.steps import Recording, Step
from contracts.events import EVENTS
from sequences.comparing import compare, expected
from sequences.design import ParticipantKind
from sequences.design import Sequence as Design
from sequences.payloads import difference, stable
from sequences.reading import Designs
from sequences.seeing import runs

ANEW = "make sequences"


class Different(Exception):
    """What was said on a walk is not what is kept of it."""


@dataclass(frozen=True)
class Walk:
    """A test that walked a path; the planned one has the empty name."""

    sequence_id: str
    path_id: str
    test: str

    def __str__(self) -> str:
        return f"{self.sequence_id} {self.path_id or 'as planned'}"


def said_on(
    walk: Walk, designs: Designs, recording: Recording, exchanges: Mapping[str, Any], messages: Sequence[Message]
) -> dict[str, Any] | None:
    """Of the last run that was the path: the request that began it; of one that nobody asked for, its first event."""
    design = designs.get(walk.sequence_id)
    traces = list(_traces(design, walk.path_id, designs, recording)) if design else []
    if design is None or not traces:
        return None
    if _is_asked_for(design):
        exchange = exchanges.get(traces[-1])
        return stable(exchange) if exchange else None
    return _first_event(_emitted(design, walk.path_id), traces[-1], messages)


def hold_to(kept: Mapping[str, Any], walk: Walk, said: Mapping[str, Any] | None) -> None:
    """Of several tests that walk one path only the one that it was kept of is held to it."""
    last = kept.get(walk.sequence_id, {}).get(walk.path_id)
    if last is None and said is None:
        return
    if last is None:
        raise Different(f"{walk}: nothing is kept of what is said there. `{ANEW}` keeps it.")
    if last["test"] != walk.test:
        return
    before = {name: value for name, value in last.items() if name != "test"}
    if different := difference(before, said):
        raise Different(f"{walk}: something else is said than was kept.\n{different}\nIf that is right: `{ANEW}`.")


def keep(file: Path, designs: Designs, walks: Mapping[Walk, Mapping[str, Any]]) -> None:
    """What was walked now takes the place of what is there; what is not designed any more goes."""
    kept = read(file)
    for walk, said in sorted(walks.items(), key=lambda each: each[0].test, reverse=True):
        kept.setdefault(walk.sequence_id, {})[walk.path_id] = {"test": walk.test, **said}
    left = {
        design.id: {
            path_id: kept[design.id][path_id]
            for path_id in ("", *(path.id for path in design.exceptions))
            if path_id in kept[design.id]
        }
        for design in designs.all
        if design.id in kept
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(left, indent=2, ensure_ascii=False) + "\n")


def read(file: Path) -> dict[str, dict[str, dict[str, Any]]]:
    content: dict[str, dict[str, dict[str, Any]]] = json.loads(file.read_text()) if file.exists() else {}
    return content


def _traces(design: Design, path_id: str, designs: Designs, recording: Recording) -> Iterator[str]:
    wanted = expected(design, design.path(path_id) if path_id else None)
    by_trace = dict[str, list[Step]]()
    for step in recording.steps:
        by_trace.setdefault(step.trace_id, []).append(step)
    for trace_id, steps in by_trace.items():
        if any(not compare(wanted, run.calls) for run in runs(steps, design, designs.all)):
            yield trace_id


def _is_asked_for(design: Design) -> bool:
    types = {participant.name: participant.type for participant in design.participants}
    return types.get(design.steps[0].actor) in (ParticipantKind.ACTOR, ParticipantKind.EXTERNAL)


def _emitted(design: Design, path_id: str) -> set[str]:
    wanted = expected(design, design.path(path_id) if path_id else None)
    return {event for call in (*wanted.in_order, *wanted.afterwards) if call.event for event in call.event.split(", ")}


def _first_event(names: set[str], trace_id: str, messages: Sequence[Message]) -> dict[str, Any] | None:
    types = {event_type for event_type, event in EVENTS.items() if event.domain_name in names}
    for message in messages:
        if message.routing_key in types and message.traceparent and message.traceparent[3:35] == trace_id:
            return {"event": stable(json.loads(message.body))}
    return None
