"""While the mail server, or a part of the world behind it, is away: nothing is lost, burned, hammered or held up."""

import asyncio
import time
from datetime import timedelta

import pytest

from chassis.breaker import FAILURES

from .factories import PostOffice, a_letter, a_post_office, numbered, numbers, recipients
from .mail_server import MailServer, Trick

CUSTOMERS = [f"customer-{number}" for number in range(30)]


async def written(office: PostOffice, each: int = 3) -> None:
    for customer in CUSTOMERS:
        await office.knows(customer)
    await office.write(*(numbered(number, customer) for number in range(each) for customer in CUSTOMERS))


async def comes_back(office: PostOffice) -> None:
    """Until a probe gets through; the breaker's pauses are seconds, and nobody can shorten them from outside."""
    for _ in range(600):
        await office.make_due()
        await office.run()
        if not await office.query("SELECT 1 FROM mails WHERE state = 'QUEUED'"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("The server is back, and mails still wait.")


@pytest.mark.rule("AC-REG-002", "AC-MAIL-001")
async def test_when_the_server_was_down_for_a_while_all_arrive_later_in_order(
    office: PostOffice, server: MailServer
) -> None:
    await written(office)
    await server.stop()
    for _ in range(20):
        await office.run()
    assert set(await office.states()) == {"QUEUED"}

    await server.start()
    await comes_back(office)

    assert set(await office.states()) == {"SENT"}
    assert all(numbers(server, customer) == [0, 1, 2] for customer in CUSTOMERS)
    assert len(server.taken) == 90


@pytest.mark.rule("AC-MAIL-001")
async def test_a_server_that_goes_away_in_the_midst_gets_every_mail_once_it_is_back(
    office: PostOffice, server: MailServer
) -> None:
    await written(office)
    server.open.clear()
    sending = asyncio.create_task(office.run())
    await server.arrived.acquire()
    await server.stop()
    await sending
    server.open.set()

    await server.start()
    await comes_back(office)

    assert set(await office.states()) == {"SENT"}
    # Those whose answer was lost came twice, with one Message-ID.
    assert len({taken.message_id for taken in server.taken}) == 90
    for customer in CUSTOMERS:
        assert sorted(set(numbers(server, customer))) == [0, 1, 2]
        assert sorted(numbers(server, customer)) == numbers(server, customer)


async def test_a_server_that_is_away_burns_nobodys_tries_and_is_not_hammered(
    office: PostOffice, server: MailServer
) -> None:
    await written(office)
    server.says("CONNECT", "421 4.3.2 Closed")

    for _ in range(50):
        await office.make_due()
        await office.run()

    assert {mail["tries"] for mail in await office.mails()} == {0}
    # Those that were under way when it was found out, and the probes since.
    assert server.asked.count("CONNECT") <= FAILURES + 4 + 3
    assert all(mail["leased_until"] is None for mail in await office.mails())


async def test_one_mail_at_a_time_finds_out_whether_the_server_is_back(office: PostOffice, server: MailServer) -> None:
    await written(office)
    server.says("CONNECT", Trick.HANGS_UP)
    await office.run()
    server.most_at_once, before = 0, server.connections

    while server.connections == before:
        await office.make_due()
        await office.run()
        await asyncio.sleep(0.02)
    for _ in range(10):
        await office.run()

    assert (server.connections, server.most_at_once) == (before + 1, 1)
    server.is_well()
    await comes_back(office)
    assert set(await office.states()) == {"SENT"}


async def test_a_mail_that_makes_the_server_hang_up_does_not_stop_the_others(
    office: PostOffice, server: MailServer
) -> None:
    await written(office, each=1)
    server.says("RCPT", "421 4.7.0 Not this one", about="customer-7@")

    for _ in range(100):
        await office.run()
        if len(server.taken) == 29:
            break
        await asyncio.sleep(0.05)

    assert len(server.taken) == 29
    [left] = await office.query("SELECT recipient, tries FROM mails WHERE state = 'QUEUED'")
    assert left == {"recipient": "customer-7", "tries": 0}


async def test_a_domain_where_mail_gets_stuck_does_not_hold_up_the_others(
    database_url: str, server: MailServer
) -> None:
    async with a_post_office(database_url, server, smtp={"timeout": timedelta(milliseconds=500)}) as office:
        for customer in CUSTOMERS:
            domain = "stuck.example" if int(customer.partition("-")[2]) < 20 else "well.example"
            await office.knows(customer, email=f"{customer}@{domain}")
        await office.write(*(a_letter(customer) for customer in CUSTOMERS))
        server.says("RCPT", Trick.STALLS, about="@stuck.example")

        began = time.monotonic()
        await office.run()
        # While a domain is troubled, a mail may find out whether it is well again: 0.8 seconds apart at least.
        probes = int((time.monotonic() - began) / 0.8)

        assert len([recipient for recipient in recipients(server) if recipient.endswith("@well.example")]) == 10
        tried = await office.query("SELECT 1 FROM mails WHERE recipient = ANY(:ids) AND tries > 0", ids=CUSTOMERS[:20])
        assert FAILURES <= len(tried) <= FAILURES + 4 + probes < 20
        stuck = await office.query("SELECT last_error FROM mails WHERE state = 'QUEUED' AND tries = 0")
        assert {mail["last_error"] for mail in stuck} == {"Mail to this domain gets stuck at the moment."}

        server.is_well()
        await comes_back(office)
        assert set(await office.states()) == {"SENT"}


async def test_a_mail_that_is_stuck_does_not_keep_new_ones_waiting(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.knows("bob")
    await office.write(a_letter("ada"))
    server.says("RCPT", Trick.STALLS, about="ada@")
    sending = asyncio.create_task(office.run())
    await server.tricked.acquire()

    await office.write(a_letter("bob"))
    async with asyncio.timeout(4):
        await server.arrived.acquire()

    assert not sending.done()
    assert recipients(server) == ["bob@customers.example"]
    server.hang_up()
    await sending


@pytest.mark.parametrize("words", ["450 4.2.1 Try later", "550 5.2.1 Never"])
async def test_a_refusal_shows_that_the_server_is_well(office: PostOffice, server: MailServer, words: str) -> None:
    await written(office, each=1)
    server.says("RCPT", words)

    await office.run()

    assert {mail["tries"] for mail in await office.mails()} == {1}
