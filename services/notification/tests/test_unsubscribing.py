"""The link in a mail: a page that only asks, a button that does it, and nobody does it for somebody else."""

import asyncio
import hashlib
import re
from base64 import b64encode
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from contracts.mail_tokens import MailPurpose, mail_token
from contracts.notification.preferences import Topic
from notification.customers.unsubscribe_tokens import unsubscribe_token
from notification.messages.catalogue import MESSAGES

from .factories import MAIL_SECRET, PostOffice, code
from .factories_messages import (
    ADA,
    a_rendering,
    an_addressee,
    call,
    customer,
    erased,
    registered,
    told,
    turns_off,
)

TOKEN = unsubscribe_token(MAIL_SECRET, ADA, Topic.ORDER_PROGRESS)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def opens(office: PostOffice, token: str = TOKEN) -> httpx.Response:
    return await office.http.get("/api/v1/unsubscribe", params={"token": token})


async def presses(office: PostOffice, token: str = TOKEN, form: dict[str, str] | None = None) -> httpx.Response:
    return await office.http.post("/api/v1/unsubscribe", params={"token": token}, data=form)


async def unwanted(office: PostOffice, by: str = ADA) -> list[str]:
    return list((await call(office, "GET", "/mail-preferences", by=by)).json()["unwanted"])


async def test_the_page_asks_and_changes_nothing(office: PostOffice) -> None:
    await office.hear(told(registered()))

    page = await opens(office)

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<form method="post">' in page.text
    assert "Where your orders are" in page.text
    assert await unwanted(office) == []
    assert await office.audited() == []


async def test_the_page_speaks_the_customers_language(office: PostOffice) -> None:
    await office.hear(told(registered(language="de")))

    assert '<html lang="de">' in (await opens(office)).text
    assert "Erledigt" in (await presses(office)).text


async def test_nothing_on_the_page_comes_from_elsewhere(office: PostOffice) -> None:
    page = await opens(office)

    [style] = re.findall(r"<style>(.*)</style>", page.text)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert not re.search(r"https?:|src=|<script", page.text)


async def test_the_button_does_it(office: PostOffice) -> None:
    await office.hear(told(registered()))

    answer = await presses(office)

    assert answer.status_code == 200
    assert "<form" not in answer.text
    assert await unwanted(office) == ["order_progress"]
    assert [(one["actor"], one["entity_id"]) for one in await office.audited()] == [("unsubscribe-link", ADA)]


async def test_the_button_of_a_mail_program_does_it_too(office: PostOffice) -> None:
    """RFC 8058: it posts to what the mail's header names, with a form, and shows the answer to nobody."""
    said = a_rendering().render("order_shipped", an_addressee(), MESSAGES["order_shipped"].sample)
    link = urlsplit(said.headers["List-Unsubscribe"].strip("<>"))

    answer = await presses(office, parse_qs(link.query)["token"][0], ONE_CLICK)

    assert said.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (link.scheme, link.netloc, link.path) == ("https", "mail.example.org", "/api/v1/unsubscribe")
    assert answer.status_code == 200
    assert await unwanted(office) == ["order_progress"]


async def test_a_form_in_parts_is_as_good(office: PostOffice) -> None:
    answer = await office.http.post("/api/v1/unsubscribe", params={"token": TOKEN}, files={"List-Unsubscribe": b"x"})

    assert answer.status_code == 200
    assert await unwanted(office) == ["order_progress"]


async def test_pressing_again_changes_nothing(office: PostOffice) -> None:
    await turns_off(office, "back_in_stock")
    await presses(office)

    again = await presses(office)

    assert again.status_code == 200
    assert await unwanted(office) == ["order_progress", "back_in_stock"]
    assert len(await office.audited()) == 2


async def test_pressing_at_once_for_two_topics_turns_off_both(office: PostOffice, second_office: PostOffice) -> None:
    for number in range(10):
        one = f"customer_{number}"
        await office.hear(told(registered(one)))
        first, second = (unsubscribe_token(MAIL_SECRET, one, topic) for topic in list(Topic)[:2])

        await asyncio.gather(presses(office, first), presses(second_office, second))

        assert await unwanted(office, by=one) == ["order_progress", "return_progress"]


async def test_the_erased_are_left_alone(office: PostOffice) -> None:
    await office.hear(told(registered()), told(erased()))

    answers = [await opens(office), await presses(office)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await customer(office))["unwanted_topics"] == []
    assert await office.audited() == []


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "order_progress",
        TOKEN[:-1],
        TOKEN + "A",
        TOKEN.replace("order_progress", "back_in_stock"),
        unsubscribe_token("another secret", ADA, Topic.ORDER_PROGRESS),
        unsubscribe_token(MAIL_SECRET, ADA, "verification"),
        mail_token(MAIL_SECRET, MailPurpose.VERIFICATION, registered().token_id),
        "order_progress." + TOKEN.split(".")[1] + ".\u00fc\U0001f600",
        "\ufffd" * 50,
        "A" * 20_000,
    ],
    ids=range(13),
)
async def test_no_other_token_does_anything(office: PostOffice, token: str) -> None:
    await office.hear(told(registered()))

    with capture_logs() as logs:
        answers = [await opens(office, token), await presses(office, token)]

    assert [(answer.status_code, code(answer)) for answer in answers] == [(400, "INVALID_TOKEN")] * 2
    assert await unwanted(office) == []
    assert not token.strip(".") or all(token not in text for text in (answers[0].text, answers[1].text, str(logs)))


async def test_without_a_token_nothing_happens(office: PostOffice) -> None:
    answer = await office.http.post("/api/v1/unsubscribe")

    assert (answer.status_code, code(answer)) == (400, "INVALID_TOKEN")


async def test_the_token_of_one_customer_is_not_that_of_another(office: PostOffice) -> None:
    await office.hear(told(registered()), told(registered("customer_bob")))

    await presses(office, unsubscribe_token(MAIL_SECRET, "customer_bob", Topic.ORDER_PROGRESS))

    assert (await unwanted(office), await unwanted(office, by="customer_bob")) == ([], ["order_progress"])


async def test_the_token_is_not_in_the_logs(office: PostOffice) -> None:
    with capture_logs() as logs:
        await opens(office)
        await presses(office)

    assert logs
    assert TOKEN not in str(logs)
    assert TOKEN.rpartition(".")[2] not in str(logs)
