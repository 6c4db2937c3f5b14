"""A mail is written behind those of its customer that wait, and is left behind by nobody who leaves meanwhile."""

import asyncio
from datetime import UTC, datetime

from notification.mails.storing import mark
from notification.mails.writing import WRITTEN, write

from .factories import PostOffice, claimed, marked, numbered, numbers, to_operations
from .mail_server import MailServer


async def test_who_comes_after_others_is_written_behind_them(office: PostOffice) -> None:
    await office.write(numbered(2), numbered(1), numbered(3), to_operations(), to_operations())
    await office.write(numbered(4), numbered(5, "bob"))

    behind = {mail["about"].get("order_id"): mail["behind"] for mail in await office.mails()}
    assert {order for order, is_behind in behind.items() if is_behind} == {"order-2", "order-3", "order-4"}


async def test_the_sending_is_woken_only_by_what_stands_behind_nobody(office: PostOffice) -> None:
    woken = office.database.woken(WRITTEN)
    await office.write(numbered(1), numbered(2))
    assert woken.is_set()

    woken.clear()
    await office.write(numbered(3), numbered(4))
    assert not woken.is_set()

    for letter in (numbered(0), numbered(5, "bob"), to_operations()):
        woken.clear()
        await office.write(letter)
        assert woken.is_set()


async def test_who_is_written_while_the_one_before_leaves_is_not_left_behind(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(numbered(1))
    [[first]] = await claimed(office)

    async with office.database.begin() as session:
        await write(session, [numbered(2)])
        first.sent(datetime.now(UTC))
        marking = asyncio.create_task(marked(second_office, first))
        # Long enough for it to come to what we hold.
        await asyncio.wait([marking], timeout=0.5)
    await marking

    await office.run()
    assert await office.states() == ["SENT", "SENT"]


async def test_who_is_written_while_the_one_before_is_being_marked_does_not_wait_for_that(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(numbered(1))
    [[first]] = await claimed(office)

    async with second_office.database.begin() as session:
        first.sent(datetime.now(UTC))
        await mark(session, [first])
        await office.write(numbered(2))
    await office.run()

    assert await office.states() == ["SENT", "SENT"]


async def test_two_that_end_at_once_let_the_third_come_forward(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(numbered(2))
    [[second]] = await claimed(office)
    await office.write(numbered(1), numbered(3))
    [[first]] = await claimed(second_office)
    first.sent(datetime.now(UTC))
    second.sent(datetime.now(UTC))

    async with office.database.begin() as session:
        await mark(session, [second])
        marking = asyncio.create_task(marked(second_office, first))
        # Long enough for it to come to what we hold.
        await asyncio.wait([marking], timeout=0.5)
    await marking

    await office.run()
    assert set(await office.states()) == {"SENT"}


async def test_nobody_is_written_behind_one_that_was_sent_long_ago(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    old = numbered(1)
    await office.write(old)
    await office.run()
    office.database.woken(WRITTEN).clear()

    await office.write(old, numbered(2))

    assert office.database.woken(WRITTEN).is_set()
    await office.run()
    assert numbers(server) == [1, 2]


async def test_who_is_told_the_same_twice_at_once_does_not_stand_behind_themselves(
    office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    letter = numbered(1)

    await office.write(letter, letter, letter)
    await office.run()

    assert await office.states() == ["SENT"]


async def test_what_people_have_sent_again_stands_behind_nobody(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(numbered(1), numbered(2))
    await office.query("UPDATE mails SET state = 'FAILED', ended_at = now(), last_error = 'why' WHERE behind")
    await office.run()
    [_, failed] = await office.mails()

    await office.send_again(failed["id"])
    await office.run()

    assert numbers(server) == [1, 2]
