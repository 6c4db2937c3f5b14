"""A customer with many mails: they leave in order, and are not all looked at each time that mails are looked for."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from notification.mails.model import OFTEN_BEGUN
from notification.mails.storing import claim, mark

from .factories import NOW, PostOffice, a_letter, claimed, marked, numbered, numbers, recipients, to_operations
from .mail_server import MailServer

MANY = 700


async def looked_at(office: PostOffice) -> int:
    [row] = await office.query("SELECT count(*) AS mails FROM mails WHERE state = 'QUEUED' AND NOT behind")
    return int(row["mails"])


async def in_front(office: PostOffice) -> None:
    """As they are written while the one before them is being marked."""
    await office.query("UPDATE mails SET behind = false")


async def test_a_customer_for_whom_many_wait_is_looked_at_once(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.knows("bob")
    await office.write(*(numbered(number) for number in range(MANY)))
    await office.write(a_letter("bob"))
    server.says("RCPT", "451 4.3.0 Later", times=1, about="ada@")

    await office.run()

    assert recipients(server) == ["bob@customers.example"]
    assert await looked_at(office) == 1
    await office.write(numbered(MANY))
    await office.run()
    assert await looked_at(office) == 1


async def test_all_of_them_leave_in_order_when_the_first_has_left(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(*(numbered(number) for number in range(60)))
    server.says("RCPT", "451 4.3.0 Later", times=1)
    await office.run()
    assert await looked_at(office) == 1

    await office.query("UPDATE mails SET next_try_at = now() WHERE tries = 1")
    await office.run()

    assert numbers(server) == list(range(60))
    assert set(await office.states()) == {"SENT"}


@pytest.mark.parametrize("in_one_go", [True, False])
async def test_who_has_stood_in_line_for_long_is_still_waited_with_for_a_server_that_is_away(
    office: PostOffice, server: MailServer, *, in_one_go: bool
) -> None:
    await office.knows("ada")
    await office.write(numbered(1), numbered(2))
    await office.query("UPDATE mails SET queued_at = now() - interval '9 hours'")
    if not in_one_go:
        [[first]] = await claimed(office)
        await claimed(office)
        first.fail("why", datetime.now(UTC))
        await marked(office, first)
    server.says("RCPT", "550 5.1.1 Never", times=1 if in_one_go else 0)
    server.says("RCPT", "421 4.3.2 Closing")

    await office.run()

    assert await office.states() == ["FAILED", "QUEUED"]


async def test_the_next_comes_forward_also_when_the_first_has_failed(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(*(numbered(number) for number in range(5)))
    server.says("RCPT", "550 5.1.1 Never", times=1)

    for _ in range(5):
        lanes = await claimed(office)
        [[mail]] = lanes
        mail.fail("why", datetime.now(UTC))
        await marked(office, mail)

    assert set(await office.states()) == {"FAILED"}


async def test_what_is_older_than_those_that_stand_aside_goes_before_them(
    office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(numbered(1), numbered(2), numbered(3))
    [[first]] = await claimed(office)
    assert await looked_at(office) == 1

    await office.write(numbered(0, at=NOW - timedelta(hours=1)))
    first.put_back(NOW, None)
    await marked(office, first)
    await office.run()

    assert numbers(server) == [0, 1, 2, 3]


async def test_those_whom_somebody_has_left_behind_stand_aside_as_well(office: PostOffice, server: MailServer) -> None:
    await office.write(*(numbered(number) for number in range(5)))
    await claimed(office, in_a_row=20)
    await office.end_leases()
    await in_front(office)
    [[first]] = await claimed(office)
    first.postpone("why", timedelta(hours=1), datetime.now(UTC))
    await marked(office, first)

    assert await claimed(office) == []

    assert await looked_at(office) == 1


async def test_two_who_claim_at_once_are_given_different_mails(office: PostOffice, second_office: PostOffice) -> None:
    await office.write(numbered(1), numbered(2), to_operations())
    now = datetime.now(UTC)

    async with office.database.begin() as session:
        ours = await claim(session, lanes=50, in_a_row=20, now=now, until=now + timedelta(minutes=1))
        others = asyncio.create_task(claimed(second_office, in_a_row=20))
        # Long enough for it to come to what we hold.
        await asyncio.wait([others], timeout=0.5)

    assert sorted(map(len, ours)) == [1, 2]
    assert await others == []
    assert await claimed(second_office, in_a_row=20) == []


async def test_of_what_is_being_claimed_nobody_else_gets_a_part(office: PostOffice, second_office: PostOffice) -> None:
    await office.write(numbered(1), numbered(2))
    now = datetime.now(UTC)
    until = now + timedelta(minutes=1)

    async with office.database.begin() as session:
        [ours] = await claim(session, lanes=50, in_a_row=20, now=now, until=until)
        await second_office.write(numbered(0, at=NOW - timedelta(hours=1)))
        others = asyncio.create_task(claimed(second_office, in_a_row=20))
        await asyncio.wait([others], timeout=0.5)
    [theirs] = await others

    assert (len(ours), [mail.about["order_id"] for mail in theirs]) == (2, ["order-0"])


@pytest.mark.parametrize("number", [1, 2])
async def test_what_was_begun_often_is_claimed_with_no_other(office: PostOffice, number: int) -> None:
    """Whether it stands before or behind others of its customer."""
    await office.write(*(numbered(each) for each in (1, 2, 3)), numbered(4, "bob"))
    await office.query(
        "UPDATE mails SET begun = :often WHERE about ->> 'order_id' = :id", often=OFTEN_BEGUN, id=f"order-{number}"
    )

    together = [mail for lane in await claimed(office, 20, alone=False) for mail in lane]
    for mail in together:
        mail.sent(datetime.now(UTC))
    await marked(office, *together)
    beside_others = await claimed(office, 20, alone=False)
    by_itself = [[mail.about["order_id"] for mail in lane] for lane in await claimed(office, 20)]

    assert sorted(mail.about["order_id"] for mail in together) == [
        *(f"order-{each}" for each in range(1, number)),
        "order-4",
    ]
    assert beside_others == []
    assert by_itself == [[f"order-{number}"]]


async def test_nobody_stands_aside_for_one_who_leaves_at_this_moment(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(numbered(1))
    [[first]] = await claimed(office)
    await office.write(numbered(2))
    await in_front(office)

    async with office.database.begin() as session:
        now = datetime.now(UTC)
        assert await claim(session, lanes=50, in_a_row=1, now=now, until=now + timedelta(minutes=1)) == []
        first.sent(now)
        marking = asyncio.create_task(marked(second_office, first))
        # Long enough for it to come to the lock, if there is one.
        await asyncio.wait([marking], timeout=0.5)
    await marking

    await office.run()
    assert await office.states() == ["SENT", "SENT"]


async def test_nobody_stands_aside_for_one_who_is_being_marked(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(numbered(1))
    [[first]] = await claimed(office)
    await office.write(numbered(2))
    await in_front(office)

    async with second_office.database.begin() as session:
        first.sent(datetime.now(UTC))
        await mark(session, [first])
        assert await claimed(office) == []
    await office.run()

    assert await office.states() == ["SENT", "SENT"]
