"""Sends spans to an OpenTelemetry collector. Which spans there are, and in which trace, is `tracing`'s."""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

_trace_id: Final[ContextVar[int]] = ContextVar("trace_id", default=0)


class Sending:
    def __init__(self, service: str, sample_ratio: float, exporter: SpanExporter) -> None:
        # By trace id and not by the caller's flag: all services decide alike, and nobody outside can make us record.
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service}),
            sampler=TraceIdRatioBased(sample_ratio),
            id_generator=_Ids(),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("orderflow")

    def start(self, name: str, traceparent: str, attributes: Mapping[str, str], *, is_root: bool) -> Span:
        """A child of the traceparent's span, or the root of its trace."""
        trace_id = int(traceparent[3:35], 16)
        context = Context() if is_root else _remote(trace_id, traceparent)
        token = _trace_id.set(trace_id)
        try:
            return self._tracer.start_span(name, context, attributes=attributes)
        finally:
            _trace_id.reset(token)

    def stop(self) -> None:
        self._provider.shutdown()


def to_collector(endpoint: str) -> SpanExporter:
    return OTLPSpanExporter(endpoint)


def finish(span: Span, events: Iterable[str], error: str | None) -> None:
    if error is not None:
        span.set_status(StatusCode.ERROR, error)
    for event in events:
        span.add_event(event)
    span.end()


def _remote(trace_id: int, traceparent: str) -> Context:
    flags = TraceFlags(int(traceparent[53:], 16))
    parent = SpanContext(trace_id, int(traceparent[36:52], 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(parent), Context())


class _Ids(RandomIdGenerator):
    """Lets a root span take the trace id that the request got already."""

    def generate_trace_id(self) -> int:
        return _trace_id.get() or super().generate_trace_id()
