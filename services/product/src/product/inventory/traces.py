"""Whose trace each item of a batch belongs to."""

from collections.abc import Sequence
from typing import TypeVar

from chassis import tracing

T = TypeVar("T")


def with_traces(items: Sequence[T]) -> list[tuple[T, str | None]]:
    """Each item with the trace of the one who asked for it, or with the request's own where only that is known."""
    traces: Sequence[str | None] = tracing.traceparents()
    if len(traces) != len(items):
        traces = [tracing.traceparent.get()] * len(items)
    return list(zip(items, traces, strict=True))
