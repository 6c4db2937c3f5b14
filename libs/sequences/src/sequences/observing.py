"""What has happened to one order of a running system: its steps, what was emitted, and how long each took or waited."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.steps import SENT, Step

from .comparing import Call
from .seeing import as_call


@dataclass(frozen=True)
class Recorded:
    """One span as a service has kept it."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    started_at: datetime
    ended_at: datetime
    participant: str | None = None
    action: str | None = None
    heard_in: str | None = None
    emits: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Wait:
    """Between what emitted an event and whoever it came to: in the outbox, and in the broker's queue."""

    event_type: str
    outbox: timedelta
    queue: timedelta


@dataclass(frozen=True)
class Happened:
    """One step; `after` is what it waited for, where an event brought it about."""

    id: str
    inside: str | None
    """The step that it was done for, or because of which."""
    call: Call
    service: str
    at: datetime
    took: timedelta
    after: Wait | None = None


def observe(spans: Iterable[Recorded]) -> list[Happened]:
    """In the order of their start, over all traces that are given."""
    by_id = _in_order(spans)
    sent_at = {(span.parent_id, _event_type(span)): span.ended_at for span in by_id.values() if _is(span, SENT)}
    waited_for: set[str] = set()
    happened = []
    for step in as_steps(by_id.values()):
        span, wait = by_id[step.span_id], None
        _, heard = _brought_about_by(span, by_id)
        if heard is not None and heard.span_id not in waited_for:
            waited_for.add(heard.span_id)
            wait = _wait(heard, by_id, sent_at)
        took = span.ended_at - span.started_at
        happened.append(Happened(span.span_id, step.outer_id, as_call(step), span.service, span.started_at, took, wait))
    return happened


def as_steps(spans: Iterable[Recorded]) -> list[Step]:
    """As if they had been recorded in this process: what a running system has done can be compared with designs."""
    by_id = _in_order(spans)
    return [_as_step(span, by_id) for span in by_id.values() if span.participant]


def _in_order(spans: Iterable[Recorded]) -> dict[str, Recorded]:
    return {span.span_id: span for span in sorted(spans, key=lambda span: span.started_at)}


def _as_step(span: Recorded, by_id: Mapping[str, Recorded]) -> Step:
    outer, heard = _brought_about_by(span, by_id)
    return Step(
        participant=span.participant or "",
        action=span.action or "",
        caller=outer.participant if outer else None,
        emits=span.emits,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        outer_id=outer.span_id if outer else None,
        heard_in=heard.heard_in if heard else None,
        error=span.error,
    )


def _brought_about_by(span: Recorded, by_id: Mapping[str, Recorded]) -> tuple[Recorded | None, Recorded | None]:
    """The step around it, and the hearing of an event in between."""
    heard, outer = None, by_id.get(span.parent_id or "")
    while outer is not None and not outer.participant:
        heard = heard or (outer if outer.heard_in else None)
        outer = by_id.get(outer.parent_id or "")
    return outer, heard


def _wait(
    heard: Recorded, by_id: Mapping[str, Recorded], sent_at: Mapping[tuple[str | None, str], datetime]
) -> Wait | None:
    emitted, sent = by_id.get(heard.parent_id or ""), sent_at.get((heard.parent_id, _event_type(heard)))
    if emitted is None or sent is None:
        return None
    # Of services whose clocks differ.
    none = timedelta(0)
    return Wait(_event_type(heard), max(none, sent - emitted.ended_at), max(none, heard.started_at - sent))


def _is(span: Recorded, kind: str) -> bool:
    return span.name.partition(" ")[0] == kind


def _event_type(span: Recorded) -> str:
    return span.name.partition(" ")[2]
