"""Whoever tries often waits, replicas and requests at once included, and nobody is locked out by others."""

import asyncio
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sales.customers.log_in import LogIns
from services.sales.tests.accounts import (
    ANOTHER,
    ELSEWHERE,
    GRACE,
    HOME,
    PASSWORD,
    log_in,
    refused,
    register,
    reset_token,
    send,
    session,
)
from services.sales.tests.factories import Sales, eventually, running
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.stopped_clock import stop_clock, time_passes
from tests.harness.fixtures import FreshDatabase

WRONG = "not the password"


@pytest.fixture
async def database_url(fresh_database: FreshDatabase) -> str:
    url = await fresh_database("sales")
    await stop_clock(url)
    return url


@pytest.fixture
async def grace(sales: Sales) -> None:
    """She has an account, and has logged in at home before."""
    await register(sales)
    await session(sales)


async def guess(sales: Sales, times: int, **where: Any) -> Counter[str]:
    return Counter([refused(await log_in(sales, WRONG, **where))[1] for _ in range(times)])


async def hammer(sales: Sales, times: int = 12) -> None:
    """As many computers do it, each of them once."""
    for n in range(times):
        await log_in(sales, WRONG, address=f"192.0.2.{n}")


async def pause(sales: Sales, **where: Any) -> float:
    """How long it takes until the next attempt is heard."""
    answer = await log_in(sales, WRONG, **where)
    return float(answer.headers["retry-after"]) if answer.status_code == 429 else 0


@pytest.mark.usefixtures("grace")
async def test_after_five_wrong_guesses_there_is_a_pause_that_says_how_long_it_is(sales: Sales) -> None:
    assert await guess(sales, 5) == {"INVALID_CREDENTIALS": 5}

    answer = await log_in(sales, WRONG)

    assert refused(answer) == (429, "RATE_LIMITED")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.usefixtures("grace")
async def test_a_right_guess_in_a_pause_is_not_heard_either(sales: Sales) -> None:
    await guess(sales, 5)

    assert refused(await log_in(sales, PASSWORD)) == (429, "RATE_LIMITED")


@pytest.mark.usefixtures("grace")
async def test_the_pauses_grow_up_to_a_minute(sales: Sales) -> None:
    await guess(sales, 5)

    pauses = []
    for _ in range(9):
        pauses.append(await pause(sales))
        await time_passes(sales, timedelta(seconds=pauses[-1]))
        await guess(sales, 1)

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.usefixtures("grace")
async def test_attempts_in_a_pause_do_not_prolong_it(sales: Sales) -> None:
    await guess(sales, 5)
    assert await guess(sales, 20) == {"RATE_LIMITED": 20}

    await time_passes(sales, timedelta(seconds=1))

    assert (await log_in(sales)).status_code == 200


@pytest.mark.usefixtures("grace")
async def test_a_success_is_a_new_start_at_this_address(sales: Sales) -> None:
    await guess(sales, 4)

    await session(sales)

    assert await guess(sales, 5) == {"INVALID_CREDENTIALS": 5}


@pytest.mark.usefixtures("grace")
async def test_after_an_hour_the_guesses_are_forgotten(sales: Sales) -> None:
    await guess(sales, 5)

    await time_passes(sales, timedelta(hours=1, seconds=1))

    assert await guess(sales, 5) == {"INVALID_CREDENTIALS": 5}


@pytest.mark.usefixtures("grace")
async def test_of_guesses_at_once_no_more_are_heard_than_may_be(
    sales: Sales, database_url: str, product: FakeProduct
) -> None:
    async with running(database_url, product) as other:
        answers = await asyncio.gather(*(log_in((sales, other)[n % 2], WRONG) for n in range(30)))

    assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 25}


async def test_an_account_that_does_not_exist_slows_down_as_one_that_does(sales: Sales) -> None:
    await register(sales)

    known = [await log_in(sales, WRONG, address=ELSEWHERE) for _ in range(7)]
    unknown = [await log_in(sales, WRONG, email="ada@example.org", address=HOME) for _ in range(7)]

    assert [refused(answer) for answer in known] == [refused(answer) for answer in unknown]
    assert [refused(answer)[0] for answer in known] == [401] * 5 + [429] * 2


async def test_an_address_that_tries_many_accounts_waits_for_each_of_them(sales: Sales) -> None:
    for n in range(50):
        assert refused(await log_in(sales, WRONG, email=f"{n}@example.org"))[0] == 401

    assert refused(await log_in(sales, WRONG, email="another@example.org")) == (429, "RATE_LIMITED")
    assert refused(await log_in(sales, WRONG, email="another@example.org", address=ELSEWHERE))[0] == 401


async def test_an_account_of_ones_own_buys_no_guesses_at_others(sales: Sales) -> None:
    await register(sales, email="mallory@example.org")

    heard = 0
    for n in range(60):
        await log_in(sales, email="mallory@example.org")
        heard += refused(await log_in(sales, WRONG, email=f"{n}@example.org"))[0] == 401

    assert heard == 50


async def test_not_even_a_fresh_account_for_each_guess_buys_more(sales: Sales) -> None:
    for n in range(50):
        await log_in(sales, WRONG, email=f"{n}@example.org")
    await register(sales, email="mallory@example.org")

    heard = []
    for n in range(3):
        await time_passes(sales, timedelta(seconds=60))
        assert (await log_in(sales, email="mallory@example.org")).status_code == 200
        heard.append(refused(await log_in(sales, WRONG, email=f"another-{n}@example.org"))[0])
        await sales.rows("DELETE FROM known_addresses RETURNING 1")

    assert heard == [429, 429, 429]


