"""Mails are asked for in moderation: an address waits, and a mailbox is not filled."""

from datetime import timedelta

import pytest

from services.sales.tests.accounts import ELSEWHERE, GRACE, ask, refused, register
from services.sales.tests.factories import Sales
from services.sales.tests.stopped_clock import stop_clock, time_passes
from tests.harness.fixtures import FreshDatabase

PATHS = {
    "password-reset-requests": "customer.password_reset_requested",
    "verification-requests": "customer.verification_requested",
}


@pytest.fixture
async def database_url(fresh_database: FreshDatabase) -> str:
    url = await fresh_database("sales")
    await stop_clock(url)
    return url


async def mails(sales: Sales, path: str) -> int:
    await sales.run("answer_mail_requests")
    return len(await sales.published(PATHS[path]))


@pytest.mark.parametrize("path", PATHS)
async def test_a_mailbox_gets_three_in_a_row_and_then_one_after_each_pause(sales: Sales, path: str) -> None:
    await register(sales)

    answers = [await ask(sales, path, address=f"192.0.2.{n}") for n in range(9)]

    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert await mails(sales, path) == 3
    await time_passes(sales, timedelta(seconds=1))
    for n in range(9):
        await ask(sales, path, address=f"192.0.2.{n}")
    assert await mails(sales, path) == 4


async def test_the_pauses_grow_to_a_quarter_of_an_hour_in_which_the_last_token_holds(sales: Sales) -> None:
    await register(sales)

    for n in range(14):
        await ask(sales, "password-reset-requests", address=f"192.0.2.{n}")
        await time_passes(sales, timedelta(minutes=15))
    await ask(sales, "password-reset-requests", address=ELSEWHERE)

    [row] = await sales.rows("SELECT max(opens_at - last_at) AS pause FROM slowdowns")
    assert await mails(sales, "password-reset-requests") == 15
    assert row["pause"] == timedelta(minutes=15)


async def test_an_address_that_asks_for_many_waits(sales: Sales) -> None:
    for n in range(10):
        assert (await ask(sales, "password-reset-requests", f"{n}@example.org")).status_code == 202

    answer = await ask(sales, "verification-requests", "another@example.org")

    assert refused(answer) == (429, "RATE_LIMITED")
    assert answer.headers["retry-after"] == "1"
    assert (await ask(sales, "verification-requests", GRACE, ELSEWHERE)).status_code == 202
    assert await sales.count("mail_requests") == 11


async def test_one_mail_does_not_wait_for_the_other(sales: Sales) -> None:
    await register(sales)
    for _ in range(4):
        await ask(sales, "verification-requests")

    await ask(sales, "password-reset-requests")

    assert await mails(sales, "password-reset-requests") == 1
