"""Several replicas on one table, and events that are told again: each mail is written once and sent once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from chassis.ids import uuid7
from contracts.sales.customers import CustomerRegistered
from contracts.sales.orders import OrderConfirmed

from .factories import PostOffice, a_letter, a_message, numbered, numbers, to_operations
from .mail_server import MailServer, Trick


@pytest.mark.rule("BR-MAIL-001")
async def test_a_thousand_events_that_are_told_twice_make_a_thousand_mails(
    office: PostOffice, server: MailServer
) -> None:
    events = [a_message(_registered(f"customer-{number % 100}")) for number in range(100)]
    events += [a_message(_confirmed(f"customer-{number % 100}")) for number in range(900)]
    batches = [events[start : start + 100] for start in range(0, 1000, 100)]

    for batch in batches:
        await office.hear(*batch)
        await office.hear(*batch)
    sent = await office.run()
    for batch in reversed(batches):
        await office.hear(*batch)

    assert await office.run() == 0
    assert sent == len(server.taken) == len({taken.message_id for taken in server.taken}) == 1000
    assert Counter(await office.states()) == {"SENT": 1000}


async def test_an_event_that_was_forgotten_and_is_told_again_makes_no_second_mail(
    office: PostOffice, server: MailServer
) -> None:
    event = a_message(_registered("ada"))
    await office.hear(event)
    await office.run()

    await office.query("DELETE FROM inbox")
    await office.hear(event)
    await office.run()

    assert len(server.taken) == 1


async def test_two_replicas_that_are_told_the_same_at_once_write_it_once(
    office: PostOffice, second_office: PostOffice
) -> None:
    letters = [a_letter(f"customer-{number}") for number in range(200)]

    await asyncio.gather(
        *(each.write(*chosen) for each in (office, second_office) for chosen in (letters, letters[::-1])),
    )

    assert Counter(mail["event_id"] for mail in await office.mails()) == {letter.event_id: 1 for letter in letters}


async def test_two_replicas_send_each_mail_once_and_in_order(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    customers = [f"customer-{number}" for number in range(40)]
    for customer in customers:
        await office.knows(customer)
    await office.write(*(to_operations() for _ in range(20)))

    async def keep_sending(each: PostOffice) -> None:
        for _ in range(400):
            await each.run()
            if len(server.taken) >= 40 * 5 + 20:
                return
            await asyncio.sleep(0)

    async def keep_writing() -> None:
        for number in range(5):
            await office.write(*(numbered(number, customer) for customer in customers))

    await asyncio.gather(keep_writing(), keep_sending(office), keep_sending(second_office))

    assert len({taken.message_id for taken in server.taken}) == len(server.taken) == 220
    assert all(numbers(server, customer) == [0, 1, 2, 3, 4] for customer in customers)
    assert server.most_at_once > 4


async def test_what_one_replica_has_claimed_no_other_is_given(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(*(numbered(number) for number in (1, 2)))
    server.open.clear()
    sending = asyncio.create_task(office.run())
    await server.arrived.acquire()

    # Older than what is under way, so it is the first in line: alone, without those behind it.
    await office.write(numbered(0))
    server.open.set()
    other = await second_office.run()
    await sending

    assert other <= 1
    assert sorted(numbers(server)) == [0, 1, 2]
    assert len(server.taken) == 3


@pytest.mark.parametrize(("words", "state"), [("550 5.1.1 Unknown", "FAILED"), ("451 4.3.0 Later", "QUEUED")])
async def test_who_was_too_slow_does_not_undo_what_another_has_found_out(
    office: PostOffice, second_office: PostOffice, server: MailServer, words: str, state: str
) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    server.says("RCPT", Trick.STALLS, times=1)
    slow = asyncio.create_task(office.run())
    await server.tricked.acquire()
    await office.end_leases()
    server.says("RCPT", words, times=1)
    await second_office.run()

    server.hang_up()
    await slow

    [mail] = await office.mails()
    assert (mail["state"], mail["tries"], mail["last_error"]) == (state, 1, words)


async def test_that_a_mail_has_left_is_true_also_when_it_is_told_late(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    server.open.clear()
    slow = asyncio.create_task(office.run())
    await server.arrived.acquire()
    await office.end_leases()
    server.says("RCPT", "451 4.3.0 Later", times=1)
    await second_office.run()

    server.open.set()
    await slow

    assert await office.states() == ["SENT"]
    await office.make_due()
    assert await office.run() == 0


def _registered(customer_id: str) -> CustomerRegistered:
    return CustomerRegistered(
        customer_id=customer_id,
        email=f"{customer_id}@customers.example",
        name="Ada",
        language="en",
        token_id=uuid7(),
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )


def _confirmed(customer_id: str) -> OrderConfirmed:
    return OrderConfirmed(
        order_id=uuid7(), customer_id=customer_id, total=1999, currency="EUR", confirmed_at=datetime.now(UTC)
    )
