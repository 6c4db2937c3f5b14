"""Which trace the current work belongs to: `traceparent` (W3C) is the only state, here and on every wire.

Real spans exist only while tracing is configured or somebody listens; who listens, and to what end, is theirs (steps).
"""

# ruff: noqa: PLW0603 (a switch of the whole process, looked at on every call)

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from random import getrandbits
from time import time
from typing import Final

from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.trace import Span as SentSpan

from . import otlp
from .errors import Refused

HEADER: Final = "traceparent"
BATCH_HEADER: Final = "x-batch-traceparents"
MOST_IN_BATCH: Final = 128
REQUEST: Final = "http.server"
"""How the span of a request is called, from its first byte to the end of its answer."""

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
service_name: ContextVar[str] = ContextVar("service_name", default="orderflow")
_batch: ContextVar[tuple[str, ...]] = ContextVar("batch", default=())

_VALID = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class Span:
    """One piece of work in one trace."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    attributes: Mapping[str, str]
    service: str = ""
    started_at: float = 0.0
    ended_at: float | None = None
    events: list[str] = field(default_factory=list)
    error: str | None = None
    sent: SentSpan | None = None


active = False
"""Whether spans are made at all: somebody listens, or traces are sent somewhere."""

_listeners: list[Callable[[Span], None]] = []
_open: dict[str, Span] = {}
_sending: otlp.Sending | None = None


def new_traceparent() -> str:
    """A root: its span id repeats the trace id's first half, so that nobody looks for a parent that was never there."""
    trace = getrandbits(128) | 1 << 127 | 1
    return f"00-{trace:032x}-{trace >> 64:016x}-00"


def valid(header: str | None) -> str | None:
    return header if header is not None and len(header) == 55 and _VALID.fullmatch(header) else None


def current_trace_id() -> str:
    current = traceparent.get()
    return current[3:35] if current else ""


def traceparents() -> tuple[str, ...]:
    """All that the current work is done for: inside a coalesced batch one per item, in the batch's order."""
    batch = _batch.get()
    if batch:
        return batch
    current = traceparent.get()
    return (current,) if current else ()


def continue_trace(header: str | None, batch: str | None = None) -> "working_for":
    """Goes on with the caller's trace; an absent or malformed header starts a new one."""
    return working_for((valid(header) or new_traceparent(),) if batch is None else _read_batch(header, batch))


class working_for:  # noqa: N801 (a context manager, and on the way of every request: a generator costs three times as much)
    """The work inside belongs to each of these traces."""

    __slots__ = ("_batch", "_current", "_parents")

    def __init__(self, parents: Sequence[str]) -> None:
        self._parents = parents

    def __enter__(self) -> None:
        parents = self._parents
        self._current = traceparent.set(parents[0])
        self._batch = _batch.set(tuple(parents) if len(parents) > 1 else ())

    def __exit__(self, *_: object) -> None:
        traceparent.reset(self._current)
        _batch.reset(self._batch)


def batch_context(parents: Sequence[str]) -> Context:
    """A context that holds nothing of any single caller, but belongs to the traces of all of them."""
    context, name = Context(), service_name.get()
    context.run(service_name.set, name)
    context.run(traceparent.set, parents[0])
    context.run(_batch.set, tuple(parents) if len(parents) > 1 else ())
    return context


def outgoing() -> dict[str, str]:
    """The headers that let the callee go on with this trace."""
    current = traceparent.get()
    if current is None:
        return {}
    batch = _batch.get() if active else ()
    return {HEADER: current, BATCH_HEADER: ",".join(batch)} if batch else {HEADER: current}


@contextmanager
def span(name: str, **attributes: str) -> Iterator[None]:
    if not active:
        yield
    else:
        with open_spans(name, attributes):
            yield


def mark(name: str, parent: str, **attributes: str) -> None:
    """A moment in a trace, for work that is done for many and takes each no time of its own."""
    if active:
        _end(_start(name, parent, attributes))


