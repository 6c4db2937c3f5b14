"""Opens what the broker brings: it is an event that a reaction takes, or there is a reason why not."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import ValidationError, create_model

from contracts.envelope import Envelope, Event

from .broker import Message
from .engine import describe, storable
from .parking import ToPark
from .tracing import valid

E = TypeVar("E", bound=Event)


class Received(NamedTuple, Generic[E]):
    """An event with what its envelope said of it."""

    event: E
    event_id: str
    timestamp: datetime
    traceparent: str | None


class Letter(NamedTuple):
    """A message, opened."""

    event_id: str
    event_type: str
    body: bytes
    traceparent: str | None
    received: Received[Any] | None = None
    problem: str | None = None
    hopeless: bool = False

    def to_park(self, error: str) -> ToPark:
        return ToPark(self.event_id, self.event_type, self.body, self.traceparent, storable(error), self.hopeless)


class Unreadable(Exception):
    """Nothing here can take this message."""

    def __init__(self, reason: str, *, hopeless: bool = True) -> None:
        super().__init__(reason)
        self.hopeless = hopeless


def open_letter(message: Message, kinds: Mapping[str, type[Event]]) -> Letter:
    return _open_at_once(message, kinds) or _open_step_by_step(message, kinds)


def _open_at_once(message: Message, kinds: Mapping[str, type[Event]]) -> Letter | None:
    """What is as it should be is read in one go; what is wrong with anything else is found out step by step."""
    kind = kinds.get(message.routing_key)
    if kind is None or message.exchange != kind.exchange():
        return None
    try:
        envelope = _envelope_of(kind).model_validate_json(message.body)
    except Exception:
        return None
    if envelope.event_type != message.routing_key:
        return None
    traceparent = valid(message.traceparent)
    received = Received(envelope.data, envelope.event_id, envelope.timestamp, traceparent)
    return Letter(envelope.event_id, envelope.event_type, message.body, traceparent, received)


@cache
def _envelope_of(kind: type[Event]) -> type[Any]:
    return create_model(f"{kind.__name__}Envelope", __base__=Envelope, data=(kind, ...))


def _open_step_by_step(message: Message, kinds: Mapping[str, type[Event]]) -> Letter:
    # The digest: the same message once more is still the same message.
    event_id = _short(message.id) or hashlib.sha256(message.body).hexdigest()
    event_type, traceparent = _short(message.routing_key) or "unknown", valid(message.traceparent)
    try:
        envelope = Envelope.model_validate_json(message.body)
        event_id, event_type = envelope.event_id, envelope.event_type
        kind = _kind(message, event_type, kinds)
        received = Received(kind.model_validate(envelope.data), event_id, envelope.timestamp, traceparent)
    except Unreadable as unreadable:
        problem, hopeless = str(unreadable), unreadable.hopeless
    except ValidationError as error:
        problem, hopeless = f"not the documented form: {_what_is_wrong(error)}", True
    except Exception as error:
        # A contract that trips over one message must not hold up the others.
        problem, hopeless = f"not readable: {describe(error)}", True
    else:
        return Letter(event_id, event_type, message.body, traceparent, received)
    return Letter(event_id, event_type, message.body, traceparent, problem=problem, hopeless=hopeless)


def _kind(message: Message, event_type: str, kinds: Mapping[str, type[Event]]) -> type[Event]:
    kind = kinds.get(event_type)
    if kind is None:
        # Not hopeless: while replicas are being replaced the older ones hear what only the newer ones know.
        raise Unreadable(f"nothing here reacts to {event_type}", hopeless=False)
    if message.exchange not in {"", kind.exchange()}:
        # A producer may write to its own exchange only: this is what keeps it from speaking for another.
        raise Unreadable(f"{event_type} cannot come from {message.exchange}")
    return kind


def _what_is_wrong(error: ValidationError) -> str:
    problems = error.errors(include_input=False, include_context=False, include_url=False)[:5]
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)[:2000]


def _short(text_from_outside: str) -> str:
    return storable(text_from_outside[:100])
