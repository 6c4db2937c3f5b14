"""What a service says about itself: log lines and metrics. Traces are `tracing`'s, at hand here too."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final, TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from structlog.typing import Processor

from .tracing import configure_tracing, continue_trace, current_trace_id, service_name, span, stop_tracing, traceparent

__all__ = [
    "Telemetry",
    "configure_logging",
    "configure_tracing",
    "continue_trace",
    "current_trace_id",
    "logger",
    "service_name",
    "span",
    "stop_tracing",
    "traceparent",
]

REDACTED: Final = "[redacted]"

_SECRET = re.compile(
    r"passw|token|authori[sz]ation|secret|card|address|email|cookie|credential|private|signature", re.IGNORECASE
)
# Exceptions of libraries carry rejected values, whole rows, connection strings and headers in their text.
_LEAKS = re.compile(
    r"""
      (?<=DETAIL:\ ).*                                     # PostgreSQL: the row that breaks a constraint
    | (?<=\[parameters:\ ).*                               # SQLAlchemy: what a statement was run with
    | (?<=input_value=).*?(?=,\ input_type=|$)             # pydantic
    | (?<='input':\ ).*                                    # FastAPI
    | (?<=://)[^/\s@]+(?=@)                                # a URL's user and password
    | \beyJ[\w-]+\.[\w-]+\.[\w-]*                          # a JSON web token
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+                         # an e-mail address
    | (?<=Bearer\ )\S+
    | (?i:\b(?:password|secret|token|card|address)=)\S+
    """,
    re.VERBOSE | re.MULTILINE,
)
_OURS = frozenset({"component", "event", "level", "method", "path", "service", "timestamp", "trace_id"})


def configure_logging(
    level: str = "INFO", json: bool = True, *, service: str = "orderflow", stream: TextIO | None = None
) -> None:
    """One line of JSON per event on stdout, for our own loggers and for the libraries' alike."""
    service_name.set(service)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_trace,
    ]
    ending: list[Processor] = [
        structlog.processors.ExceptionRenderer(),
        redact,
        structlog.processors.JSONRenderer(ensure_ascii=True) if json else structlog.dev.ConsoleRenderer(),
    ]
    out = stream or sys.stdout
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_from_library, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    library = logging.StreamHandler(out)
    library.setFormatter(formatter)
    logging.basicConfig(level=max(logging.getLevelName(level), logging.WARNING), handlers=[library], force=True)


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(component=name))


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No secret, token, card or address leaves by a log line, whatever it was called with."""
    for key, value in event.items():
        if key not in _OURS:
            event[key] = _clean(key, value)
    return event


class Telemetry:
    """A service's own metrics; several services in one process do not mix."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = registry = CollectorRegistry()
        self._requests = Counter("http_requests", "Requests answered", ["method", "route", "status"], registry=registry)
        self._durations = Histogram(
            "http_request_seconds",
            "Time to answer",
            ["method", "route"],
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10),
        )
        self.outbox_waiting = Gauge("outbox_waiting", "Events not yet with the broker", registry=registry)
        self.outbox_age = Gauge("outbox_age_seconds", "Age of the oldest such event", registry=registry)
        self.sent = Counter("events_sent", "Events confirmed by the broker", registry=registry)
        self.consumed = Counter("events_consumed", "Events heard for the first time", registry=registry)
        self.parked = Counter("events_parked", "Events put aside for a retry or a person", registry=registry)
        self.parked_waiting = Gauge("events_parked_waiting", "Those that still wait", registry=registry)
        self.job_failures = Counter("job_failures", "Runs of a job that failed", ["job"], registry=registry)
        # Looking a child up by its labels costs more than all the rest of it.
        self._seen: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        found = self._seen.get(key)
        if found is None:
            found = self._requests.labels(method, route, status), self._durations.labels(method, route)
            self._seen[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def exposition(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)


def _from_library(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # Our own events are constant; a library's may quote anything.
    return {**event, "component": event["_record"].name, "event": _LEAKS.sub(REDACTED, str(event["event"]))}


def _name_trace(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.setdefault("service", service_name.get())
    if trace_id := current_trace_id():
        event["trace_id"] = trace_id
    return event


def _clean(key: str, value: Any) -> Any:
    if _is_secret(key):
        return REDACTED
    if isinstance(value, str):
        return _LEAKS.sub(REDACTED, value)
    if isinstance(value, Mapping):
        return {str(inner): _clean(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", each) for each in value]
    return value


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return _SECRET.search(key) is not None
