"""Admins see what became of mails, and have those sent again that have failed."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis.ids import uuid7
from contracts.notification.mails import MailView

from .factories import PostOffice, a_letter, code, to_operations
from .mail_server import MailServer

NEVER = "550 5.1.1 Unknown"
HOSTILE = ["%00", "%ff", "'", "%27%20OR%201%3D1", "%F0%9F%8E%89", "..%2F..%2F", "a" * 101, "%25%25%25", "%0d%0aX:y", ""]


async def failed(office: PostOffice, server: MailServer, customer: str = "ada") -> str:
    await office.knows(customer)
    await office.write(a_letter(customer))
    server.says("RCPT", NEVER, times=1)
    await office.run()
    [mail] = (await office.get(f"?recipient={customer}&state=FAILED")).json()["items"]
    return str(mail["mail_id"])


@pytest.mark.rule("BR-MAIL-001")
async def test_a_failed_mail_is_listed_shown_and_sent_again(office: PostOffice, server: MailServer) -> None:
    mail_id = await failed(office, server)
    shown = (await office.get(f"/{mail_id}")).json()
    assert (shown["state"], shown["tries"], shown["last_error"]) == ("FAILED", 1, NEVER)
    assert shown["allowed_actions"] == ["send"]

    answer = await office.send_again(mail_id)
    assert (answer.status_code, answer.json()["state"], answer.json()["tries"]) == (200, "QUEUED", 0)
    assert "ended_at" not in answer.json()
    await office.run()

    sent = (await office.get(f"/{mail_id}")).json()
    assert (sent["state"], sent["tries"], sent["allowed_actions"]) == ("SENT", 1, [])
    assert len(server.taken) == 1


async def test_it_is_on_record_who_had_a_mail_sent_again_and_why_it_had_failed(
    office: PostOffice, server: MailServer
) -> None:
    mail_id = await failed(office, server)

    await office.send_again(mail_id)

    assert await office.audited() == [
        {
            "actor": "root",
            "action": "mail.queued_again",
            "entity_id": mail_id,
            "before": {"state": "FAILED", "tries": 1, "last_error": NEVER},
            "after": {"state": "QUEUED"},
        }
    ]


async def test_a_mail_that_is_sent_again_gets_all_its_tries(office: PostOffice, server: MailServer) -> None:
    mail_id = await failed(office, server)
    await office.query("UPDATE mails SET queued_at = now() - interval '30 days'")
    await office.send_again(mail_id)
    server.says("RCPT", "451 4.3.0 Later", times=8)

    await office.until_nothing_waits()

    assert await office.states() == ["SENT"]


@pytest.mark.parametrize("state", ["QUEUED", "SENT", "UNWANTED"])
async def test_only_what_has_failed_is_sent_again(office: PostOffice, state: str) -> None:
    ended = "NULL" if state == "QUEUED" else "now()"
    await office.write(a_letter())
    await office.query(f"UPDATE mails SET state = '{state}', ended_at = {ended}, last_error = 'known'")
    [before] = await office.mails()

    answer = await office.send_again(before["id"])

    assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")
    assert await office.mails() == [before]
    assert await office.audited() == []


async def test_of_two_who_have_it_sent_again_at_once_one_is_told_no(
    office: PostOffice, second_office: PostOffice, server: MailServer
) -> None:
    mail_id = await failed(office, server)

    async with office.database.begin() as session:
        await session.execute(text("SELECT 1 FROM mails FOR UPDATE"))
        both = [asyncio.create_task(each.send_again(mail_id)) for each in (office, second_office)]
        # Until both have come to the row.
        await asyncio.wait(both, timeout=0.5)

    assert sorted([(await answer).status_code for answer in both]) == [200, 409]
    assert len(await office.audited()) == 1


async def test_a_mail_that_is_sent_again_wakes_the_sending(office: PostOffice, server: MailServer) -> None:
    mail_id = await failed(office, server)
    [job] = [each for each in office.service.jobs if each.name == "send_mails"]
    assert job.woken_by is not None
    job.woken_by.clear()

    await office.send_again(mail_id)

    assert job.woken_by.is_set()


async def test_mails_are_listed_newest_first_by_state_message_and_recipient(
    office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"), a_letter("ada", "order_cancelled"), a_letter("bob"), to_operations())
    await office.run()

    async def listed(query: str = "") -> list[tuple[str, str]]:
        items = (await office.get(query)).json()["items"]
        return [(mail["recipient"], mail["message"]) for mail in items]

    assert await listed() == [
        ("operations", "out_of_stock"),
        ("bob", "order_confirmed"),
        ("ada", "order_cancelled"),
        ("ada", "order_confirmed"),
    ]
    assert await listed("?state=QUEUED") == [("bob", "order_confirmed")]
    assert await listed("?message=order_confirmed&state=SENT") == [("ada", "order_confirmed")]
    assert await listed("?recipient=operations") == [("operations", "out_of_stock")]
    assert await listed("?recipient=nobody") == []


async def test_a_long_list_comes_in_pages(office: PostOffice) -> None:
    await office.write(*(a_letter(f"customer-{number}") for number in range(25)))
    seen: list[str] = []
    cursors: list[str | None] = [""]

    while cursors[-1] is not None:
        page = (await office.get(f"?limit=10{cursors[-1]}")).json()
        seen += [mail["recipient"] for mail in page["items"]]
        cursors.append(f"&cursor={page['next_cursor']}" if "next_cursor" in page else None)

    assert seen == [f"customer-{number}" for number in reversed(range(25))]
    assert len(cursors) == 4


async def test_an_admin_is_shown_neither_the_address_nor_the_token_nor_the_words(
    office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada", email="canary@customers.example", name="Canary Name")
    await office.write(a_letter("ada", "verification"), a_letter("ada"))
    await office.run()

    answers = [(await office.get()).text, (await office.get(f"/{(await office.mails())[0]['id']}")).text]

    assert len(server.taken) == 2
    for answer in answers:
        assert not any(word in answer.lower() for word in ("canary", "token", "about", "traceparent"))
    assert set((await office.get()).json()["items"][0]) <= set(MailView.model_fields)


@pytest.mark.parametrize("query", ["state=GONE", "message=No%20Such", "limit=0", "limit=101", "cursor=x", "recipient="])
async def test_what_cannot_be_looked_for_is_refused(office: PostOffice, query: str) -> None:
    answer = await office.get(f"?{query}")

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_questions_are_answered_calmly(office: PostOffice, hostile: str) -> None:
    await office.write(a_letter())

    for answer in [
        *[await office.get(f"?{name}={hostile}") for name in ("state", "message", "recipient", "cursor", "limit")],
        await office.get(f"/{hostile or 'x'}"),
        await office.send_again(hostile or "x"),
    ]:
        assert answer.status_code < 500
        assert answer.status_code in (400, 404, 405) or answer.json()["items"] == []


@pytest.mark.parametrize("mail_id", [uuid4(), uuid7()])
async def test_what_there_is_not_is_not_found(office: PostOffice, mail_id: object) -> None:
    for answer in (await office.get(f"/{mail_id}"), await office.send_again(mail_id)):
        assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
