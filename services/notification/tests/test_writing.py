"""Letters become mails: once for each event, message and recipient, in the transaction of the event."""

import pytest
from sqlalchemy import event

from notification.mails.writing import WRITTEN, write

from .factories import PostOffice, a_letter, to_operations


@pytest.mark.rule("BR-MAIL-001")
async def test_a_letter_is_written_once_for_each_event_message_and_recipient(office: PostOffice) -> None:
    letters = [
        a_letter("ada", event_id="1"),
        a_letter("ada", event_id="1"),
        a_letter("bob", event_id="1"),
        a_letter("ada", "order_cancelled", event_id="1"),
        a_letter("ada", event_id="2"),
    ]

    await office.write(*letters)
    await office.write(*letters[::-1])

    found = [(mail["event_id"], mail["message"], mail["recipient"]) for mail in await office.mails()]
    assert found == [
        ("1", "order_confirmed", "ada"),
        ("1", "order_confirmed", "bob"),
        ("1", "order_cancelled", "ada"),
        ("2", "order_confirmed", "ada"),
    ]


async def test_what_was_written_first_stays_as_it_is(office: PostOffice) -> None:
    await office.write(a_letter(event_id="1", about={"order_id": "first"}))
    [before] = await office.mails()

    await office.write(a_letter(event_id="1", about={"order_id": "second"}))

    assert await office.mails() == [before]


async def test_however_many_letters_there_are_it_is_one_statement(office: PostOffice) -> None:
    statements: list[str] = []
    event.listen(office.database.engine.sync_engine, "before_cursor_execute", lambda *told: statements.append(told[2]))

    await office.write(*(a_letter(f"customer-{number}") for number in range(500)))

    assert len([statement for statement in statements if "INSERT INTO mails" in statement]) == len(statements) == 1


async def test_no_letters_are_no_statement_and_wake_nobody(office: PostOffice) -> None:
    async with office.database.begin() as session:
        await write(session, [])

    assert not office.database.woken(WRITTEN).is_set()


async def test_the_commit_wakes_the_sending_and_a_rollback_does_not(office: PostOffice) -> None:
    woken = office.database.woken(WRITTEN)
    with pytest.raises(ZeroDivisionError):
        await written_and_undone(office)
    assert not woken.is_set()
    assert await office.mails() == []

    async with office.database.begin() as session:
        await write(session, [to_operations()])
        assert not woken.is_set()

    assert woken.is_set()


async def written_and_undone(office: PostOffice) -> None:
    async with office.database.begin() as session:
        await write(session, [to_operations()])
        raise ZeroDivisionError
