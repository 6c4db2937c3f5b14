"""A mail that does not get through is tried again, or given up: by what the server said, and at which stage."""

from datetime import UTC, datetime, timedelta

import pytest

from notification.mails.patience import delay_after
from notification.settings import RetrySettings

from .factories import PostOffice, a_letter, a_post_office, recipients, to_operations
from .mail_server import MailServer, Trick

LATER, NEVER = "451 4.3.0 Not now, ada@customers.example", "550 5.1.1 No ada here, <ada@customers.example>"
QUICK = {"timeout": timedelta(milliseconds=200)}


@pytest.mark.rule("BR-MAIL-001")
@pytest.mark.parametrize("stage", ["RCPT", "DATA", "BODY"])
async def test_a_mail_that_the_server_wants_later_is_tried_later(
    office: PostOffice, server: MailServer, stage: str
) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    server.says(stage, LATER, times=2)

    for tries in (1, 2):
        await office.run()
        [mail] = await office.mails()
        assert (mail["state"], mail["tries"], mail["last_error"]) == ("QUEUED", tries, "451 4.3.0 Not now, …")
        assert mail["next_try_at"] > datetime.now(UTC) + timedelta(minutes=50)
        assert await office.run() == 0
        await office.make_due()
    await office.run()

    assert await office.states() == ["SENT"]
    assert len(server.taken) == 1


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "BODY"])
async def test_a_mail_that_the_server_will_never_take_fails_at_once(
    office: PostOffice, server: MailServer, stage: str
) -> None:
    await office.knows("ada")
    await office.knows("bob")
    await office.write(a_letter("ada"), a_letter("bob"))
    server.says(stage, NEVER, about="ada@")

    await office.run()

    failed, sent = await office.mails()
    assert (failed["state"], failed["tries"], failed["last_error"]) == ("FAILED", 1, "550 5.1.1 No … here, <…>")
    assert (sent["state"], recipients(server)) == ("SENT", ["bob@customers.example"])


@pytest.mark.rule("BR-MAIL-001")
async def test_after_the_last_try_a_mail_has_failed(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"), a_letter("ada"))
    server.says("RCPT", LATER, times=9)

    await office.until_nothing_waits()

    assert await office.states() == ["FAILED", "SENT"]
    assert (await office.mails())[0]["tries"] == 9


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "BODY"])
@pytest.mark.parametrize("trick", Trick)
async def test_a_conversation_that_breaks_off_costs_a_try(
    database_url: str, server: MailServer, stage: str, trick: Trick
) -> None:
    async with a_post_office(database_url, server, smtp=QUICK) as office:
        await office.knows("ada")
        await office.write(a_letter("ada"))
        server.says(stage, trick, times=1)

        await office.run()
        [mail] = await office.mails()
        assert (mail["state"], mail["tries"]) == ("QUEUED", 1)
        assert mail["last_error"].startswith("The mail server ")

        await office.make_due()
        await office.run()
        assert await office.states() == ["SENT"]


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL"])
@pytest.mark.parametrize("answer", ["421 4.3.2 Closing", "554 5.3.2 No mail today", *Trick])
async def test_a_server_that_takes_no_mail_at_all_costs_no_try(
    database_url: str, server: MailServer, stage: str, answer: str | Trick
) -> None:
    async with a_post_office(database_url, server, smtp=QUICK) as office:
        await office.knows("ada")
        await office.write(a_letter("ada"))
        server.says(stage, answer)

        await office.run()

        [mail] = await office.mails()
        assert (mail["state"], mail["tries"], mail["leased_until"]) == ("QUEUED", 0, None)
        assert mail["last_error"] is not None
        assert mail["next_try_at"] > datetime.now(UTC) + timedelta(minutes=50)
        server.is_well()
        await office.until_nothing_waits()
        assert await office.states() == ["SENT"]


@pytest.mark.parametrize("stage", ["RCPT", "DATA"])
@pytest.mark.parametrize("answer", ["421 4.7.0 Too many", "530 5.7.0 Authentication required"])
async def test_a_server_that_closes_in_the_midst_says_nothing_against_the_mail(
    office: PostOffice, server: MailServer, stage: str, answer: str
) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    server.says(stage, answer, times=1)

    await office.run()

    [mail] = await office.mails()
    assert (mail["state"], mail["tries"]) == ("QUEUED", 0)


async def test_of_several_recipients_those_get_the_mail_whom_the_server_takes(
    database_url: str, server: MailServer
) -> None:
    async with a_post_office(database_url, server, operations=("gone@desk.example", "here@desk.example")) as office:
        await office.write(to_operations())
        server.says("RCPT", NEVER, about="gone@")

        await office.run()

        assert await office.states() == ["SENT"]
        assert recipients(server) == ["here@desk.example"]


@pytest.mark.parametrize(("first", "second"), [(LATER, NEVER), (NEVER, LATER)])
async def test_a_mail_that_one_of_several_may_get_later_is_tried_later(
    database_url: str, server: MailServer, first: str, second: str
) -> None:
    async with a_post_office(database_url, server, operations=("one@desk.example", "two@desk.example")) as office:
        await office.write(to_operations())
        server.says("RCPT", first, about="one@", times=1)
        server.says("RCPT", second, about="two@", times=1)

        await office.run()
        waiting = await office.states()
        await office.until_nothing_waits()

        assert (waiting, await office.states()) == (["QUEUED"], ["SENT"])


async def test_a_mail_fails_in_the_end_by_a_server_that_never_comes_back(
    office: PostOffice, server: MailServer
) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    await server.stop()
    await office.query("UPDATE mails SET queued_at = now() - interval '9 hours'")

    await office.run()

    [mail] = await office.mails()
    assert (mail["state"], mail["last_error"]) == ("FAILED", "The mail server could not be reached.")


@pytest.mark.parametrize("_", range(20))
def test_three_quick_tries_are_followed_by_later_ones_up_to_a_day_apart(_: int) -> None:
    delays = [delay_after(failures, RetrySettings()) for failures in range(1, 10)]

    known = [delay for delay in delays if delay is not None]
    assert len(known) == 8
    assert delays[8] is None
    assert max(known[:2]) < timedelta(seconds=12)
    assert known == sorted(known)
    assert timedelta(hours=21) < known[-1] <= timedelta(days=1)


def test_mails_that_failed_together_do_not_come_back_together() -> None:
    assert len({delay_after(1, RetrySettings()) for _ in range(20)}) > 1
