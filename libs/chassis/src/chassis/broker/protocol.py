"""What the chassis knows of a broker: messages, subscriptions, promises; keeping them is rabbit's and in_process's."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    """The event's id: by it a duplicate is known."""
    routing_key: str
    body: bytes
    exchange: str
    traceparent: str | None = None
    mandatory: bool = False
    redelivered: int = 0
    """How often the broker has delivered it before."""


class Unroutable(Exception):
    """A mandatory message that no queue takes."""


class NotConfirmed(Exception):
    """The message may have arrived or not: keep it and send it again."""


class NotReady(Exception):
    """The broker cannot be reached, or a consumer of this process is gone."""


@dataclass(frozen=True)
class Subscription:
    service: str
    bindings: Mapping[str, str]
    """Routing key to exchange."""
    batch: int = 100
    """The most messages that are handed over at once."""
    rest: timedelta = timedelta(0)
    """The least after a batch of several that was not full. Where senders wait for the handle, there is none."""

    @property
    def queue(self) -> str:
        return f"{self.service}.inbox.v1"


Handle = Callable[[Sequence[Message]], Awaitable[None]]
"""Returning means: each message is committed or parked. Raising: nothing is known, the same batch comes again later."""


class Consuming(Protocol):
    async def stop(self) -> None:
        """Takes no more, finishes and acknowledges what runs, and gives back the rest."""


class Broker(Protocol):
    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        """One result per message, in order: None once it is safe with every listener. Raises nothing."""

    async def subscribe(self, subscription: Subscription, handle: Handle) -> Consuming:
        """With the broker in reach the queue is bound when this returns; otherwise it will be as soon as it can."""

    async def ready(self) -> None:
        """Raises NotReady."""

    async def close(self) -> None: ...
