"""What leaves is one mail to whom it is for, whatever names and addresses hold."""

import sys
import unicodedata
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.notification.mails import MailState
from contracts.sales.customers import PersonName
from notification.customers.addressees import Addressee
from notification.mails.composing import Composing, Uncomposable
from notification.mails.model import Mail
from notification.mails.transport import Composed
from notification.messages.rendering import Rendered
from notification.settings import read_address

from .factories import PostOffice, a_letter, recipients
from .mail_server import MailServer

NOW = datetime.now(UTC)
SAID = Rendered("Your order", "Hello\n", "<p>Hello</p>", {"List-Unsubscribe": "<https://mail.example/u/1>"})
COMPOSING = Composing(read_address("Ada's Shop <orders@example.org>"))
OURS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Unsubscribe", "MIME-Version", "Content-Type",
}  # fmt: skip

CONTROLS = [
    "\r\nBcc: evil@example.org",
    "\nX: y",
    "\rX: y",
    "\x00",
    "\x0b",
    "\x0c",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\u2028",
]
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
TURNING = ["\u202e", "\u2066", "\u200f"]
BAD_ADDRESSES = [
    "",
    "ada",
    "ada@localhost",
    "ada@customers.example\r\nRCPT TO:<evil@example.org>",
    "ada@customers.example, evil@example.org",
    "ada@customers.example> SIZE=1",
    "<ada@customers.example>",
    "Ada <ada@customers.example>",
    '"ada evil"@customers.example',
    "ada@[127.0.0.1]",
    "ädä@customers.example",
    "ada@customers.example\x00",
    "ada@customers.\u202eexample",
    "ada\u2028@customers.example",
    f"{'a' * 65}@customers.example",
    f"ada@{'a' * 250}.example",
]
EVIL_NAMES = [
    "evil@example.org, Ada",
    "Ada <evil@example.org>",
    'Ada" <evil@example.org>, "Ada',
    "Ada\\",
    "group: evil@example.org;",
    "=?utf-8?q?Ada=0D=0ABcc=3A_evil=40example=2Eorg?=",
    "(comment) <evil@example.org>",
    "Ada, " * 30,
    "Ädä, " * 30,
    '"' * 150,
    "漢字 " * 60,
    "🎉" * 100,
]


def a_mail(event_id: str = "event-1", message: str = "order_confirmed", recipient: str = "ada") -> Mail:
    return Mail(uuid4(), event_id, message, recipient, {}, NOW, NOW, None, MailState.QUEUED, 0, NOW, NOW)


def composed(name: str = "Ada", email: str = "ada@customers.example", said: Rendered = SAID) -> Composed:
    return COMPOSING.compose(a_mail(), [Addressee("ada", email, name)], said, NOW)


def read(mail: Composed) -> EmailMessage:
    return message_from_bytes(mail.content, policy=policy.default)


def test_a_mail_says_the_same_in_text_and_html() -> None:
    message = read(composed())

    assert set(message.keys()) == OURS
    assert str(message["From"]) == "Ada's Shop <orders@example.org>"
    assert str(message["To"]) == "Ada <ada@customers.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == NOW.replace(microsecond=0)
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content().split() for part in message.iter_parts()] == [["Hello"], ["<p>Hello</p>"]]


def test_a_mail_is_of_seven_bits_and_short_lines_whatever_it_says() -> None:
    said = Rendered("Größe XL — 漢字", "ü" * 5000 + "\n.\n", f"<p>{'ß' * 5000}</p>")

    mail = composed(name="Jürgen", said=said)

    assert max(map(len, mail.content.split(b"\r\n"))) <= 998
    assert mail.content.isascii()
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    assert str(read(mail)["Subject"]) == "Größe XL — 漢字"


def test_the_message_id_is_that_of_event_message_and_recipient() -> None:
    ids = {
        COMPOSING.message_id(a_mail(**told))
        for told in ({}, {}, {"event_id": "event-2"}, {"message": "order_shipped"}, {"recipient": "bob"})
    }

    assert len(ids) == 4
    assert {id.partition("@")[2] for id in ids} == {"example.org>"}
    assert not any("ada" in id or "event" in id for id in ids)


