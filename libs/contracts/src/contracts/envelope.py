"""The form in which every event travels; which events there are, their own modules say."""

from datetime import datetime
from typing import Any, ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from .text import Text


class Event(BaseModel):
    """Something that has happened. Unknown fields are ignored; any change but a new field is a new event type."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_type: ClassVar[str]
    source: ClassVar[str]
    domain_name: ClassVar[str]
    heard_by: ClassVar[frozenset[str]] = frozenset()
    """Services that must hear of it: the broker has to find a queue for it, or it stays in the outbox."""

    @classmethod
    def producer(cls) -> str:
        return cls.source.removesuffix("-service")

    @classmethod
    def exchange(cls) -> str:
        return f"{cls.producer()}.events"


class Envelope(BaseModel):
    """What is on the wire."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: Text = Field(min_length=1, max_length=100)
    event_type: Text = Field(min_length=1, max_length=100)
    timestamp: AwareDatetime
    source: Text = Field(min_length=1, max_length=100)
    data: dict[str, Any]

    @classmethod
    def around(cls, event: Event, event_id: str, timestamp: datetime) -> Self:
        return cls(
            event_id=event_id,
            event_type=event.event_type,
            timestamp=timestamp,
            source=event.source,
            data=event.model_dump(mode="json", exclude_none=True),
        )

    def encode(self) -> bytes:
        return self.model_dump_json().encode()


def encoded(event: Event, event_id: str, timestamp: datetime) -> bytes:
    """As `Envelope.around(…).encode()`, in one go."""
    envelope = {
        "event_id": event_id,
        "event_type": event.event_type,
        "timestamp": timestamp,
        "source": event.source,
        "data": event,
    }
    return to_json(envelope, exclude_none=True)
