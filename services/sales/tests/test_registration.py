"""How somebody becomes a customer, and what keeps others from it (SEQ-REG-001)."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from chassis.steps import record
from contracts.sales.customers import Register
from sales.customers.registration import Registration
from services.sales.tests.accounts import GRACE, PASSWORD, form, refused, register, send
from services.sales.tests.factories import Sales, running
from services.sales.tests.fake_product import FakeProduct


@pytest.mark.rule("BR-REG-003")
async def test_whoever_registers_has_an_account_an_empty_cart_and_a_mail_on_its_way(sales: Sales) -> None:
    answer = await register(sales, language="de")

    customer_id = answer.json()["customer_id"]
    [event] = await sales.published()
    [cart] = await sales.rows("SELECT * FROM carts")
    assert answer.status_code == 201
    assert answer.json() == {"customer_id": customer_id, "status": "REGISTERED", "email_verified": False}
    assert cart["customer_id"] == customer_id
    assert await sales.count("cart_items") == 0
    assert event["event_type"] == "customer.registered"
    assert event["data"] | {"token_id": "", "expires_at": ""} == {
        "customer_id": customer_id,
        "email": GRACE,
        "name": "Grace Example",
        "language": "de",
        "token_id": "",
        "expires_at": "",
    }


async def test_the_steps_are_those_of_the_design(sales: Sales) -> None:
    with record() as recording:
        await register(sales)

    steps = [(each.caller, each.participant, each.action, each.emits) for each in recording.steps]
    assert [each for each in steps if each[1].startswith("Customer")] == [
        (None, "CustomerService", "submitRegistration", ()),
        ("CustomerService", "CustomerAggregate", "validateEmailUniqueness", ()),
        ("CustomerService", "CustomerService", "validatePasswordStrength", ()),
        ("CustomerService", "CustomerAggregate", "register", ("CustomerRegistered",)),
    ]


async def test_the_audit_says_that_somebody_registered_and_not_who(sales: Sales) -> None:
    customer_id = (await register(sales)).json()["customer_id"]

    [row] = await sales.rows("SELECT actor, action, entity_id, before, after FROM audit_log")
    assert row == {
        "actor": customer_id,
        "action": "customer.registered",
        "entity_id": customer_id,
        "before": None,
        "after": {"status": "REGISTERED"},
    }


async def test_mails_are_in_english_unless_something_else_is_wanted(sales: Sales) -> None:
    await register(sales)

    assert [event["data"]["language"] for event in await sales.published()] == ["en"]
    assert refused(await register(sales, email="ada@example.org", language="xx")) == (400, "VALIDATION_ERROR")


@pytest.mark.rule("BR-REG-001")
@pytest.mark.parametrize("spelling", [GRACE, GRACE.upper(), f"  {GRACE}\t", "Grace@Example.ORG\r\n"])
async def test_an_email_is_one_accounts_however_it_is_spelt(sales: Sales, spelling: str) -> None:
    await register(sales)

    again = await register(sales, email=spelling)

    assert refused(again) == (409, "EMAIL_ALREADY_REGISTERED")
    assert await sales.count("customers") == await sales.count("carts") == await sales.count("outbox") == 1


@pytest.mark.rule("BR-REG-001")
async def test_of_many_at_once_one_gets_the_account(sales: Sales) -> None:
    answers = await asyncio.gather(*(register(sales, email=[GRACE, GRACE.upper()][n % 2]) for n in range(10)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    assert {refused(answer)[1] for answer in answers if answer.status_code == 409} == {"EMAIL_ALREADY_REGISTERED"}
    assert await sales.count("customers") == await sales.count("carts") == await sales.count("outbox") == 1


async def test_who_looked_before_the_other_had_registered_is_refused_after_all(sales: Sales) -> None:
    desk = next(thing for thing in sales.service.provides if isinstance(thing, Registration))

    async with sales.service.database.begin() as ahead:
        await desk.submit(ahead, Register.model_validate(form()), "hash")
        late = asyncio.create_task(register(sales))
        assert await sales.waits(late)

    assert refused(await late) == (409, "EMAIL_ALREADY_REGISTERED")
    assert await sales.count("customers") == await sales.count("outbox") == 1


async def test_a_registration_that_is_undone_leaves_the_email_free(sales: Sales) -> None:
    desk = next(thing for thing in sales.service.provides if isinstance(thing, Registration))

    with suppress(ZeroDivisionError):
        async with sales.service.database.begin() as ahead:
            await desk.submit(ahead, Register.model_validate(form()), "hash")
            late = asyncio.create_task(register(sales))
            assert await sales.waits(late)
            raise ZeroDivisionError

    assert (await late).status_code == 201


KEY = "a key that is long enough to share".replace(" ", "-")


async def test_the_same_request_with_its_key_registers_once(sales: Sales) -> None:
    first = await register(sales, key=KEY)

    again = await register(sales, key=KEY)
    other = await register(sales, key=KEY, name="Ada Example")

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert refused(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await sales.count("customers") == await sales.count("outbox") == 1


async def test_a_refused_registration_leaves_its_key_free(sales: Sales) -> None:
    assert refused(await register(sales, key=KEY, password="short")) == (400, "WEAK_PASSWORD")

    assert (await register(sales, key=KEY)).status_code == 201


EMAILS = [
    "",
    "grace",
    "grace@",
    "@example.org",
    "grace@example",
    "grace@@example.org",
    "gr ace@example.org",
    "grace@exam ple.org",
    "grace@example.org\r\nBcc: everyone@example.org",
    "grace\n@example.org",
    "grace@example.org\x00",
    "grace@example..org",
    ".grace@example.org",
    "grace.@example.org",
    "gr..ace@example.org",
    "grace@-example.org",
    "grace@example-.org",
    "grace@[127.0.0.1]",
    "grace@127.0.0.1",
    '"grace"@example.org',
    "Grace <grace@example.org>",
    "grace@example.org,ada@example.org",
    "gräce@example.org",
    "grace@exämple.org",
    "x" * 65 + "@example.org",
    "grace@" + "x" * 64 + ".org",
    "grace@" + ".".join(["x" * 49] * 5) + ".org",
    7,
    None,
    ["grace@example.org"],
]


@pytest.mark.parametrize("email", EMAILS, ids=map(str, range(len(EMAILS))))
async def test_what_is_no_email_is_refused(sales: Sales, email: object) -> None:
    answer = await register(sales, email=email)

    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "email"
    assert await sales.count("customers") == 0


@pytest.mark.parametrize(
    "email", ["grace.m+shop_1@mail.example.co.uk", "o'brien@example.org", "x" * 64 + "@example.org", "a@b.xn--p1ai"]
)
async def test_what_is_an_email_is_taken(sales: Sales, email: str) -> None:
    assert (await register(sales, email=email)).status_code == 201


BODIES: dict[str, Any] = {
    "no password": {key: value for key, value in form().items() if key != "password"},
    "password as a number": form(password=123456789012345),
    "password of nothing": form(password=""),
    "password without end": form(password="x" * 1025),
    "name of blanks": form(name="  "),
    "name on two lines": form(name="Grace\r\nBcc: everyone@example.org"),
    "name with a paragraph separator": form(name="Grace\u2029Example"),
    "name too long": form(name="x" * 201),
    "status": form(status="ADMIN"),
    "email_verified": form(email_verified=True),
    "roles": form(roles=["admin"]),
    "customer_id": form(customer_id="customer_demo"),
    "a list": [],
    "nothing": None,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_bodies_that_are_no_registration_are_refused(sales: Sales, body: object) -> None:
    answer = await send(sales, "POST", "/customers", body)

    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert PASSWORD not in answer.text
    assert await sales.count("customers") == 0


async def test_two_replicas_give_one_account(sales: Sales, database_url: str, product: FakeProduct) -> None:
    async with running(database_url, product) as other:
        answers = await asyncio.gather(*(register((sales, other)[n % 2]) for n in range(6)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 5}
