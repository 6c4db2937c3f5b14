"""From what happened elsewhere to what stands in a mailbox."""

import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from contracts.mail_tokens import MailPurpose, mail_token
from notification.messages import examples
from notification.messages.catalogue import MESSAGES

from .factories import DESK, MAIL_SECRET, PostOffice, recipients, subjects
from .factories_messages import ADA, asks_for, changed, customer, erased, registered, restocked, told, turns_off
from .mail_server import MailServer

SHIPPED = examples.ORDER_SHIPPED.model_copy(update={"customer_id": ADA})


def text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


@pytest.mark.rule("AC-REG-001")
async def test_who_registers_gets_the_token_that_sales_will_know(office: PostOffice, server: MailServer) -> None:
    token_id = uuid4()

    await office.hear(told(registered(token_id=token_id)))
    await office.run()

    [taken] = server.taken
    token = mail_token(MAIL_SECRET, MailPurpose.VERIFICATION, token_id)
    assert (taken.recipients, token in text(taken.said)) == (["ada@example.org"], True)
    assert token not in str(await office.mails())


async def test_every_message_arrives_whole_with_its_headers(office: PostOffice, server: MailServer) -> None:
    await office.hear(told(registered(examples.CUSTOMER)))
    await asks_for(office, examples.RESTOCKED.product_id, by=examples.CUSTOMER)

    await office.hear(*(told(message.example) for message in MESSAGES.values() if message.name != "verification"))
    await office.until_nothing_waits()

    assert await office.states() == ["SENT"] * len(MESSAGES)
    assert recipients(server).count(DESK) == 4
    for taken in server.taken:
        assert text(taken.said).startswith("Hello," if taken.recipients == [DESK] else "Hello Ada Example,")
        assert bool(taken.said["List-Unsubscribe"]) == bool(taken.said["List-Unsubscribe-Post"])
    of_operations = [taken.said for taken in server.taken if taken.recipients == [DESK]]
    assert not any(said["List-Unsubscribe"] for said in of_operations)


@pytest.mark.rule("BR-MAIL-003")
async def test_the_link_in_a_real_mail_turns_that_kind_off(office: PostOffice, server: MailServer) -> None:
    await office.hear(told(registered()), told(SHIPPED))
    await office.until_nothing_waits()
    link = str(server.taken[-1].said["List-Unsubscribe"]).strip("<>")

    answer = await office.http.post(link.partition("localhost:8004")[2], data={"List-Unsubscribe": "One-Click"})
    await office.hear(told(SHIPPED), told(examples.ORDER_CANCELLED.model_copy(update={"customer_id": ADA})))
    await office.until_nothing_waits()

    assert answer.status_code == 200
    assert await office.states() == ["SENT", "SENT", "UNWANTED", "SENT"]
    assert subjects(server)[-1].startswith("Cancelled")


async def test_what_was_turned_off_while_it_waited_is_not_sent(office: PostOffice, server: MailServer) -> None:
    await office.hear(told(registered()), told(SHIPPED))
    await turns_off(office, "order_progress")

    await office.until_nothing_waits()

    assert await office.states() == ["SENT", "UNWANTED"]


async def test_who_is_erased_gets_nothing_any_more(office: PostOffice, server: MailServer) -> None:
    await office.hear(told(registered()), told(SHIPPED))
    await office.hear(told(erased()))

    await office.until_nothing_waits()

    assert server.taken == []
    assert set(await office.states()) == {"UNWANTED"}
    assert not re.search("Ada Example|ada@example", str(await office.mails()) + str(await customer(office)))


async def test_a_token_that_expired_while_the_mail_waited_is_not_sent(office: PostOffice, server: MailServer) -> None:
    await office.hear(told(registered(expires_at=datetime.now(UTC) - timedelta(seconds=1))))

    await office.until_nothing_waits()

    assert (server.taken, await office.states()) == ([], ["UNWANTED"])


async def test_a_mail_to_somebody_unknown_waits_until_they_are_heard_of(office: PostOffice, server: MailServer) -> None:
    await office.hear(told(SHIPPED))
    await office.run()
    waiting = await office.states()

    await office.hear(told(changed(email="ada@example.org")))
    await office.until_nothing_waits()

    assert (waiting, await office.states()) == (["QUEUED"], ["SENT"])
    assert subjects(server) == [f"Unterwegs: Ihre Bestellung {SHIPPED.order_id}"]


@pytest.mark.parametrize(
    "name", ["Mug \u201cdeluxe\u201d", "T\u00e4\u00dfchen\r\nBcc: all@example.org", "\u202egnp", "Æ" * 200]
)
async def test_whatever_a_product_is_called_the_mail_is_one_mail(
    office: PostOffice, server: MailServer, name: str
) -> None:
    await office.hear(told(registered()))
    await asks_for(office)

    await office.hear(told(restocked(name=name)))
    await office.until_nothing_waits()

    assert await office.states() == ["SENT", "SENT"]
    assert recipients(server) == ["ada@example.org"] * 2
    assert server.taken[-1].said["Bcc"] is None


async def test_neither_hearing_nor_sending_says_anything_about_people_in_the_logs(
    office: PostOffice, server: MailServer
) -> None:
    token_id = uuid4()

    with capture_logs() as logs:
        await office.hear(told(registered(token_id=token_id)), told(changed()), told(SHIPPED))
        await office.until_nothing_waits()
        await turns_off(office, "order_progress")
        await office.hear(told(erased()))

    assert len(server.taken) == 2
    said = str(logs) + str(await office.audited())
    assert not re.search(f"Ada (Example|Lovelace)|example\\.org|{token_id}|{MAIL_SECRET}", said)