async def test_many_who_log_in_at_once_from_one_address_all_get_in(sales: Sales) -> None:
    people = [f"{n}@example.org" for n in range(51)]
    for each in people:
        await register(sales, email=each)
    desk = next(thing for thing in sales.service.provides if isinstance(thing, LogIns))
    passwords, held = desk._passwords, threading.Event()
    busy = [asyncio.create_task(passwords._beside(held.wait)) for _ in range(4)]

    at_once = [asyncio.create_task(log_in(sales, email=each)) for each in people[:50]]
    try:
        await eventually(lambda: passwords._taken == len(busy) + len(at_once))
    finally:
        # Python waits for its threads before it ends.
        held.set()
    await asyncio.gather(*busy)
    answers = [*await asyncio.gather(*at_once), await log_in(sales, email=people[50])]

    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.usefixtures("grace")
async def test_who_hammers_an_account_from_everywhere_waits_and_never_for_long(sales: Sales) -> None:
    await hammer(sales, 10)
    assert await pause(sales, address=ELSEWHERE) == 1

    pauses = []
    for n in range(10, 17):
        await time_passes(sales, timedelta(seconds=30))
        await log_in(sales, WRONG, address=f"192.0.2.{n}")
        pauses.append(await pause(sales, address=ELSEWHERE))

    assert pauses == [2, 4, 8, 16, 30, 30, 30]


@pytest.mark.usefixtures("grace")
async def test_the_owner_at_home_is_not_kept_out_by_whoever_hammers_the_account(sales: Sales) -> None:
    await hammer(sales)

    assert refused(await log_in(sales, address=ELSEWHERE)) == (429, "RATE_LIMITED")
    assert (await log_in(sales)).status_code == 200


@pytest.mark.usefixtures("grace")
async def test_the_owner_at_home_is_not_kept_out_by_neighbours_who_try_other_accounts(sales: Sales) -> None:
    for n in range(55):
        await log_in(sales, WRONG, email=f"{n}@example.org")

    assert refused(await log_in(sales, email="ada@example.org")) == (429, "RATE_LIMITED")
    assert (await log_in(sales)).status_code == 200


@pytest.mark.usefixtures("grace")
async def test_the_owner_at_a_new_address_gets_in_by_mail_whatever_others_do(sales: Sales) -> None:
    token = await reset_token(sales)
    await hammer(sales)

    body = {"token": token, "new_password": ANOTHER}
    reset = await send(sales, "POST", "/customers/password-resets", body, address=ELSEWHERE)

    assert reset.status_code == 204
    assert (await log_in(sales, ANOTHER, address=ELSEWHERE)).status_code == 200


@pytest.mark.usefixtures("grace")
async def test_what_is_refused_at_one_gate_is_not_counted_at_another(sales: Sales) -> None:
    await hammer(sales)
    before = await sales.rows("SELECT key, attempts FROM slowdowns ORDER BY key")

    assert refused(await log_in(sales, WRONG, address=ELSEWHERE))[0] == 429

    assert await sales.rows("SELECT key, attempts FROM slowdowns ORDER BY key") == before


@pytest.mark.parametrize(
    ("other", "heard"),
    [("2001:db8:1:2:ffff::1", False), ("2001:db8:1:3::1", True)],
)
async def test_a_network_of_one_customer_is_one_address(sales: Sales, other: str, heard: bool) -> None:
    for n in range(5):
        await log_in(sales, WRONG, address=f"2001:db8:1:2::{n}")

    assert (refused(await log_in(sales, WRONG, address=other))[0] == 401) is heard


@pytest.mark.parametrize("address", ["::ffff:198.51.100.7", "fe80::1%eth0", "/run/sales.sock", "\u0660", "x" * 5000])
async def test_whatever_an_address_looks_like_it_is_one(sales: Sales, address: str) -> None:
    assert await guess(sales, 6, address=address) == {"INVALID_CREDENTIALS": 5, "RATE_LIMITED": 1}


async def test_an_address_of_the_old_kind_is_the_same_in_both_spellings(sales: Sales) -> None:
    await guess(sales, 5, address=HOME)

    assert await guess(sales, 1, address=f"::ffff:{HOME}") == {"RATE_LIMITED": 1}


@pytest.mark.usefixtures("grace")
async def test_a_forwarded_address_is_not_believed(sales: Sales) -> None:
    await guess(sales, 5)

    transport = httpx.ASGITransport(sales.app, client=(HOME, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://sales") as client:
        answer = await client.post(
            "/api/v1/sessions",
            json={"email": GRACE, "password": WRONG},
            headers={"X-Forwarded-For": ELSEWHERE, "Forwarded": f"for={ELSEWHERE}", "X-Real-IP": ELSEWHERE},
        )

    assert refused(answer) == (429, "RATE_LIMITED")


@pytest.mark.usefixtures("grace")
async def test_guessing_the_old_password_is_slowed_down_where_it_is_changed_too(sales: Sales) -> None:
    access_token = (await session(sales))["access_token"]
    body = {"password": WRONG, "new_password": ANOTHER}

    answers = [await send(sales, "PUT", "/customers/me/password", body, token=access_token) for _ in range(6)]

    assert [refused(answer)[0] for answer in answers] == [401] * 5 + [429]
