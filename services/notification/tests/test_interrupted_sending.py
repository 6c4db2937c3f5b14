"""Sending that stops half-way, killed or cancelled: every mail leaves, and hardly any twice."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from chassis import failpoints
from notification.mails.model import MOST_BEGUN

from .factories import PostOffice, a_letter, recipients
from .mail_server import MailServer, Trick

CUSTOMERS = [f"customer-{number}" for number in range(12)]
POINTS = ("claimed", "sent", "marking", "marked")


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


async def written(office: PostOffice) -> None:
    for customer in CUSTOMERS:
        await office.knows(customer)
    await office.write(*(a_letter(customer) for customer in CUSTOMERS), *(a_letter(customer) for customer in CUSTOMERS))


async def killed_at(point: str, database_url: str, server: MailServer) -> None:
    """The kernel ends the process, and nothing in it can do anything about it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.notification.tests.sending_process", database_url, str(server.port)),
        env={**os.environ, "FAILPOINTS": f"notification.mails.{point}"},
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            assert await process.wait() == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()


@pytest.mark.parametrize("point", ["claimed=kill", "sent=kill@5", "marking=kill@2", "marked=kill@3"])
async def test_after_a_kill_every_mail_leaves_and_copies_have_one_message_id(
    office: PostOffice, database_url: str, server: MailServer, point: str
) -> None:
    await written(office)
    await killed_at(point, database_url, server)
    unmarked = len(server.taken) - (await office.states()).count("SENT")

    assert await office.run() == 0
    await office.end_leases()
    await office.until_nothing_waits()

    assert set(await office.states()) == {"SENT"}
    ids = Counter(taken.message_id for taken in server.taken)
    assert len(ids) == 24
    # Only what had left and was not marked yet: one for each connection at most.
    assert sum(ids.values()) - 24 == unmarked <= 4


async def test_a_mail_that_had_left_is_sent_again_after_a_kill_under_its_message_id(
    office: PostOffice, database_url: str, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    await killed_at("sent=kill", database_url, server)
    assert (len(server.taken), await office.states()) == (1, ["QUEUED"])

    await office.end_leases()
    await office.run()

    first, second = server.taken
    assert first.message_id == second.message_id
    assert await office.states() == ["SENT"]


@pytest.mark.parametrize("point", POINTS)
async def test_a_cancellation_loses_nothing_and_doubles_nothing(
    office: PostOffice, server: MailServer, point: str
) -> None:
    await written(office)
    failpoints.arm("test", f"notification.mails.{point}=cancel*1")

    sending = asyncio.create_task(office.run())
    await asyncio.wait([sending])
    assert failpoints.hits()[f"notification.mails.{point}"] >= 1

    failpoints.disarm()
    await office.end_leases()
    await office.until_nothing_waits()

    assert set(await office.states()) == {"SENT"}
    assert len({taken.message_id for taken in server.taken}) == len(server.taken) == 24


async def test_who_is_told_to_end_lets_others_have_what_was_not_begun(office: PostOffice, server: MailServer) -> None:
    await written(office)
    server.says("RCPT", Trick.STALLS)
    sending = asyncio.create_task(office.run())
    for _ in range(4):
        await server.tricked.acquire()

    sending.cancel()
    await asyncio.wait([sending])

    left = await office.query("SELECT count(*) AS leased FROM mails WHERE leased_until IS NOT NULL")
    assert left == [{"leased": 4}]
    server.is_well()
    await office.run()
    assert (await office.states()).count("SENT") == 16


async def test_who_is_told_to_end_finishes_what_is_about_to_end(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    server.open.clear()
    sending = asyncio.create_task(office.run())
    await server.arrived.acquire()

    sending.cancel()
    await asyncio.sleep(0)
    server.open.set()
    await asyncio.wait([sending])

    assert sending.cancelled()
    assert await office.states() == ["SENT"]


async def test_what_has_left_is_marked_although_it_is_told_to_end(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.knows("bob")
    await office.write(a_letter("ada"))
    # While one is being marked, the other one waits for its turn.
    failpoints.arm("test", "notification.mails.marking=sleep:4*1")
    sending = asyncio.create_task(office.run())
    await hit("marking", 1)
    await office.write(a_letter("bob"))
    await hit("sent", 2)

    sending.cancel()
    await asyncio.wait([sending])
    for each in office.service.closes:
        await each.close()

    assert await office.states() == ["SENT", "SENT"]


async def hit(point: str, times: int) -> None:
    while failpoints.hits().get(f"notification.mails.{point}", 0) < times:  # noqa: ASYNC110 (a failpoint has no event)
        await asyncio.sleep(0.01)


async def test_what_left_is_marked_however_long_the_database_keeps_us_waiting(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    server.open.clear()
    sending = asyncio.create_task(office.run())
    await server.arrived.acquire()

    # Longer than a statement waits for a lock: the first marking is refused.
    async with second_office.database.begin() as session:
        await session.execute(text("SELECT 1 FROM mails FOR UPDATE"))
        server.open.set()
        await asyncio.sleep(2.5)
    await sending

    assert await office.states() == ["SENT"]
    assert len(server.taken) == 1


async def test_a_mail_that_ends_the_process_takes_no_other_with_it(office: PostOffice, server: MailServer) -> None:
    await written(office)
    for _ in range(MOST_BEGUN + 1):
        failpoints.arm("test", "notification.mails.claimed=raise*1")
        with pytest.raises(failpoints.FailpointHit):
            await office.run()
        await office.end_leases()

    await office.until_nothing_waits()

    states = Counter(await office.states())
    assert states["FAILED"] <= 1
    assert states["SENT"] >= 23


async def test_a_mail_whose_end_is_never_marked_does_not_leave_for_ever(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    failpoints.arm("test", "notification.mails.marking=raise")

    for _ in range(MOST_BEGUN + 5):
        with pytest.raises(failpoints.FailpointHit):
            await office.run()
        await office.end_leases()
    failpoints.disarm()
    await office.run()

    assert len(recipients(server)) == MOST_BEGUN
    assert await office.states() == ["FAILED"]
