"""A broker that answers as it is told to, and relays that send to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from chassis.broker import Broker, Consuming, Handle, Message, NotConfirmed, NotReady, Subscription
from chassis.db import Database
from chassis.outbox import publish
from chassis.relay import Relay
from chassis.telemetry import Telemetry
from contracts.envelope import Envelope
from libs.chassis.tests.broker.factories import until
from libs.chassis.tests.factories import Placed, column, unsent

NEVER = timedelta(seconds=60)

Answer = Callable[[int], Exception | None]


class FakeBroker:
    """The outside world: it hears numbers, and answers as it is told to."""

    def __init__(self) -> None:
        self.heard: list[list[int]] = []
        self.answer: Answer = lambda _: None
        self.open = asyncio.Event()
        self.open.set()
        self.is_away = False

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        numbers = [Envelope.model_validate_json(each.body).data["number"] for each in messages]
        self.heard.append(numbers)
        await self.open.wait()
        if self.is_away:
            return [NotConfirmed("away")] * len(numbers)
        return [self.answer(number) for number in numbers]

    async def ready(self) -> None:
        if self.is_away:
            raise NotReady("away")

    async def subscribe(self, subscription: Subscription, handle: Handle) -> Consuming:
        raise AssertionError("A relay sends, and hears nothing.")

    async def close(self) -> None: ...

    @property
    def all_heard(self) -> list[int]:
        return [number for batch in self.heard for number in batch]


def relay_of(database: Database, broker: Broker, *, batch: int = 200) -> Relay:
    return Relay(database, broker, Telemetry("test"), batch=batch, look_every=NEVER)


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.stop()
        async with asyncio.timeout(5):
            await task


async def place(database: Database, *numbers: int) -> None:
    async with database.begin() as session:
        for number in numbers:
            publish(session, Placed(number=number))


async def ready(database: Database) -> None:
    """The relay has looked for what was there before it."""
    await until(lambda: database.handover.is_open)


async def untouched(database: Database) -> int:
    statement = (
        "SELECT count(*)::int FROM outbox WHERE sent_at IS NULL AND attempts = 0 AND next_attempt_at = '-infinity'"
    )
    return sum(await column(database, statement))


async def unsent_is(database: Database, count: int) -> bool:
    return await unsent(database) == count
