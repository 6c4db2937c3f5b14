"""Mails that are due leave, each once; a customer's in the order of what happened; what nobody wants does not."""

from datetime import timedelta
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest

from contracts.notification.mails import MailState
from contracts.notification.preferences import Topic
from notification.customers.addressees import Addressee
from notification.mails.composing import Composing
from notification.mails.delivering import Addressed, Delivering
from notification.mails.folder import FolderTransport
from notification.mails.model import Mail
from notification.messages.rendering import Rendering

from .factories import (
    DESK,
    NOW,
    PostOffice,
    a_letter,
    a_post_office,
    numbered,
    numbers,
    recipients,
    settings,
    to_operations,
)
from .mail_server import MailServer


async def test_a_mail_is_sent_and_says_so(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))

    assert await office.run() == 1

    assert recipients(server) == ["ada@customers.example"]
    [mail] = await office.mails()
    assert (mail["state"], mail["tries"], mail["leased_until"], mail["last_error"]) == ("SENT", 1, None, None)
    assert mail["ended_at"] is not None
    assert await office.run() == 0


@pytest.mark.rule("BR-MAIL-002")
async def test_mails_to_one_customer_come_in_the_order_of_what_happened(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    order = [5, 3, 1, 4, 2, *range(6, 60)]
    letters = [numbered(number) for number in order]

    await office.write(*letters[:30])
    await office.write(*letters[30:])
    await office.run()

    assert numbers(server) == list(range(1, 60))


async def test_what_happened_at_one_moment_is_told_in_the_order_of_writing(
    office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(*(numbered(number, at=NOW) for number in range(5)))

    await office.run()

    assert numbers(server) == list(range(5))


async def test_a_mail_is_not_tried_while_an_older_one_of_the_customer_waits(
    office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.knows("bob")
    await office.write(*(numbered(number) for number in range(3)))
    await office.write(numbered(7, "bob"))
    server.says("RCPT", "451 4.3.0 Not now", times=1, about="ada@")

    await office.run()

    assert (numbers(server), numbers(server, "bob")) == ([], [7])
    assert [mail["tries"] for mail in await office.mails()] == [1, 0, 0, 1]
    assert await office.run() == 0

    await office.until_nothing_waits()
    assert numbers(server) == [0, 1, 2]


async def test_what_is_older_and_comes_late_goes_first(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(numbered(2, at=NOW))
    server.says("RCPT", "451 4.3.0 Not now", times=1)
    await office.run()

    await office.write(numbered(1, at=NOW - timedelta(hours=1)))
    await office.run()
    # And the other waits for as long as it was told to.
    assert numbers(server) == [1]
    await office.until_nothing_waits()

    assert numbers(server) == [1, 2]


async def test_more_mails_than_fit_into_one_claim_all_leave(office: PostOffice, server: MailServer) -> None:
    customers = [f"customer-{number}" for number in range(120)]
    for customer in customers:
        await office.knows(customer)
    await office.write(*(a_letter(customer) for customer in customers), *(a_letter("customer-0") for _ in range(50)))

    assert await office.run() == 170

    assert sorted(recipients(server)) == sorted(
        [f"{customer}@customers.example" for customer in [*customers, *["customer-0"] * 50]]
    )
    assert server.most_at_once <= 4


async def test_mails_to_operations_need_no_order(office: PostOffice, server: MailServer) -> None:
    await office.write(to_operations(), to_operations("capture_failed"), to_operations("unmatched_tracking"))
    server.says("DATA", "451 4.3.0 Not now", times=1)

    await office.run()

    assert sorted(await office.states()) in (["QUEUED", "SENT", "SENT"], ["SENT", "SENT", "SENT"])
    assert recipients(server).count(DESK) >= 2


async def test_everybody_at_operations_is_told_by_one_mail(database_url: str, server: MailServer) -> None:
    desk = ("one@operations.example", "two@operations.example")
    async with a_post_office(database_url, server, operations=desk) as office:
        await office.write(to_operations())

        await office.run()

    [taken] = server.taken
    assert taken.recipients == list(desk)
    assert [address.addr_spec for address in taken.said["To"].addresses] == list(desk)


async def test_where_nobody_is_named_at_operations_nobody_is_told(database_url: str, server: MailServer) -> None:
    async with a_post_office(database_url, server, operations=()) as office:
        await office.write(to_operations())

        await office.run()

        [mail] = await office.mails()
        assert (mail["state"], mail["last_error"]) == ("UNWANTED", "The settings name nobody at operations.")


@pytest.mark.rule("BR-MAIL-003")
async def test_what_was_turned_off_meanwhile_is_not_sent(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada", topics=[Topic.ORDER_PROGRESS])
    await office.write(a_letter("ada", "order_delivered"), a_letter("ada", "order_cancelled"))

    await office.run()

    assert await office.states() == ["UNWANTED", "SENT"]
    assert len(server.taken) == 1


async def test_whoever_was_erased_gets_no_mail_any_more(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"), a_letter("ada", "verification"))
    await office.erases("ada")

    await office.run()

    assert await office.states() == ["UNWANTED", "UNWANTED"]
    assert {mail["last_error"] for mail in await office.mails()} == {"The customer was erased."}
    assert server.taken == []


async def test_a_token_that_has_expired_is_not_sent(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    expired = {"token_id": "0190b6f0-0000-7000-8000-000000000000", "expires_at": "2020-01-01T00:00:00Z"}
    await office.write(a_letter("ada", "verification", about=expired))

    await office.run()

    assert await office.states() == ["UNWANTED"]
    assert server.taken == []


async def test_a_mail_waits_for_the_address_and_then_leaves(office: PostOffice, server: MailServer) -> None:
    await office.write(a_letter("ada"))
    await office.run()
    [waiting] = await office.mails()
    assert (waiting["state"], waiting["last_error"]) == ("QUEUED", "No address is known of the customer yet.")

    await office.knows("ada")
    await office.until_nothing_waits()

    assert recipients(server) == ["ada@customers.example"]


async def test_a_mail_does_not_wait_for_an_address_for_ever(office: PostOffice, server: MailServer) -> None:
    await office.write(a_letter("nobody"))

    await office.until_nothing_waits()

    [mail] = await office.mails()
    assert (mail["state"], mail["tries"]) == ("FAILED", 9)


@pytest.mark.parametrize(
    "broken",
    [
        {"message": "no_such_message"},
        {"message": "order_received", "about": {"items": 7}},
        {"message": "verification", "about": {"token_id": "none", "expires_at": "never"}},
    ],
)
async def test_a_mail_that_cannot_be_made_fails_and_no_other(
    office: PostOffice, server: MailServer, broken: dict[str, object]
) -> None:
    await office.knows("ada")
    await office.knows("bob")
    await office.write(a_letter("ada", **broken), a_letter("ada"), a_letter("bob"))  # type: ignore[arg-type]

    await office.run()

    assert await office.states() == ["FAILED", "SENT", "SENT"]
    assert (await office.mails())[0]["tries"] == 1
    assert sorted(recipients(server)) == ["ada@customers.example", "bob@customers.example"]


class BrokenRendering(Rendering):
    def render(self, *_: object) -> NoReturn:
        raise RuntimeError("a canary that a template quotes")


async def test_what_nobody_has_foreseen_fails_the_mail_and_is_not_quoted(office: PostOffice, tmp_path: Path) -> None:
    told = settings(office.database.url, folder=tmp_path)
    delivering = Delivering(FolderTransport(tmp_path), BrokenRendering(told), Composing(told.from_address), told.retry)
    mail = Mail(uuid4(), "event", "order_confirmed", "ada", {}, NOW, NOW, None, MailState.QUEUED, 0, NOW, NOW)

    await delivering.deliver(Addressed(mail, [Addressee("ada", "ada@customers.example")]))

    assert (mail.state, mail.last_error) == (MailState.FAILED, "It cannot be made: RuntimeError.")
