"""Logging in: whose password it is, and what else is settled with it."""

import asyncio
from datetime import timedelta

import pytest
from argon2 import extract_parameters
from pydantic import SecretStr
from sqlalchemy import text

from chassis.keys import KeyRing
from contracts.sales.customers import LogIn
from sales.customers.log_in import InvalidCredentials, LogIns
from sales.customers.passwords import Passwords
from sales.seed import DEMO_CUSTOMER, DEMO_EMAIL, DEMO_PASSWORD, seed
from services.sales.tests.accounts import ANOTHER, GRACE, HOME, PASSWORD, log_in, refused, register, send, session
from services.sales.tests.factories import CHEAP, PEOPLES_PUBLIC_KEY, Sales, running
from services.sales.tests.fake_product import FakeProduct


async def test_with_the_password_a_customer_gets_a_short_access_token_and_a_refresh_token(sales: Sales) -> None:
    customer_id = (await register(sales)).json()["customer_id"]

    answer = await log_in(sales)

    tokens = answer.json()
    caller = KeyRing({"keys": [PEOPLES_PUBLIC_KEY]}).verify(tokens["access_token"], "product")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert (caller.subject, caller.roles) == (customer_id, frozenset({"customer"}))
    assert (tokens["customer_id"], tokens["token_type"], tokens["expires_in"]) == (customer_id, "Bearer", 600)
    assert (await send(sales, "GET", "/orders", token=tokens["access_token"])).status_code == 200


