"""How mails are written: links, tokens, names, money and time; and what cannot be written fails alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError
from pydantic import SecretStr

from contracts.mail_tokens import MailPurpose, mail_token
from notification.customers.unsubscribe_tokens import Unsubscription, read_unsubscribe_token
from notification.messages.catalogue import MESSAGES
from notification.messages.forms import TEMPLATES, Forms, Incomplete, compiled
from notification.messages.links import Links
from notification.messages.rendering import NoLongerDue, Rendered, Rendering, Unrenderable
from notification.messages.wording import WORDINGS, greeted
from notification.settings import LinkSettings

from .factories import MAIL_SECRET
from .factories_messages import ADA, LINKS, ALetterhead, a_rendering, an_addressee

RENDERING = a_rendering()


def rendered(message: str, language: str = "en", **about: Any) -> Rendered:
    return RENDERING.render(message, an_addressee(language=language), {**MESSAGES[message].sample, **about})


@pytest.mark.parametrize(
    ("message", "purpose", "page"),
    [
        ("verification", MailPurpose.VERIFICATION, "verify-email"),
        ("password_reset", MailPurpose.PASSWORD_RESET, "reset-password"),
    ],
)
def test_a_token_is_in_the_link_and_by_itself(message: str, purpose: MailPurpose, page: str) -> None:
    token_id = uuid4()

    said = rendered(message, token_id=str(token_id))

    token = mail_token(MAIL_SECRET, purpose, token_id)
    assert f"\nhttps://shop.example.org/{page}#token={token}\n" in said.text
    assert f"\n    {token}\n" in said.text
    assert f'href="https://shop.example.org/{page}#token={token}"' in said.html
    assert f">{token}</p>" in said.html
    assert token not in repr(said)
    assert token not in said.subject


@pytest.mark.parametrize("message", ["verification", "password_reset"])
def test_a_token_that_has_expired_is_not_sent(message: str) -> None:
    just_now, soon = (datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (-1, 60))

    assert rendered(message, expires_at=soon.isoformat()).subject
    with pytest.raises(NoLongerDue):
        rendered(message, expires_at=just_now.isoformat())


@pytest.mark.parametrize("language", ["fr", "", "DE", "de-AT", "../en", "__class__"])
def test_who_reads_another_language_is_written_to_in_english(language: str) -> None:
    assert rendered("order_delivered", language) == rendered("order_delivered", "en")


def test_links_stand_on_the_settings_alone() -> None:
    links = LinkSettings(shop="https://laden.example/de", api="https://post.example/")
    moved = Rendering(ALetterhead(links=links))

    said = moved.render("order_shipped", an_addressee(), {**MESSAGES["order_shipped"].sample, "tracking_url": None})

    assert "\nhttps://laden.example/de/orders/019cbe3a" in said.text
    assert "\nhttps://post.example/api/v1/unsubscribe?token=order_progress." in said.text


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//example.org", "https://a b", "ftp://x", "https://ü", ["https://x"]],
)
def test_only_a_web_address_becomes_the_link_to_the_carrier(address: Any) -> None:
    said = rendered("order_shipped", tracking_url=address)

    assert str(address) not in said.text + said.html
    assert "https://shop.example.org/orders/" in said.text


def test_an_id_cannot_lead_elsewhere() -> None:
    said = rendered("back_in_stock", product_id="../../admin?x=#y")

    assert "https://shop.example.org/products/..%2F..%2Fadmin%3Fx%3D%23y" in said.text


def test_what_can_be_turned_off_says_how_and_only_that() -> None:
    for message in MESSAGES.values():
        said = RENDERING.render(message.name, an_addressee(), message.sample)

        if message.topic is None:
            assert said.headers == {}
            assert "unsubscribe" not in said.text + said.html
        else:
            link = said.headers["List-Unsubscribe"].strip("<>")
            token = link.removeprefix("https://mail.example.org/api/v1/unsubscribe?token=")
            assert read_unsubscribe_token(MAIL_SECRET, token) == Unsubscription(ADA, message.topic)
            assert link in said.text
            assert f'href="{link}"' in said.html


@pytest.mark.parametrize(
    "name", ["Ada", "Ada Lovelace", "Jean-Luc O'Neill Jr.", "Dr. J. R. R. Tolkien", "李小龙", "علي"]
)
def test_people_are_greeted_by_name(name: str) -> None:
    assert greeted(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "Win 1000€ at http://evil.example",
        "evil.example",
        "www evil",
        "mail me@evil.example",
        "Ada " * 20,
        "<b>Ada</b>",
        "see /pages/x",
        "",
    ],
)
def test_what_is_no_name_is_not_repeated_in_the_greeting(name: str) -> None:
    said = RENDERING.render("verification", an_addressee(name=name), MESSAGES["verification"].sample)

    assert said.text.startswith("Hello,\n")


@pytest.mark.parametrize(
    ("language", "currency", "amount", "written"),
    [
        ("en", "EUR", "1234567.05", "€1,234,567.05"),
        ("en", "CHF", "0.50", "CHF\u00a00.50"),
        ("de", "EUR", "1234567.05", "1.234.567,05\u00a0€"),
        ("de", "USD", "999.00", "999,00\u00a0$"),
        ("de", "CHF", "0.50", "0,50\u00a0CHF"),
    ],
)
def test_money_is_written_as_the_language_does(language: str, currency: str, amount: str, written: str) -> None:
    assert written in rendered("order_confirmed", language, total=amount, currency=currency).text


@pytest.mark.parametrize(
    ("language", "moment", "written"),
    [
        ("en", "2026-03-08T14:07:00Z", "8 March 2026, 14:07 UTC"),
        ("de", "2026-03-08T14:07:00Z", "8. März 2026, 14:07 Uhr (UTC)"),
        ("en", "2027-01-01T00:30:00+01:00", "31 December 2026, 23:30 UTC"),
        ("de", "2027-12-31T23:30:00-01:00", "1. Januar 2028, 00:30 Uhr (UTC)"),
    ],
)
def test_time_is_written_as_the_language_does(language: str, moment: str, written: str) -> None:
    assert written in " ".join(rendered("order_delivered", language, delivered_at=moment).text.split())


def test_a_year_has_twelve_months_in_every_language() -> None:
    months = [wording.months for wording in WORDINGS.values()]

    assert [len(set(each)) for each in months] == [12] * len(months)


@pytest.mark.parametrize(
    ("message", "about"),
    [
        ("order_confirmed", {}),
        ("order_confirmed", {"order_id": "x", "total": "hush", "currency": "EUR", "confirmed_at": "2026-01-01"}),
        ("order_received", {**MESSAGES["order_received"].sample, "items": [{"product_id": "hush"}]}),
        ("order_received", {**MESSAGES["order_received"].sample, "items": "hush"}),
        ("order_delivered", {"order_id": 7, "delivered_at": "hush"}),
        ("order_delivered", {"order_id": "x", "delivered_at": "hush"}),
        ("verification", {}),
        ("verification", {"token_id": "hush", "expires_at": "2999-01-01T00:00:00Z"}),
        ("verification", {"token_id": str(uuid4()), "expires_at": "2999-01-01T00:00:00"}),
    ],
    ids=range(9),
)
def test_what_cannot_be_written_fails_alone_and_quotes_nothing(message: str, about: dict[str, Any]) -> None:
    with pytest.raises(Unrenderable) as failed:
        RENDERING.render(message, an_addressee(name="hush"), about)

    assert "hush" not in str(failed.value)
    assert failed.value.__context__ is None or failed.value.__suppress_context__


def test_there_is_no_mail_without_a_message() -> None:
    with pytest.raises(Unrenderable):
        RENDERING.render("horoscope", an_addressee(), {})


def test_a_message_that_lacks_a_language_or_a_part_is_found_at_start(tmp_path: Path) -> None:
    (tmp_path / "layout").symlink_to(TEMPLATES / "layout")
    (tmp_path / "greeting").mkdir()
    whole = (TEMPLATES / "order_delivered" / "en.jinja").read_text()
    english, german = (tmp_path / "greeting" / f"{language}.jinja" for language in ("en", "de"))

    english.write_text(whole)
    with pytest.raises(TemplateNotFound):
        Forms(["greeting"], tmp_path)
    german.write_text(whole.replace("preheader", "header"))
    with pytest.raises(Incomplete, match="preheader"):
        Forms(["greeting"], tmp_path)
    german.write_text("{% block subject %}")
    with pytest.raises(TemplateSyntaxError):
        Forms(["greeting"], tmp_path)
    german.write_text(whole.replace("Delivered: your", "Delivered:\n  your"))
    assert Forms(["greeting"], tmp_path).subject("greeting", "de", {"order_id": "7"}) == "Delivered: your order 7"


@pytest.mark.parametrize("said", ["{{ misspelt }}", "{{ carrier }}", "{{ carrier.name }}"])
@pytest.mark.parametrize("form", ["text", "html"])
def test_a_template_that_says_what_is_not_known_fails(tmp_path: Path, said: str, form: Any) -> None:
    """A mail with a gap in it, or one that says None, is worse than none."""
    (tmp_path / "layout").symlink_to(TEMPLATES / "layout")
    (tmp_path / "greeting").mkdir()
    whole = (TEMPLATES / "order_delivered" / "en.jinja").read_text().replace("{{ delivered_at | at }}", said)
    for language in ("en", "de"):
        (tmp_path / "greeting" / f"{language}.jinja").write_text(whole)
    told = {
        **MESSAGES["order_delivered"].sample,
        "carrier": None,
        "greeting_name": "",
        "shop_name": "s",
        "subject": "s",
    }
    told |= {"for_operations": False, "unsubscribe_link": None, "links": Links(LINKS, SecretStr("hush"))}

    with pytest.raises((UndefinedError, ValueError)):
        Forms(["greeting"], tmp_path).filled("greeting", form, "en", told)

    assert Forms(["greeting"], tmp_path).filled("greeting", form, "en", {**told, "misspelt": "x", "carrier": _Named()})


class _Named:
    name = "x"


def test_what_holds_together_with_hyphens_is_not_torn_apart() -> None:
    name = "a" * 40 + "-" + "b" * 40

    assert name in rendered("back_in_stock", name=name).text


def test_no_template_is_left_without_its_message() -> None:
    assert {folder.name for folder in TEMPLATES.iterdir()} == {*MESSAGES, "layout"}


def test_templates_are_compiled_once_however_many_services_start() -> None:
    assert compiled() is compiled()
