"""What is logged and kept of mails: no address, no token, no name, no words of events."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from chassis.ids import uuid7
from chassis.telemetry import configure_logging
from contracts.mail_tokens import MailPurpose, mail_token
from contracts.sales.customers import CustomerRegistered
from notification.mails.transport import Composed

from .factories import MAIL_SECRET, PostOffice, a_letter, a_message, a_post_office
from .mail_server import MailServer, Trick

TOKEN_ID = uuid7()
TOKEN = mail_token(MAIL_SECRET, MailPurpose.VERIFICATION, TOKEN_ID)
EMAIL, NAME, WORDS = "canary-address@customers.example", "Canaryname Canarybird", "canary-of-an-event"
CANARIES = (
    *("canary-address", "canaryname", "canarybird", WORDS, MAIL_SECRET),
    *(mail_token(MAIL_SECRET, purpose, TOKEN_ID).partition(".")[2].lower() for purpose in MailPurpose),
)

ANSWERS: Mapping[str, tuple[str, str | Trick]] = {
    "taken": ("NOOP", ""),
    "refused": ("RCPT", f"550 5.1.1 <{EMAIL}>: canary-address is unknown here"),
    "later": ("BODY", f"451 4.3.0 {EMAIL.upper()} {NAME.partition(' ')[0]}@customers.example is busy"),
    "not ours": ("MAIL", f"421 4.3.2 Closing on {EMAIL}"),
    "hung up": ("DATA", Trick.HANGS_UP),
    "malformed": ("RCPT", f"what {EMAIL}"),
    "quoted": ("BODY", f"554 5.7.1 Blocked https://shop.example/verify-email#token={TOKEN} and ({TOKEN})"),
}


def leaks(where: str) -> list[str]:
    return [canary for canary in CANARIES if canary in where.lower()]


@pytest.mark.rule("BR-MAIL-004")
@pytest.mark.parametrize("answer", ANSWERS)
async def test_nothing_of_a_customer_is_logged_or_kept_with_a_mail(
    database_url: str, server: MailServer, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    configure_logging("DEBUG")
    event = CustomerRegistered(
        customer_id="ada",
        email=EMAIL,
        name=NAME,
        language="en",
        token_id=TOKEN_ID,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    server.says(*ANSWERS[answer])
    async with a_post_office(database_url, server) as office:
        await office.hear(a_message(event))
        broken = {"order_id": WORDS, "items": [{"name": WORDS, "quantity": object.__name__}]}
        await office.write(a_letter("ada", "order_received", about=broken))
        await office.run()
        await office.make_due()
        await office.run()
        await office.get()
        kept = [{name: mail[name] for name in mail if name != "about"} for mail in await office.mails()]

    said = capsys.readouterr()
    assert leaks(said.out + said.err) == []
    assert leaks(str(kept)) == []
    assert "mail_" in said.out


async def test_a_mail_that_was_taken_had_it_all(office: PostOffice, server: MailServer) -> None:
    """Or the test above could not fail."""
    await office.knows("ada", email=EMAIL, name=NAME)
    about = {"token_id": str(TOKEN_ID), "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    await office.write(a_letter("ada", "verification", about=about))

    await office.run()

    [taken] = server.taken
    text = taken.said.get_body(("plain",))
    assert text is not None
    assert mail_token(MAIL_SECRET, MailPurpose.VERIFICATION, TOKEN_ID) in text.get_content()
    assert taken.recipients == [EMAIL]


async def test_an_erased_customers_mails_hold_nothing_about_them(office: PostOffice, server: MailServer) -> None:
    await office.knows("ada", email=EMAIL, name=NAME)
    await office.write(a_letter("ada"), a_letter("ada", "verification"))
    server.says("RCPT", f"550 5.1.1 <{EMAIL}>", times=1)
    await office.run()

    await office.erases("ada")

    rows = await office.query("SELECT to_jsonb(mails)::text AS row FROM mails")
    assert len(rows) == 2
    assert leaks(str(rows)) == []


def test_what_holds_an_address_does_not_show_it() -> None:
    composed = Composed(uuid7(), "<id@example.org>", "orders@example.org", [EMAIL], f"To: {EMAIL}".encode())

    assert leaks(repr(composed)) == []