async def test_the_access_token_lives_as_long_as_is_set(sales: Sales, database_url: str, product: FakeProduct) -> None:
    await register(sales)
    accounts = sales.settings_like().accounts.model_copy(update={"access_lives": timedelta(seconds=-60)})

    async with running(database_url, product, accounts=accounts) as other:
        expired = (await session(other))["access_token"]

    assert refused(await send(sales, "GET", "/orders", token=expired)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("spelling", [GRACE.upper(), f" {GRACE} "])
async def test_the_email_may_be_spelt_in_any_way(sales: Sales, spelling: str) -> None:
    await register(sales)

    assert (await log_in(sales, email=spelling)).status_code == 200


async def test_a_wrong_password_and_an_unknown_email_are_refused_alike(sales: Sales) -> None:
    await register(sales)
    await register(sales, email="no.password@example.org")
    await sales.rows("UPDATE customers SET password_hash = NULL WHERE email LIKE 'no.password%' RETURNING 1")

    answers = [
        await log_in(sales, ANOTHER),
        await log_in(sales, PASSWORD.lower()),
        await log_in(sales, PASSWORD + " "),
        await log_in(sales, email="ada@example.org"),
        await log_in(sales, email="no.password@example.org"),
    ]

    said = [{**answer.json()["error"], "trace_id": ""} for answer in answers]
    assert [refused(answer) for answer in answers] == [(401, "INVALID_CREDENTIALS")] * 5
    assert said == [said[0]] * 5
    assert await sales.count("sessions") == 0


class Counting(Passwords):
    """Remembers what it compared passwords with."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.compared: list[str] = []

    def _verify(self, password_hash: str, password: SecretStr) -> bool:
        self.compared.append(password_hash)
        return super()._verify(password_hash, password)


async def test_an_unknown_email_costs_a_comparison_as_a_known_one_does(sales: Sales) -> None:
    await register(sales)
    passwords = Counting()
    desk = LogIns(sales.service.database, passwords, sales.settings_like().accounts)

    for email in (GRACE, "ada@example.org"):
        with pytest.raises(InvalidCredentials):
            await desk.log_in(LogIn(email=email, password=SecretStr(ANOTHER)), HOME)

    known, unknown = passwords.compared
    assert extract_parameters(known) == extract_parameters(unknown)


async def test_an_erased_customer_cannot_log_in(sales: Sales) -> None:
    await register(sales)
    await sales.rows("UPDATE customers SET status = 'ERASED', email = id, name = '', password_hash = NULL RETURNING 1")

    assert refused(await log_in(sales)) == (401, "INVALID_CREDENTIALS")


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        {"email": GRACE},
        {"email": "nobody", "password": PASSWORD},
        {"email": GRACE, "password": None},
        {"email": GRACE, "password": {"$ne": None}},
        {"email": [GRACE], "password": PASSWORD},
        {"email": GRACE, "password": "x" * 1025},
        {"email": GRACE, "password": PASSWORD, "roles": ["admin"]},
        {"email": GRACE, "password": PASSWORD, "customer_id": "customer_demo"},
        {"email": GRACE, "password": PASSWORD, "cart_token": "x" * 201},
        {"email": GRACE, "password": "\ud800"},
        {"email": GRACE, "password": "a\x00b"},
    ],
)
async def test_bodies_that_are_no_log_in_are_refused(sales: Sales, body: object) -> None:
    await register(sales)

    answer = await send(sales, "POST", "/sessions", body)

    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert PASSWORD not in answer.text


async def test_what_was_in_the_guests_cart_is_in_the_customers(sales: Sales) -> None:
    customer_id = (await register(sales)).json()["customer_id"]
    cart_token = (await send(sales, "POST", "/guest-carts")).json()["cart_token"]
    await sales.rows(
        "INSERT INTO cart_items (id, cart_id, product_id, quantity, name, unit_price, currency)"
        " SELECT gen_random_uuid(), id, 'lamp', 2, 'A lamp', 1999, 'USD' FROM carts WHERE customer_id IS NULL"
        " RETURNING 1"
    )

    await session(sales, cart_token=cart_token)
    await session(sales, cart_token=cart_token)

    carts = await sales.rows(
        "SELECT customer_id, quantity FROM carts LEFT JOIN cart_items ON cart_id = carts.id ORDER BY carts.id"
    )
    assert carts == [{"customer_id": customer_id, "quantity": 2}]


async def test_a_cart_that_never_was_keeps_nobody_out_and_a_wrong_password_takes_no_cart(sales: Sales) -> None:
    await register(sales)
    cart_token = (await send(sales, "POST", "/guest-carts")).json()["cart_token"]

    assert refused(await log_in(sales, ANOTHER, cart_token=cart_token)) == (401, "INVALID_CREDENTIALS")
    assert len(await sales.rows("SELECT 1 FROM carts WHERE customer_id IS NULL")) == 1
    assert (await log_in(sales, cart_token="never-was-one")).status_code == 200


async def test_a_password_that_was_changed_while_it_was_compared_lets_nobody_in(sales: Sales) -> None:
    await register(sales)

    async with sales.service.database.begin() as changing:
        await changing.execute(text("UPDATE customers SET password_set_at = now()"))
        late = asyncio.create_task(log_in(sales))
        assert await sales.waits(late)

    assert refused(await late) == (401, "INVALID_CREDENTIALS")
    assert await sales.count("sessions") == 0


async def test_the_demo_customer_can_log_in_where_the_demo_was_seeded_and_only_there(sales: Sales) -> None:
    assert refused(await log_in(sales, DEMO_PASSWORD, email=DEMO_EMAIL)) == (401, "INVALID_CREDENTIALS")

    for _ in range(2):
        async with sales.service.database.begin() as seeding:
            await seed(seeding)

    tokens = await session(sales, DEMO_PASSWORD, email=DEMO_EMAIL)
    [ada] = await sales.rows("SELECT id, email_verified FROM customers")
    assert tokens["customer_id"] == DEMO_CUSTOMER
    assert ada == {"id": DEMO_CUSTOMER, "email_verified": True}


async def test_seeding_again_does_not_give_back_a_password_that_was_changed(sales: Sales) -> None:
    async with sales.service.database.begin() as seeding:
        await seed(seeding)
    await sales.rows("UPDATE customers SET password_hash = 'another' RETURNING 1")

    async with sales.service.database.begin() as seeding:
        await seed(seeding)

    assert await sales.rows("SELECT password_hash FROM customers") == [{"password_hash": "another"}]
