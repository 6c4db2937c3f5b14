"""Customers say what they do not want to be told; nobody else does, and two at once both count."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from notification.customers.addressees import find

from .factories import PostOffice, code
from .factories_messages import ADA, call, changed, customer, erased, registered, told, turns_off

ALL = ["order_progress", "return_progress", "back_in_stock"]


async def test_at_first_everything_is_wanted(office: PostOffice) -> None:
    await office.hear(told(registered(language="de")))

    answer = await call(office, "GET", "/mail-preferences")

    assert answer.status_code == 200
    assert answer.json() == {"unwanted": [], "topics": ALL, "language": "de"}


async def test_what_is_turned_off_stays_so(office: PostOffice) -> None:
    await office.hear(told(registered()))

    answer = await turns_off(office, "back_in_stock", "order_progress", "order_progress")

    assert (answer.status_code, answer.json()) == (
        200,
        {"unwanted": ["order_progress", "back_in_stock"], "topics": ALL, "language": "en"},
    )
    assert (await call(office, "GET", "/mail-preferences")).json() == answer.json()
    async with office.database.begin() as session:
        [addressee] = (await find(session, [ADA])).values()
    assert addressee.unwanted_topics == {"order_progress", "back_in_stock"}


async def test_what_is_not_named_is_wanted_again(office: PostOffice) -> None:
    await turns_off(office, *ALL)

    await turns_off(office, "return_progress")

    assert (await call(office, "GET", "/mail-preferences")).json()["unwanted"] == ["return_progress"]


async def test_who_was_never_heard_of_can_say_so_too_and_is_heard_of_later(office: PostOffice) -> None:
    before = await call(office, "GET", "/mail-preferences")
    nothing = await office.query("SELECT * FROM customers")
    await turns_off(office, "order_progress")

    await office.hear(told(registered(language="de")), told(changed()))

    assert (before.json()["language"], nothing) == ("en", [])
    row = await customer(office)
    assert (row["unwanted_topics"], row["email"], row["language"]) == (["order_progress"], "ada@example.org", "de")


async def test_everybody_has_preferences_of_their_own(office: PostOffice) -> None:
    await turns_off(office, "order_progress", by="customer_bob")

    assert (await call(office, "GET", "/mail-preferences")).json()["unwanted"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"unwanted": "order_progress"},
        {"unwanted": ["verification"]},
        {"unwanted": [None]},
        {"unwanted": ["order_progress"] * 21},
        {"unwanted": [], "language": "de"},
        {"unwanted": [], "customer_id": "customer_bob"},
        [],
    ],
    ids=str,
)
async def test_what_cannot_be_said_is_refused(office: PostOffice, body: Any) -> None:
    answer = await call(office, "PUT", "/mail-preferences", body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await office.query("SELECT * FROM customers") == []


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_the_erased_have_no_preferences(office: PostOffice, method: str) -> None:
    await office.hear(told(registered()), told(erased()))

    answer = await call(office, method, "/mail-preferences", {"unwanted": ALL} if method == "PUT" else None)

    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
    assert (await customer(office))["unwanted_topics"] == []


async def test_a_change_is_on_record_without_anything_about_the_person(office: PostOffice) -> None:
    await office.hear(told(registered()))

    with capture_logs() as logs:
        await turns_off(office, "order_progress")
        await turns_off(office, "order_progress")

    assert await office.audited() == [
        {
            "actor": ADA,
            "action": "mail_preferences.changed",
            "entity_id": ADA,
            "before": {"unwanted": []},
            "after": {"unwanted": ["order_progress"]},
        }
    ]
    assert "example.org" not in str(logs)


async def test_erasing_and_changing_at_once_end_with_nothing_left(
    office: PostOffice, second_office: PostOffice
) -> None:
    for number in range(10):
        one = f"customer_{number}"
        await office.hear(told(registered(one)))
        await asyncio.gather(office.hear(told(erased(one))), turns_off(second_office, "order_progress", by=one))

        row = await customer(office, one)
        assert (row["erased_at"] is not None, row["unwanted_topics"], row["email"]) == (True, [], None)


async def test_what_cannot_be_turned_off_any_more_is_not_shown(office: PostOffice) -> None:
    await turns_off(office, "order_progress")
    await office.query("UPDATE customers SET unwanted_topics = ARRAY['order_progress', 'horoscopes']")

    answer = await call(office, "GET", "/mail-preferences")

    assert answer.json()["unwanted"] == ["order_progress"]