@contextmanager
def open_spans(name: str, attributes: Mapping[str, str]) -> Iterator[tuple[Span, ...]]:
    """One span in each trace that the current work belongs to, in the order of `traceparents()`."""
    parents = traceparents() or (new_traceparent(),)
    opened = {parent: _start(name, parent, attributes) for parent in dict.fromkeys(parents)}
    spans = tuple(opened[parent] for parent in parents)
    try:
        with working_for([_child(parent, opened[parent]) for parent in parents]):
            yield spans
    except BaseException as error:
        for each in opened.values():
            each.error = error_code(error)
        raise
    finally:
        for each in opened.values():
            _end(each)


def current_spans(parent: str | None = None) -> list[Span]:
    """The open spans of this process around the current work (or around the given traceparent)."""
    parents = (parent,) if parent else dict.fromkeys(traceparents())
    return [_open[each[36:52]] for each in parents if each[36:52] in _open]


def enclosing(span: Span) -> Span | None:
    return _open.get(span.parent_id) if span.parent_id else None


def open_around(parent: str) -> Iterator[Span]:
    """The open spans of this process that lead to the given traceparent, the innermost first."""
    span = _open.get(parent[36:52])
    while span is not None:
        yield span
        span = enclosing(span)


def opened_in(span: Span) -> str:
    """The traceparent around the span."""
    flags = "01" if span.sent and span.sent.is_recording() else "00"
    return f"00-{span.trace_id}-{span.parent_id or span.trace_id[:16]}-{flags}"


def error_code(error: BaseException) -> str:
    return error.code if isinstance(error, Refused) else type(error).__name__


def listen(listener: Callable[[Span], None]) -> None:
    global active
    _listeners.append(listener)
    active = True


def unlisten(listener: Callable[[Span], None]) -> None:
    global active
    _listeners.remove(listener)
    active = bool(_listeners) or _sending is not None


def configure_tracing(
    service: str, endpoint: str | None, sample_ratio: float = 0.01, *, exporter: SpanExporter | None = None
) -> None:
    """Sends spans to an OTLP endpoint; without one (or an exporter) nothing is made and nothing is sent."""
    global active, _sending
    stop_tracing()
    if exporter is None and endpoint is not None:
        exporter = otlp.to_collector(endpoint)
    if exporter is not None:
        _sending = otlp.Sending(service, sample_ratio, exporter)
        active = True


def stop_tracing() -> None:
    """Sends what is left. Blocks for a moment: for the end of a process."""
    global active, _sending
    sending, _sending = _sending, None
    active = bool(_listeners)
    if sending is not None:
        sending.stop()


def _read_batch(header: str | None, batch: str) -> tuple[str, ...]:
    parents = batch.split(",", MOST_IN_BATCH) if active else []
    if len(parents) > MOST_IN_BATCH or not all(map(valid, parents)):
        parents = []
    return tuple(parents) or (valid(header) or new_traceparent(),)


def _child(parent: str, span: Span) -> str:
    flags = "01" if span.sent and span.sent.is_recording() else parent[53:]
    return f"00-{span.trace_id}-{span.span_id}-{flags}"


def _start(name: str, parent: str, attributes: Mapping[str, str]) -> Span:
    trace_id, parent_id = parent[3:35], parent[36:52]
    is_root = trace_id.startswith(parent_id)
    labels = {"service": service_name.get(), **attributes}
    sent = _sending.start(name, parent, labels, is_root=is_root) if _sending else None
    span_id = f"{sent.get_span_context().span_id if sent else getrandbits(64) or 1:016x}"
    span = Span(
        name, trace_id, span_id, None if is_root else parent_id, attributes, labels["service"], time(), sent=sent
    )
    _open[span_id] = span
    for listener in _listeners:
        listener(span)
    return span


def _end(span: Span) -> None:
    span.ended_at = time()
    del _open[span.span_id]
    if span.sent is not None:
        otlp.finish(span.sent, span.events, span.error)
