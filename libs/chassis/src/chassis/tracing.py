"""Which trace the current work belongs to: `traceparent` (W3C) is the only state, here and on every wire.

Real spans exist only while tracing is configured or somebody listens; who listens, and to what end, is theirs (steps).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from random import getrandbits
from typing import Final

from opentelemetry import trace as otel
from opentelemetry.context import Context as OtelContext
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Span as OtelSpan

from .errors import Refused

HEADER: Final = "traceparent"
BATCH_HEADER: Final = "x-batch-traceparents"
MOST_IN_BATCH: Final = 128

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
service_name: ContextVar[str] = ContextVar("service_name", default="orderflow")
_batch: ContextVar[tuple[str, ...]] = ContextVar("batch", default=())

_VALID = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class Span:
    """One piece of work in one trace, open until `ended`."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    attributes: Mapping[str, str]
    events: list[str] = field(default_factory=list)
    error: str | None = None
    ended: bool = False
    real: OtelSpan | None = None


active = False
"""Whether spans are made at all: somebody listens, or traces are sent somewhere."""

_listeners: list[Callable[[Span], None]] = []
_open: dict[str, Span] = {}
_provider: TracerProvider | None = None
_tracer: otel.Tracer | None = None


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


@contextmanager
def continue_trace(header: str | None, batch: str | None = None) -> Iterator[None]:
    """Goes on with the caller's trace; an absent or malformed header starts a new one."""
    with working_for((valid(header) or new_traceparent(),) if batch is None else _read_batch(header, batch)):
        yield


@contextmanager
def working_for(parents: Sequence[str]) -> Iterator[None]:
    """The work inside belongs to each of these traces."""
    current, batch = traceparent.set(parents[0]), _batch.set(tuple(parents) if len(parents) > 1 else ())
    try:
        yield
    finally:
        traceparent.reset(current)
        _batch.reset(batch)


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


def error_code(error: BaseException) -> str:
    return error.code if isinstance(error, Refused) else type(error).__name__


def listen(listener: Callable[[Span], None]) -> None:
    global active
    _listeners.append(listener)
    active = True


def unlisten(listener: Callable[[Span], None]) -> None:
    global active
    _listeners.remove(listener)
    active = bool(_listeners) or _tracer is not None


def configure_tracing(
    service: str, endpoint: str | None, sample_ratio: float = 0.01, *, exporter: SpanExporter | None = None
) -> None:
    """Sends spans to an OTLP endpoint; without one (or an exporter) nothing is made and nothing is sent."""
    global active, _provider, _tracer
    stop_tracing()
    if exporter is None and endpoint is not None:
        exporter = OTLPSpanExporter(endpoint)
    if exporter is None:
        return
    # By trace id and not by the caller's flag: all services decide alike, and nobody outside can make us record.
    _provider = TracerProvider(
        resource=Resource.create({"service.name": service}),
        sampler=TraceIdRatioBased(sample_ratio),
        id_generator=_Ids(),
        shutdown_on_exit=False,
    )
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("orderflow")
    active = True


def stop_tracing() -> None:
    """Sends what is left. Blocks for a moment: for the end of a process."""
    global active, _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    active = bool(_listeners)
    if provider is not None:
        provider.shutdown()


class _Ids(RandomIdGenerator):
    """Lets a root span take the trace id that the request got already."""

    wanted: ContextVar[int] = ContextVar("wanted", default=0)

    def generate_trace_id(self) -> int:
        return self.wanted.get() or super().generate_trace_id()


def _read_batch(header: str | None, batch: str) -> tuple[str, ...]:
    parents = batch.split(",", MOST_IN_BATCH) if active else []
    if len(parents) > MOST_IN_BATCH or not all(map(valid, parents)):
        parents = []
    return tuple(parents) or (valid(header) or new_traceparent(),)


def _child(parent: str, span: Span) -> str:
    return f"00-{span.trace_id}-{span.span_id}-{'01' if span.real and span.real.is_recording() else parent[53:]}"


def _start(name: str, parent: str, attributes: Mapping[str, str]) -> Span:
    trace_id, parent_id = parent[3:35], parent[36:52]
    is_root = trace_id.startswith(parent_id)
    real = _start_otel(name, parent, is_root, attributes) if _tracer else None
    span_id = f"{real.get_span_context().span_id:016x}" if real else f"{getrandbits(64) or 1:016x}"
    opened = Span(name, trace_id, span_id, None if is_root else parent_id, attributes, real=real)
    _open[span_id] = opened
    for listener in _listeners:
        listener(opened)
    return opened


def _start_otel(name: str, parent: str, is_root: bool, attributes: Mapping[str, str]) -> OtelSpan:
    assert _tracer is not None
    context = OtelContext()
    if not is_root:
        flags = otel.TraceFlags(int(parent[53:], 16))
        remote = otel.SpanContext(int(parent[3:35], 16), int(parent[36:52], 16), is_remote=True, trace_flags=flags)
        context = otel.set_span_in_context(otel.NonRecordingSpan(remote), context)
    token = _Ids.wanted.set(int(parent[3:35], 16))
    try:
        return _tracer.start_span(name, context, attributes={"service": service_name.get(), **attributes})
    finally:
        _Ids.wanted.reset(token)


def _end(span: Span) -> None:
    span.ended = True
    _open.pop(span.span_id, None)
    if span.real is not None:
        if span.error is not None:
            span.real.set_status(otel.StatusCode.ERROR, span.error)
        for event in span.events:
            span.real.add_event(event)
        span.real.end()
