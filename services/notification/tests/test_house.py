"""What holds of Notification as a whole: its schema is its migrations', and its work is woken and looked for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.schema import schema_drift
from notification.db import NotificationTable

from .factories import PostOffice, a_letter, recipients
from .mail_server import MailServer


@asynccontextmanager
async def working(office: PostOffice) -> AsyncIterator[None]:
    """With relay, consumer and jobs, as in production."""
    app = office.service.app()
    async with app.router.lifespan_context(app):
        yield


async def test_the_migrations_make_what_the_code_expects(office: PostOffice) -> None:
    assert await schema_drift(office.database, NotificationTable.metadata) == []


async def test_whatever_is_written_leaves_by_itself(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")

    async with working(office):
        await office.write(a_letter("ada"))
        await server.arrived.acquire()
        await office.write(a_letter("ada"))
        await server.arrived.acquire()

    assert len(recipients(server)) == 2


async def test_what_another_process_has_written_leaves_as_well(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")

    async with working(office):
        await second_office.write(a_letter("ada"))
        await server.arrived.acquire()

    assert recipients(server) == ["ada@customers.example"]
