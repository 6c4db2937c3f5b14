"""What customers see of themselves, and what they may change of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.sales.tests.factories import Sales
from services.sales.tests.profiles import code, customer, me, registered


async def test_a_customer_sees_who_they_are(sales: Sales) -> None:
    id = await registered(sales, "grace@example.org", "Grace")

    said = (await me(sales, by=id)).json()

    assert datetime.fromisoformat(said.pop("created_at")) > datetime.now(UTC) - timedelta(seconds=10)
    assert said == {
        "customer_id": id,
        "email": "grace@example.org",
        "name": "Grace",
        "language": "en",
        "status": "REGISTERED",
        "email_verified": False,
    }


async def test_name_and_language_can_be_changed_one_without_the_other(sales: Sales) -> None:
    await customer(sales)

    named = await me(sales, "PATCH", "", {"name": " Grace Hopper "})
    spoken = await me(sales, "PATCH", "", {"language": "de"})
    nothing = await me(sales, "PATCH", "", {})

    assert (named.json()["name"], named.json()["language"]) == ("Grace Hopper", "en")
    assert (spoken.json()["name"], spoken.json()["language"]) == ("Grace Hopper", "de")
    assert nothing.json() == spoken.json() == (await me(sales)).json()


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"name": ""},
        {"name": "x" * 201},
        {"name": "Grace\r\nBcc: everyone@example.org"},
        {"name": "Gr\x00ce"},
        {"language": "tlh"},
        {"email": "ada@example.org"},
        {"status": "ERASED"},
        {"email_verified": True},
        {"customer_id": "ada"},
        {"password_hash": "x"},
        {"created_at": "2020-01-01T00:00:00Z"},
    ],
)
async def test_nothing_else_can_be_changed_and_nothing_to_what_makes_no_sense(sales: Sales, body: Any) -> None:
    await customer(sales)
    before = await sales.rows("SELECT * FROM customers")

    assert code(await me(sales, "PATCH", "", body)) == (400, "VALIDATION_ERROR")
    assert await sales.rows("SELECT * FROM customers") == before


async def test_who_has_a_token_but_is_no_customer_is_not_found(sales: Sales) -> None:
    for answer in (await me(sales), await me(sales, "PATCH", "", {"name": "Nobody"})):
        assert code(answer) == (404, "NOT_FOUND")


async def test_what_has_changed_is_told_to_others_with_all_that_they_know_and_is_not_in_the_audit_log(
    sales: Sales,
) -> None:
    await customer(sales)

    for wanted in ({"name": "Grace Hopper"}, {"name": "Grace Hopper"}, {}, {"language": "en"}, {"language": "de"}):
        await me(sales, "PATCH", "", wanted)

    grace = {"customer_id": "grace", "email": "grace@example.org", "name": "Grace Hopper"}
    assert [event["data"] for event in await sales.published()] == [
        {**grace, "language": "en"},
        {**grace, "language": "de"},
    ]
    assert await sales.count("audit_log") == 0
