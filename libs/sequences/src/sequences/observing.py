"""What has happened to one order of a running system: its steps, what was emitted, and how long each took or waited."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from chassis.steps import SENT, Step

from .comparing import Call
from .participants import SPEAKERS

_OUTSIDE: Final = "?"


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

    call: Call
    service: str
    at: datetime
    took: timedelta
    depth: int
    after: Wait | None = None


def as_steps(spans: Iterable[Recorded]) -> list[Step]:
    """As if they had been recorded in this process: what a running system has done can be compared with designs."""
    in_order = sorted(spans, key=lambda span: span.started_at)
    by_id = {span.span_id: span for span in in_order}
    return [_as_step(span, by_id) for span in in_order if span.participant]


@dataclass
class _Spans:
    by_id: dict[str, Recorded] = field(default_factory=dict)
    sent_at: dict[tuple[str | None, str], datetime] = field(default_factory=dict)


def observe(spans: Iterable[Recorded]) -> list[Happened]:
    """In the order of their start, over all traces that are given."""
    in_order = sorted(spans, key=lambda span: span.started_at)
    known = _Spans({span.span_id: span for span in in_order})
    for span in in_order:
        kind, _, event_type = span.name.partition(" ")
        if kind == SENT:
            known.sent_at.setdefault((span.parent_id, event_type), span.ended_at)
    first_heard: set[str] = set()
    return [_happened(span, known, first_heard) for span in in_order if span.participant]


def _as_step(span: Recorded, by_id: Mapping[str, Recorded]) -> Step:
    around = _around(span, by_id)
    outer, heard = _brought_about_by(around)
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


def _brought_about_by(around: list[Recorded]) -> tuple[Recorded | None, Recorded | None]:
    """The step around it, and the hearing of an event in between."""
    outer = next((one for one in around if one.participant), None)
    between = around[: around.index(outer)] if outer else around
    return outer, next((one for one in between if one.heard_in), None)


def _happened(span: Recorded, known: _Spans, first_heard: set[str]) -> Happened:
    around = _around(span, known.by_id)
    outer, heard = _brought_about_by(around)
    caller = SPEAKERS.get(heard.heard_in or "", heard.heard_in) if heard else outer.participant if outer else None
    wait = None
    if heard is not None and heard.span_id not in first_heard:
        first_heard.add(heard.span_id)
        wait = _wait(heard, known)
    return Happened(
        Call(
            caller or _OUTSIDE,
            span.participant or "",
            span.action or "",
            ", ".join(dict.fromkeys(span.emits)) or None,
            error=span.error,
        ),
        span.service,
        span.started_at,
        span.ended_at - span.started_at,
        sum(1 for one in around if one.participant),
        wait,
    )


def _around(span: Recorded, by_id: Mapping[str, Recorded]) -> list[Recorded]:
    """From the inside to the outside."""
    found = []
    outer = by_id.get(span.parent_id or "")
    while outer is not None and outer not in found:
        found.append(outer)
        outer = by_id.get(outer.parent_id or "")
    return found


def _wait(heard: Recorded, known: _Spans) -> Wait | None:
    event_type = heard.name.partition(" ")[2]
    emitted = known.by_id.get(heard.parent_id or "")
    sent_at = known.sent_at.get((heard.parent_id, event_type))
    if emitted is None or sent_at is None:
        return None
    none = timedelta(0)
    return Wait(event_type, max(none, sent_at - emitted.ended_at), max(none, heard.started_at - sent_at))
