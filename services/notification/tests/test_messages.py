"""Every message in every language: whole, on one line where it must be, and with nothing of its own from outside."""

import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from contracts.delivery.shipments import ShipmentStatus
from contracts.sales.orders import OrderStatus
from contracts.sales.returns import RefundWay
from notification.messages import examples
from notification.messages.catalogue import MESSAGES
from notification.messages.message import Audience, Message
from notification.messages.rendering import Rendered, Unrenderable
from notification.messages.wording import LANGUAGES

from .factories_messages import a_rendering, an_addressee

RENDERING = a_rendering()
EVERY = [pytest.param(message, language, id=f"{message.name}-{language}") for message in MESSAGES.values()
         for language in LANGUAGES]  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>\r\nBcc: all@example.org\n\n\u202egnp.exe\u2066\u200f\u0000\x1b[2J\u2028\u2029"
    " \"'><img src=x> {{ 7 * 7 }} {% raw %} &amp;"
)
ALLOWED = re.compile(r"https://(shop|mail)\.example\.org/|https://tracking\.example\.com/OFE2603051407$")


class Markup(HTMLParser):
    """What the HTML holds; it fails on what is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.words, self.addresses = list[str](), list[str](), list[str]()
        self._open = list[str]()
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "action", "background"}]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in {"meta", "br"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def rendered(message: Message, language: str, about: Any = None, **addressee: Any) -> Rendered:
    whom = {} if message.audience == Audience.CUSTOMER else {"name": "", "customer_id": "operations"}
    return RENDERING.render(
        message.name, an_addressee(**{**whom, "language": language, **addressee}), about or message.sample
    )


def must_be_sound(said: Rendered) -> Markup:
    assert said.subject == " ".join(said.subject.split(" "))
    assert said.subject
    assert not any(unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp"} for letter in said.subject)
    assert len(said.subject) <= 200
    assert max(len(line) for line in said.text.splitlines() if "https://" not in line) <= 998
    assert not re.search(r"\bNone\b|Undefined", said.text)
    markup = Markup(said.html)
    assert set(markup.tags) <= {
        "html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td", "p", "h1", "a", "br",
    }  # fmt: skip
    assert [address for address in markup.addresses if not ALLOWED.match(address)] == []
    assert "None" not in markup.text
    return markup


@pytest.mark.parametrize(("message", "language"), EVERY)
def test_each_message_can_be_read_in_each_language(message: Message, language: str) -> None:
    said = rendered(message, language)

    markup = must_be_sound(said)
    assert f'<html lang="{language}">' in said.html
    assert not re.search(r"\{[{%]|<[a-z/]|&\w+;", said.text)
    assert max(len(line) for line in said.text.splitlines() if "http" not in line and "." not in line) <= 76
    # Worded once for both: whoever reads the text reads what the others do.
    paragraphs = [" ".join(part.split()) for part in said.text.split("\n\n") if "http" not in part]
    assert all(part.removeprefix("-- ") in markup.text for part in paragraphs if not re.search(r"^- |: ", part))


@pytest.mark.parametrize("message", MESSAGES.values(), ids=lambda message: message.name)
def test_no_message_is_left_untranslated(message: Message) -> None:
    english, german = (rendered(message, language) for language in ("en", "de"))

    assert english.subject != german.subject
    assert Markup(english.html).text != Markup(german.html).text
    shared = set(english.text.splitlines()) & set(german.text.splitlines())
    assert not [line for line in shared if len(line.split()) > 3 and not line.startswith("- ")]


def optional(message: Message) -> set[str]:
    """What the event may leave out."""
    fields = type(message.example).model_fields
    return {name for name in message.says if not fields[name].is_required()}


@pytest.mark.parametrize(("message", "language"), EVERY)
def test_what_may_be_missing_may_be_missing(message: Message, language: str) -> None:
    about = {**message.sample, **dict.fromkeys(optional(message))}
    if "items" in about:
        about["items"] = [{**item, "name": None} for item in about["items"][:1]]

    must_be_sound(rendered(message, language, about, name=""))
    must_be_sound(rendered(message, language, {name: value for name, value in about.items() if value is not None}))


@pytest.mark.parametrize(("message", "language"), EVERY)
def test_what_must_not_be_missing_fails_the_mail(message: Message, language: str) -> None:
    """Better no mail than one that says nothing where its reader looks."""
    for name in message.says - optional(message):
        with pytest.raises(Unrenderable):
            rendered(message, language, {**message.sample, name: None})


def stuffed(value: Any) -> Iterator[Any]:
    """The longest there can be, and the most hostile."""
    for words in ("Æ" * 200, HOSTILE):
        yield {
            key: [{**item, "name": words, "product_id": words} for item in said] * 25 if key == "items"
            else words if key in {"name", "product_id", "carrier", "tracking_number", "tracking_url", "reported",
                                  "reason", "order_id", "return_id", "report_id", "shipment_id", "variant_id"}
            else said
            for key, said in value.items()
        }  # fmt: skip


@pytest.mark.parametrize(("message", "language"), EVERY)
def test_nothing_that_comes_from_outside_becomes_markup_or_another_line(message: Message, language: str) -> None:
    for about in stuffed(message.sample):
        said = rendered(message, language, about, name=HOSTILE)

        markup = must_be_sound(said)
        assert not any(unicodedata.bidirectional(letter) in {"RLO", "LRO", "RLI", "PDF"} for letter in said.html)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", said.text + said.html)
        assert not re.search(r"^Bcc", said.text + said.html, re.MULTILINE)
        is_shown = about.get("order_id", about.get("product_id", about.get("tracking_number"))) == HOSTILE
        assert ("<script>alert(1)</script> Bcc: all@example.org gnp.exe" in markup.text) == is_shown


@pytest.mark.parametrize(
    ("message", "about"),
    [
        ("order_received", {"status": OrderStatus.PENDING}),
        ("return_refunded", {"way": RefundWay.OUTSIDE}),
        ("parcel_in_trouble", {"status": ShipmentStatus.RETURNED}),
        ("order_shipped", {"tracking_url": None}),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_otherwise_is_said_otherwise(message: str, about: dict[str, Any], language: str) -> None:
    usual = rendered(MESSAGES[message], language)

    other = rendered(MESSAGES[message], language, {**MESSAGES[message].sample, **about})

    must_be_sound(other)
    assert other.text != usual.text
    assert other.html != usual.html


def test_every_message_says_for_whom_it_is_and_whether_it_can_be_turned_off() -> None:
    def names(audience: Audience, *, essential: bool) -> set[str]:
        return {one.name for one in MESSAGES.values() if (one.audience, one.is_essential) == (audience, essential)}

    assert names(Audience.CUSTOMER, essential=True) == {
        "verification", "password_reset", "order_received", "order_confirmed", "order_cancelled", "refund_delayed",
        "return_refunded", "return_rejected",
    }  # fmt: skip
    assert names(Audience.CUSTOMER, essential=False) == {
        "order_shipped", "parcel_shipped", "order_delivered", "return_requested", "return_received", "back_in_stock",
    }  # fmt: skip
    assert names(Audience.OPERATIONS, essential=True) == {
        "out_of_stock", "capture_failed", "unmatched_tracking", "parcel_in_trouble",
    }  # fmt: skip


def test_the_spec_names_what_is_sent() -> None:
    actions = {one.action for one in MESSAGES.values()}

    assert actions >= {
        "sendVerificationEmail", "sendOrderConfirmation", "sendShippingNotification", "sendDeliveryConfirmation",
        "sendCancellationConfirmation", "notifyOperations",
    }  # fmt: skip


def test_what_a_mail_is_about_does_not_hide_what_every_mail_has() -> None:
    every = {"greeting_name", "links", "shop_name", "for_operations", "unsubscribe_link", "token", "subject", "form"}

    assert not any(every & one.says for one in MESSAGES.values())


def test_the_mail_of_an_example_is_that_of_its_event() -> None:
    assert MESSAGES["order_delivered"].sample == {
        "order_id": str(examples.ORDER_DELIVERED.order_id),
        "delivered_at": "2026-03-08T14:07:00Z",
    }
