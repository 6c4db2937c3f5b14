"""Hashing costs what it must, beside everything else, and never more of it at once than the process can bear."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type
from pydantic import SecretStr

from chassis.errors import Overloaded
from sales.customers.passwords import OWASP, Cost, Passwords
from sales.customers.registration import Registration
from services.sales.tests.accounts import ANOTHER, GRACE, PASSWORD, log_in, refused, register, session
from services.sales.tests.factories import CHEAP, Sales, eventually, running
from services.sales.tests.fake_product import FakeProduct

SECRET = SecretStr(PASSWORD)


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Keeps the threads busy until it is set, and in any case not after the test."""
    event = threading.Event()
    yield event
    event.set()


async def test_a_hash_is_argon2id_at_no_less_than_owasp_recommends() -> None:
    hashed = await Passwords().hash(SECRET)

    made_with = extract_parameters(hashed)
    assert made_with.type is Type.ID
    assert made_with.memory_cost >= 19 * 1024
    assert made_with.time_cost >= 2
    assert made_with.parallelism == 1
    assert await Passwords().matches(SECRET, hashed)


async def test_only_its_own_password_matches_a_hash_and_none_matches_no_hash() -> None:
    passwords = Passwords(CHEAP)

    hashed = await passwords.hash(SECRET)

    assert hashed != await passwords.hash(SECRET)
    assert await passwords.matches(SECRET, hashed)
    assert not await passwords.matches(SecretStr(ANOTHER), hashed)
    assert not await passwords.matches(SECRET, None)
    assert not await passwords.matches(SecretStr(""), None)


async def test_the_same_letters_are_the_same_password_from_every_keyboard() -> None:
    passwords = Passwords(CHEAP)

    hashed = await passwords.hash(SecretStr("caf\u00e9 au lait, s'il vous pla\u00eet"))

    assert await passwords.matches(SecretStr("cafe\u0301 au lait, s'il vous plai\u0302t"), hashed)


async def test_comparing_with_no_hash_costs_what_comparing_with_one_does() -> None:
    passwords = Passwords(OWASP)

    assert extract_parameters(passwords._nobodys) == extract_parameters(await passwords.hash(SECRET))


async def test_beyond_what_may_wait_there_is_a_refusal_at_once_and_room_again_afterwards(
    held: threading.Event,
) -> None:
    passwords = Passwords(CHEAP, at_once=1, waiting_limit=2)
    waiting = [asyncio.create_task(passwords._beside(held.wait)) for _ in range(3)]
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await asyncio.wait_for(passwords.hash(SECRET), 5)
    held.set()
    await asyncio.gather(*waiting)

    assert await passwords.matches(SECRET, await passwords.hash(SECRET))


async def test_whoever_leaves_before_its_turn_makes_room(held: threading.Event) -> None:
    passwords = Passwords(CHEAP, at_once=1, waiting_limit=1)
    running, waiting = [asyncio.create_task(passwords._beside(held.wait)) for _ in range(2)]
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.wait([waiting])
    next_one = asyncio.create_task(passwords.hash(SECRET))
    held.set()

    assert await running
    assert await next_one


async def test_a_flood_of_registrations_is_answered_503_and_the_others_go_on(
    sales: Sales, held: threading.Event
) -> None:
    await register(sales)
    desk = next(thing for thing in sales.service.provides if isinstance(thing, Registration))
    passwords = desk._passwords
    flood = [asyncio.create_task(passwords._beside(held.wait)) for _ in range(passwords._limit)]
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        refusals = [await register(sales, email="ada@example.org"), await log_in(sales)]
    elsewhere = await sales.get("")
    held.set()
    await asyncio.gather(*flood)

    assert [refused(answer) for answer in refusals] == [(503, "OVERLOADED")] * 2
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refusals)
    assert elsewhere.status_code == 200
    assert (await register(sales, email="ada@example.org")).status_code == 201


async def test_whoever_waits_for_a_hash_keeps_no_connection(sales: Sales, held: threading.Event) -> None:
    desk = next(thing for thing in sales.service.provides if isinstance(thing, Registration))
    passwords = desk._passwords
    busy = [asyncio.create_task(passwords._beside(held.wait)) for _ in range(4)]
    await asyncio.sleep(0)

    waiting = [asyncio.create_task(register(sales, email=f"{n}{GRACE}")) for n in range(20)]
    await eventually(lambda: passwords._taken == len(busy) + len(waiting))
    in_use = sales.service.database.engine.pool.checkedout()  # type: ignore[attr-defined]
    held.set()
    answers = await asyncio.gather(*waiting)
    await asyncio.gather(*busy)

    assert in_use == 0
    assert {answer.status_code for answer in answers} == {201}


async def test_a_hash_that_was_made_at_another_cost_is_made_anew_at_log_in(
    sales: Sales, database_url: str, product: FakeProduct
) -> None:
    await register(sales)
    dearer = Cost(memory_kib=128, rounds=2)

    async with running(database_url, product, hashing=dearer) as other:
        answers = await asyncio.gather(log_in(other), log_in(other))
        [row] = await sales.rows("SELECT password_hash FROM customers")
        await session(other)

    assert [answer.status_code for answer in answers] == [200, 200]
    assert extract_parameters(row["password_hash"]).memory_cost == 128
    [still] = await sales.rows("SELECT password_hash FROM customers")
    assert still == row
