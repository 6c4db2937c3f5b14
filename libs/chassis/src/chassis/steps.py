"""The steps of the sequence designs: who does what, as named in the code, and what a run of it looked like.

What is compared with which design is not decided here.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

from . import tracing
from .tracing import Span

P = ParamSpec("P")
R = TypeVar("R")

PARTICIPANT: Final = "participant"
ACTION: Final = "action"
HEARD_IN: Final = "heard_in"
SENT: Final = "event.sent"
"""How the moment is called in which an event is with the broker; HEARD, the work of whoever it came to."""
HEARD: Final = "event.heard"


@dataclass(frozen=True, slots=True)
class Step:
    """One step in one trace. `caller` is the participant of the step around it, in this process or another."""

    participant: str
    action: str
    caller: str | None
    emits: tuple[str, ...]
    trace_id: str
    span_id: str
    parent_id: str | None
    outer_id: str | None = None
    """Of the step around it."""
    heard_in: str | None = None
    """The service that did it because of an event, which the step around it has emitted."""
    error: str | None = None


class Recording:
    """All spans that were started while it ran, in the order of their start."""

    def __init__(self) -> None:
        self._spans: list[Span] = []

    @property
    def steps(self) -> list[Step]:
        by_id = {span.span_id: span for span in self._spans}
        return [_as_step(span, by_id) for span in self._spans if PARTICIPANT in span.attributes]

    def of(self, trace_id: str) -> list[Step]:
        return [step for step in self.steps if step.trace_id == trace_id]

    def heard(self, span: Span) -> None:
        self._spans.append(span)


@contextmanager
def record() -> Iterator[Recording]:
    """Records the steps of this whole process, whichever task they run in."""
    recording = Recording()
    tracing.listen(recording.heard)
    try:
        yield recording
    finally:
        tracing.unlisten(recording.heard)


def step(participant: str, action: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Names the function as a step of a sequence design. Without a recorder or tracing: one check and the call."""
    name, attributes = f"{participant}.{action}", {PARTICIPANT: participant, ACTION: action}

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def watched_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                if not tracing.active:
                    return await function(*args, **kwargs)
                with tracing.open_spans(name, attributes) as spans:
                    result = await function(*args, **kwargs)
                    _note_refusals(spans, result)
                    return result

            return cast(Callable[P, R], watched_async)

        @wraps(function)
        def watched(*args: P.args, **kwargs: P.kwargs) -> R:
            if not tracing.active:
                return function(*args, **kwargs)
            with tracing.open_spans(name, attributes) as spans:
                result = function(*args, **kwargs)
                _note_refusals(spans, result)
                return result

        return watched

    return decorate


def note_event(domain_name: str, traceparent: str | None = None) -> None:
    """The current step emits this event; in a batch every caller's does, unless `traceparent` says whose."""
    if not tracing.active:
        return
    for span in tracing.current_spans(traceparent):
        _step_around(span).events.append(domain_name)


def note_refusal(code: str, traceparent: str | None = None) -> None:
    """The current step answers with a refusal instead of raising it; whose it is in a batch, `traceparent` says."""
    if not tracing.active:
        return
    for span in tracing.current_spans(traceparent):
        _step_around(span).error = code


def traceparent_around(participant: str) -> str | None:
    """Of whatever has this participant do the current work: what is done of it later is drawn beside it.

    Work that is done for several at once is nobody's alone.
    """
    current = tracing.traceparents()
    if len(current) != 1:
        return None
    [around] = current
    for span in tracing.open_around(around):
        if span.attributes.get(PARTICIPANT) == participant:
            around = tracing.opened_in(span)
    return around


def _step_around(span: Span) -> Span:
    outer = None if PARTICIPANT in span.attributes else tracing.enclosing(span)
    return _step_around(outer) if outer else span


def _note_refusals(spans: Sequence[Span], result: object) -> None:
    """A step that answers a batch gives a refused item's exception back in its place."""
    if isinstance(result, list | tuple) and len(result) == len(spans):
        for span, answer in zip(spans, result, strict=True):
            if isinstance(answer, Exception):
                span.error = tracing.error_code(answer)


def _as_step(span: Span, by_id: Mapping[str, Span]) -> Step:
    outer, heard_in = _around(span, by_id)
    return Step(
        participant=span.attributes[PARTICIPANT],
        action=span.attributes[ACTION],
        caller=outer.attributes[PARTICIPANT] if outer is not None else None,
        emits=tuple(span.events),
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        outer_id=outer.span_id if outer is not None else None,
        heard_in=heard_in,
        error=span.error,
    )


def _around(span: Span, by_id: Mapping[str, Span]) -> tuple[Span | None, str | None]:
    heard_in = None
    outer = by_id.get(span.parent_id or "")
    while outer is not None and PARTICIPANT not in outer.attributes:
        heard_in = heard_in or outer.attributes.get(HEARD_IN)
        outer = by_id.get(outer.parent_id or "")
    return outer, heard_in
