"""What the chassis' tests are made of: events, a reaction that leaves traces, and a database that can go away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.breather import requests
from chassis.broker import Message
from chassis.consumer import Postponed, Reactions, Received
from chassis.db import Database
from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.parking import ParkedEvent, find
from chassis.tracing import traceparents
from contracts.envelope import Envelope, Event
from contracts.text import Text
from tests.harness.listening import stop_listening

EFFECTS = "CREATE TABLE IF NOT EXISTS effects (name text NOT NULL, number int NOT NULL)"


class Placed(Event):
    event_type: ClassVar[str] = "test.placed"
    source: ClassVar[str] = "sales-service"
    domain_name: ClassVar[str] = "Placed"
    heard_by: ClassVar[frozenset[str]] = frozenset({"delivery"})

    number: int
    note: Annotated[Text, Field(max_length=1000)] = ""


class Cancelled(Event):
    event_type: ClassVar[str] = "test.cancelled"
    source: ClassVar[str] = "sales-service"
    domain_name: ClassVar[str] = "Cancelled"

    number: int


class Noted(Event):
    """What our reaction answers with."""

    event_type: ClassVar[str] = "test.noted"
    source: ClassVar[str] = "delivery-service"
    domain_name: ClassVar[str] = "Noted"

    number: int


class Noting:
    """A reaction: a row and an event for each number, also for those that it then postpones or fails on."""

    def __init__(self, name: str = "placed") -> None:
        self.name = name
        self.postponed: set[int] = set()
        self.failing: set[int] = set()
        self.calls: list[list[int]] = []
        self.traces: list[tuple[str, ...]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, session: AsyncSession, received: Sequence[Received[Placed]]) -> list[Postponed]:
        self.calls.append([one.event.number for one in received])
        self.traces.append(traceparents())
        for one in received:
            await note(session, self.name, one.event.number)
            publish(session, Noted(number=one.event.number))
        await self.open.wait()
        for one in received:
            if one.event.number in self.failing:
                raise ZeroDivisionError(f"cannot take {one.event.number}")
        return [Postponed(one.event_id, "too early") for one in received if one.event.number in self.postponed]

    @property
    def reactions(self) -> Reactions:
        return {Placed: self}


def message(event: Event, event_id: UUID | None = None, *, traceparent: str | None = None) -> Message:
    id = str(event_id or uuid7())
    body = Envelope.around(event, id, datetime.now(UTC)).encode()
    return Message(id, event.event_type, body, event.exchange(), traceparent=traceparent)


def placed(*numbers: int) -> list[Message]:
    return [message(Placed(number=number)) for number in numbers]


async def note(session: AsyncSession, name: str, number: int) -> None:
    await session.execute(text("INSERT INTO effects VALUES (:name, :number)"), {"name": name, "number": number})


async def noted(database: Database, name: str = "placed") -> list[int]:
    return await column(database, "SELECT number FROM effects WHERE name = :name ORDER BY number", name=name)


async def outbox(database: Database, event_type: str = "test.noted") -> list[int]:
    """The numbers in the events that were published, in their order."""
    statement = "SELECT (body::jsonb -> 'data' ->> 'number')::int FROM outbox WHERE event_type = :type ORDER BY id"
    return await column(database, statement, type=event_type)


async def unsent(database: Database) -> int:
    statement = "SELECT count(*) FROM outbox WHERE sent_at IS NULL"
    return sum(await column(database, statement))


async def column(database: Database, statement: str, **values: object) -> list[Any]:
    async with database.begin() as session:
        return list(await session.scalars(text(statement), values))


async def execute(database: Database, statement: str, **values: object) -> None:
    async with database.begin() as session:
        await session.execute(text(statement), values)


async def parked(database: Database, event_id: str) -> ParkedEvent | None:
    async with database.begin() as session:
        return await find(session, event_id)


async def make_due(database: Database) -> None:
    await execute(database, "UPDATE parked_events SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")


async def eventually(condition: Callable[[], object], within: float = 20) -> None:
    """`until`, for what has to be asked of the database."""
    async with asyncio.timeout(within):
        while not await _true(condition()):  # noqa: ASYNC110 (a database tells nobody)
            await asyncio.sleep(0.01)


async def _true(answer: object) -> bool:
    return bool(await answer if asyncio.iscoroutine(answer) else answer)


class DatabaseWire:
    """A way to PostgreSQL that can be cut; while the database is away nobody gets through."""

    def __init__(self, url: str) -> None:
        self._there = make_url(url)
        self._is_away = False
        self._ends: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.url = ""

    @asynccontextmanager
    async def laid(self) -> AsyncIterator["DatabaseWire"]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        here = self._there.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1], query={})
        self.url = here.render_as_string(hide_password=False)
        try:
            yield self
        finally:
            await stop_listening(server)
            self._cut()
            await asyncio.gather(*self._pumps)
            await server.wait_closed()

    def go_away(self) -> None:
        self._is_away = True
        self._cut()

    def come_back(self) -> None:
        self._is_away = False

    def _cut(self) -> None:
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_away:
            writer.transport.abort()
            return
        host, port = str(self._there.query.get("host", self._there.host)), self._there.port or 5432
        there_reader, there_writer = await (
            asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
            if host.startswith("/")
            else asyncio.open_connection(host, port)
        )
        self._ends |= {writer, there_writer}
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            self._pumps.add(asyncio.create_task(_pump(source, sink)))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(65536):
            sink.write(piece)
            await sink.drain()
    sink.close()


@contextmanager
def waiting_for_answers(count: int) -> Iterator[None]:
    """So many requests that this process has in hand."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(requests.one())
        yield
