"""What the tests of Notification are made of: customers, letters, and a post office that works when it is told to."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from httpx import ASGITransport, AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import text

from chassis.auth import Role, Signer, new_keypair
from chassis.broker import InProcessBroker, Message
from chassis.consumer import Consumer
from chassis.db import Database
from chassis.ids import uuid7
from chassis.service import Service
from chassis.telemetry import Telemetry
from chassis.tracing import new_traceparent
from contracts.envelope import Envelope, Event
from notification.app import build
from notification.mails.model import Mail
from notification.mails.storing import Lane, claim, mark
from notification.mails.writing import OPERATIONS, Letter, write
from notification.messages.catalogue import MESSAGES
from notification.settings import NotificationSettings

from .mail_server import MailServer

MAIL_SECRET = "canary-of-the-mail-secret"
DESK = "desk@operations.example"

NOW = datetime.now(UTC)

PEOPLE_KEY, PEOPLE = new_keypair("people", ["customer", "warehouse", "admin"])
NOTIFICATION_KEY, NOTIFICATION = new_keypair("notification", ["service"])
TRUSTED = json.dumps({"keys": [PEOPLE, NOTIFICATION]})

HOURS = {"quick": (timedelta(hours=1),) * 2, "later": (timedelta(hours=1),) * 6}
"""Nine tries; what a mail waits for comes when a test says so (`make_due`)."""


def a_message(event: Event, event_id: str | None = None) -> Message:
    event_id = event_id or str(uuid7())
    body = Envelope.around(event, event_id, datetime.now(UTC)).encode()
    return Message(event_id, event.event_type, body, event.exchange(), new_traceparent())


def a_letter(recipient: str = "ada", message: str = "order_confirmed", **told: Any) -> Letter:
    known = {
        "event_id": str(uuid7()),
        "message": message,
        "recipient": recipient,
        "about": MESSAGES[message].sample if message in MESSAGES else {},
        "at": datetime.now(UTC),
        "traceparent": new_traceparent(),
    }
    return Letter(**{**known, **told})


def numbered(number: int, customer: str = "ada", *, at: datetime | None = None) -> Letter:
    """Tells of the order with this number, see `numbers`; each a second after the one before, if no time is told."""
    about = {**MESSAGES["order_confirmed"].sample, "order_id": f"order-{number}"}
    return a_letter(customer, about=about, at=at or NOW + timedelta(seconds=number))


def to_operations(message: str = "out_of_stock") -> Letter:
    return a_letter(OPERATIONS, message)


@dataclass
class PostOffice:
    """A Notification without its worker: the tests hand it messages or letters, run its jobs and call its API."""

    service: Service
    http: AsyncClient

    @property
    def database(self) -> Database:
        return self.service.database

    async def hear(self, *messages: Message) -> None:
        await Consumer(self.database, self.service.reactions, Telemetry("notification")).handle(messages)

    async def write(self, *letters: Letter) -> None:
        async with self.database.begin() as session:
            await write(session, letters)

    async def knows(self, customer_id: str = "ada", email: str | None = None, name: str = "Ada", **told: Any) -> None:
        """A customer has been heard of."""
        known = {"email": email or f"{customer_id}@customers.example", "name": name, "language": "en", "topics": []}
        await self.query(
            """
            INSERT INTO customers (customer_id, email, email_told_at, name, language, profile_told_at, unwanted_topics)
            VALUES (:customer_id, :email, now(), :name, :language, now(), :topics)
            ON CONFLICT (customer_id) DO UPDATE SET email = excluded.email, name = excluded.name,
                unwanted_topics = excluded.unwanted_topics
            """,
            customer_id=customer_id,
            **{**known, **told},
        )

    async def erases(self, customer_id: str) -> None:
        await self.query(
            """
            UPDATE customers SET email = NULL, email_told_at = NULL, name = NULL, language = NULL,
                profile_told_at = NULL, erased_at = now() WHERE customer_id = :customer_id
            """,
            customer_id=customer_id,
        )

    async def run(self, job: str = "send_mails") -> int:
        [found] = [each for each in self.service.jobs if each.name == job]
        done = await found.run()
        assert isinstance(done, int)
        return done

    async def until_nothing_waits(self, times: int = 100) -> None:
        for _ in range(times):
            await self.run()
            if not await self.query("SELECT 1 FROM mails WHERE state = 'QUEUED'"):
                return
            await self.make_due()
        raise AssertionError(f"Mails still wait: {await self.mails()}")

    async def make_due(self) -> None:
        """As if what mails wait for were over."""
        await self.query("UPDATE mails SET next_try_at = now() - interval '1 second' WHERE state = 'QUEUED'")

    async def end_leases(self) -> None:
        """As if whoever was sending were long gone."""
        await self.query("UPDATE mails SET leased_until = now() - interval '1 second' WHERE leased_until IS NOT NULL")

    async def query(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        async with self.database.begin() as session:
            result = await session.execute(text(statement), parameters)
            return [dict(row) for row in result.mappings()]

    async def mails(self) -> list[dict[str, Any]]:
        """In the order in which they were written."""
        return await self.query("SELECT * FROM mails ORDER BY id")

    async def states(self) -> list[str]:
        return [mail["state"] for mail in await self.mails()]

    async def audited(self) -> list[dict[str, Any]]:
        return await self.query("SELECT actor, action, entity_id, before, after FROM audit_log ORDER BY id")

    async def get(self, path: str = "", role: Role | None = "admin") -> Response:
        return await self.http.get(f"/api/v1/mails{path}", headers=bearer(role))

    async def send_again(self, mail_id: object, role: Role | None = "admin") -> Response:
        return await self.http.post(f"/api/v1/mails/{mail_id}/sending", headers=bearer(role))


def bearer(role: Role | None, subject: str = "root") -> dict[str, str]:
    return {"Authorization": f"Bearer {Signer(PEOPLE_KEY).token(subject, [role])}"} if role else {}


def settings(database_url: str, server: MailServer | None = None, **told: Any) -> NotificationSettings:
    known: dict[str, Any] = {
        "database_url": SecretStr(database_url),
        "trusted_keys": TRUSTED,
        "signing_key": SecretStr(NOTIFICATION_KEY),
        "mail_secret": SecretStr(MAIL_SECRET),
        "operations": (DESK,),
        "retry": HOURS,
    }
    if server is not None:
        known["smtp"] = {"host": "127.0.0.1", "port": server.port, "tls": "none", "timeout": timedelta(seconds=5)}
    return NotificationSettings(**{**known, **told, **_merged("smtp", known, told)})


def _merged(name: str, known: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """A test says only what is different."""
    return {name: {**known[name], **told.get(name, {})}} if name in known else {}


@asynccontextmanager
async def a_post_office(database_url: str, server: MailServer | None = None, **told: Any) -> AsyncIterator[PostOffice]:
    service = build(settings(database_url, server, **told), InProcessBroker())
    transport = ASGITransport(service.app(), raise_app_exceptions=False)
    try:
        async with AsyncClient(transport=transport, base_url="http://notification") as http:
            yield PostOffice(service, http)
    finally:
        for thing in service.closes:
            await thing.close()
        await service.database.close()


def code(answer: Response) -> str:
    return str(answer.json()["error"]["code"])


def recipients(server: MailServer) -> list[str]:
    return [recipient for taken in server.taken for recipient in taken.recipients]


def subjects(server: MailServer) -> list[str]:
    return [str(taken.said["Subject"]) for taken in server.taken]


def numbers(server: MailServer, customer: str = "ada") -> list[int]:
    """Which orders the customer's mails told of, in the order in which they came."""
    mine = [taken for taken in server.taken if taken.recipients == [f"{customer}@customers.example"]]
    texts = [text for taken in mine if (text := taken.said.get_body(("plain",)))]
    return [int(found[1]) for text in texts if (found := re.search(r"order-(\d+)", text.get_content()))]


async def claimed(office: PostOffice, in_a_row: int = 1, *, alone: bool = True) -> list[Lane]:
    async with office.database.begin() as session:
        now = datetime.now(UTC)
        until = now + timedelta(minutes=1)
        return await claim(session, lanes=50, in_a_row=in_a_row, now=now, until=until, alone=alone)


async def marked(office: PostOffice, *done: Mail) -> None:
    async with office.database.begin() as session:
        await mark(session, done)
