"""How the mail server is spoken to: encrypted, by who it claims to be, over a few connections that are kept."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from notification.settings import SmtpSettings

from .factories import PostOffice, a_letter, a_post_office, recipients
from .mail_server import PASSWORD, USERNAME, Certificate, MailServer, Trick, a_certificate

LOGIN = {"username": USERNAME, "password": PASSWORD}


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return a_certificate(tmp_path)


@pytest.fixture
async def guarded(certificate: Certificate) -> AsyncIterator[MailServer]:
    """Wants STARTTLS, and to know who sends."""
    async with MailServer(tls=certificate.server, login=True).serving() as running:
        yield running


async def sent_with(database_url: str, server: MailServer, **smtp: Any) -> dict[str, Any]:
    async with a_post_office(database_url, server, smtp=smtp) as office:
        await office.knows("ada")
        await office.write(a_letter("ada"))
        await office.run()
        [mail] = await office.mails()
        return mail


async def test_mail_goes_over_starttls_with_a_log_in(
    database_url: str, guarded: MailServer, certificate: Certificate
) -> None:
    mail = await sent_with(database_url, guarded, tls="starttls", ca_file=certificate.file, **LOGIN)

    assert mail["state"] == "SENT"
    assert guarded.asked[:4] == ["CONNECT", "EHLO", "STARTTLS", "EHLO"]
    assert "AUTH" in guarded.asked


async def test_mail_goes_over_tls_from_the_first_byte(database_url: str, certificate: Certificate) -> None:
    async with MailServer(tls=certificate.server, implicit=True).serving() as server:
        mail = await sent_with(database_url, server, tls="implicit", ca_file=certificate.file)

    assert mail["state"] == "SENT"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_nothing_is_said_to_a_server_for_whom_nobody_vouches(
    database_url: str, certificate: Certificate, tls: str
) -> None:
    async with MailServer(tls=certificate.server, implicit=tls == "implicit").serving() as server:
        mail = await sent_with(database_url, server, tls=tls)

    assert (mail["state"], mail["tries"]) == ("QUEUED", 0)
    assert mail["last_error"] == "No encrypted connection to the mail server came about."
    assert not {"AUTH", "MAIL"} & set(server.asked)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_nothing_is_said_to_a_server_that_shows_another_name(database_url: str, tmp_path: Path, tls: str) -> None:
    other = a_certificate(tmp_path, name="mail.evil.example")
    async with MailServer(tls=other.server, implicit=tls == "implicit").serving() as server:
        mail = await sent_with(database_url, server, tls=tls, ca_file=other.file)

    assert mail["state"] == "QUEUED"
    assert not {"AUTH", "MAIL"} & set(server.asked)


@pytest.mark.parametrize("login", [LOGIN, {}])
async def test_a_server_that_offers_no_encryption_gets_neither_mail_nor_password(
    database_url: str, server: MailServer, login: dict[str, str]
) -> None:
    mail = await sent_with(database_url, server, tls="starttls", **login)

    assert (mail["state"], mail["tries"]) == ("QUEUED", 0)
    assert not {"AUTH", "MAIL"} & set(server.asked)


@pytest.mark.parametrize("answer", ["454 4.7.0 TLS not available", Trick.HANGS_UP])
async def test_encryption_that_does_not_come_about_is_tried_again(
    database_url: str, guarded: MailServer, certificate: Certificate, answer: str | Trick
) -> None:
    guarded.says("STARTTLS", answer, times=1)
    smtp = {"tls": "starttls", "ca_file": certificate.file, **LOGIN}
    async with a_post_office(database_url, guarded, smtp=smtp) as office:
        await office.knows("ada")
        await office.write(a_letter("ada"))

        await office.run()
        assert (await office.mails())[0]["tries"] == 0
        await office.until_nothing_waits()

        assert await office.states() == ["SENT"]


async def test_a_refused_log_in_is_tried_again_and_quoted_without_the_password(
    database_url: str, guarded: MailServer, certificate: Certificate
) -> None:
    wrong = {"username": USERNAME, "password": "canary-of-a-wrong-password"}

    mail = await sent_with(database_url, guarded, tls="starttls", ca_file=certificate.file, **wrong)

    assert (mail["state"], mail["tries"]) == ("QUEUED", 0)
    assert mail["last_error"].startswith("535 ")
    assert "canary" not in mail["last_error"]


async def test_connections_are_kept_and_few(office: PostOffice, server: MailServer) -> None:
    for number in range(40):
        await office.knows(f"customer-{number}")
    await office.write(*(a_letter(f"customer-{number}") for number in range(40)))

    await office.run()

    assert len(server.taken) == 40
    assert server.connections <= 4


async def test_a_connection_stays_good_after_a_refusal(database_url: str, server: MailServer) -> None:
    async with a_post_office(database_url, server, smtp={"connections": 1}) as office:
        for customer in ("ada", "bob", "eve"):
            await office.knows(customer)
        await office.write(*(a_letter(customer) for customer in ("ada", "bob", "eve")))
        server.says("RCPT", "550 5.1.1 Unknown", times=1)
        server.says("BODY", "451 4.3.0 Later", times=1)

        await office.run()

    assert len(server.taken) == 1
    assert server.connections == 1


@pytest.mark.parametrize("how", ["closed", "421"])
async def test_a_kept_connection_that_the_server_has_closed_costs_nothing(
    database_url: str, server: MailServer, how: str
) -> None:
    async with a_post_office(database_url, server, smtp={"connections": 1}) as office:
        await office.knows("ada")
        await office.write(a_letter("ada"))
        await office.run()
        if how == "closed":
            server.hang_up()
        else:
            server.says("MAIL", "421 4.4.2 Idle for too long", times=1)

        await office.write(a_letter("ada"))
        await office.run()

        assert await office.states() == ["SENT", "SENT"]
    assert server.connections == 2


@pytest.mark.parametrize(("told", "name"), [({}, "example.org"), ({"greeting_name": "post.example"}, "post.example")])
async def test_we_greet_by_the_senders_domain_or_as_told(
    database_url: str, server: MailServer, told: dict[str, str], name: str
) -> None:
    await sent_with(database_url, server, **told)

    assert server.greeted_as == [name]


async def test_mail_is_from_the_sender_of_the_settings(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada")
    await office.write(a_letter("ada"))
    await office.run()

    [taken] = server.taken
    assert (taken.sender, recipients(server)) == ("orders@example.org", ["ada@customers.example"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "me"},
        {"password": "hush"},
        {**LOGIN, "tls": "none"},
        {"host": "a b"},
        {"host": "mail.example\r\n"},
        {"greeting_name": "a b"},
    ],
)
def test_settings_that_would_give_something_away_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        SmtpSettings.model_validate({"host": "mail.example", **wrong})