@pytest.mark.parametrize("evil", [*CONTROLS, *TURNING])
def test_a_name_with_control_characters_is_refused(evil: str) -> None:
    with pytest.raises(Uncomposable) as refused:
        composed(name=f"Ada{evil}Lovelace")

    assert "Lovelace" not in str(refused.value)


def test_whoever_may_be_registered_can_be_written_to() -> None:
    """What Sales takes for a name and no mail can carry would cost its bearer every mail."""
    for letter in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(letter) in UNSEEN and _is_a_name(name := f"A{letter}b"):
            assert b"\r\nTo: " in composed(name=name).content


def _is_a_name(name: str) -> bool:
    try:
        TypeAdapter(PersonName).validate_python(name)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("evil", [*CONTROLS, *TURNING])
def test_a_subject_or_a_header_with_control_characters_is_refused(evil: str) -> None:
    with pytest.raises(Uncomposable):
        composed(said=Rendered(f"Order{evil}", "t", "h"))
    with pytest.raises(Uncomposable):
        composed(said=Rendered("Order", "t", "h", {"List-Unsubscribe": f"<https://x>{evil}"}))


def test_a_long_link_stands_in_its_header_as_it_is() -> None:
    link = f"<https://mail.example/unsubscribe?token={'a1-_' * 60}>"

    mail = composed(said=Rendered("Order", "t", "h", {"List-Unsubscribe": link}))

    assert f"\r\nList-Unsubscribe: {link}\r\n".encode() in mail.content
    assert read(mail)["List-Unsubscribe"] == link


def test_a_header_with_letters_that_would_have_to_be_encoded_is_refused() -> None:
    with pytest.raises(Uncomposable):
        composed(said=Rendered("Order", "t", "h", {"List-Unsubscribe": "<https://mail.example/für>"}))


@pytest.mark.parametrize("name", ["To", "bcc", "Subject", "X:Y", "X\r\nY", "", "Ü", "X Y"])
def test_a_header_that_is_not_for_others_to_set_is_refused(name: str) -> None:
    with pytest.raises(Uncomposable):
        composed(said=Rendered("Order", "t", "h", {name: "evil@example.org"}))


@pytest.mark.parametrize("email", BAD_ADDRESSES)
def test_an_address_that_is_none_is_refused(email: str) -> None:
    with pytest.raises(Uncomposable) as refused:
        composed(email=email)

    assert "evil" not in str(refused.value)


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_a_name_that_looks_like_an_address_goes_to_nobody_else(name: str) -> None:
    message = read(composed(name=name))

    assert [each.addr_spec for each in message["To"].addresses] == ["ada@customers.example"]
    assert set(message.keys()) == OURS


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_a_name_and_a_subject_are_nobody_else_gets_the_mail(name: str, subject: str) -> None:
    try:
        mail = composed(name=name, said=Rendered(subject, "t", "h"))
    except Uncomposable:
        return

    message = read(mail)
    assert list(mail.recipients) == ["ada@customers.example"]
    assert [each.addr_spec for each in message["To"].addresses] == ["ada@customers.example"]
    assert set(message.keys()) == OURS - {"List-Unsubscribe"}


@pytest.mark.parametrize(
    ("name", "email"), [("Ada\r\nBcc: evil@example.org", None), ("Ada", "ada@customers.example\r\nX: y")]
)
async def test_an_injection_fails_its_own_mail_and_no_other(
    office: PostOffice, server: MailServer, name: str, email: str | None
) -> None:
    await office.knows("ada", name=name, email=email)
    await office.knows("bob")
    await office.write(a_letter("ada"), a_letter("bob"))

    await office.run()

    assert await office.states() == ["FAILED", "SENT"]
    assert recipients(server) == ["bob@customers.example"]
    assert "evil" not in str((await office.mails())[0]["last_error"])


@pytest.mark.parametrize(
    "sender", ["", "orders", "a@example.org, b@example.org", "X\r\nBcc: y@example.org <a@example.org>", "<>"]
)
def test_a_sender_that_is_none_is_refused_at_the_start(sender: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (of the e-mail library, of pydantic or our own)
        read_address(sender)
