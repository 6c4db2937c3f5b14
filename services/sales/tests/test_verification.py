"""Proving an e-mail with the token that was mailed to it: once, in time, the newest one."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contracts.mail_tokens import MailPurpose, mail_token
from services.sales.tests.accounts import GRACE, ask, mailed, refused, register, reset_token, send
from services.sales.tests.factories import MAIL_SECRET, Sales, running
from services.sales.tests.fake_product import FakeProduct

ASKED = {"message": "If there is an account with this e-mail, a mail is on its way."}


async def verify(sales: Sales, token: Any) -> httpx.Response:
    return await send(sales, "POST", "/customers/verifications", {"token": token})


async def is_verified(sales: Sales) -> bool:
    [row] = await sales.rows("SELECT email_verified FROM customers")
    return bool(row["email_verified"])


@pytest.mark.rule("BR-REG-003")
async def test_the_token_from_the_mail_proves_the_email(sales: Sales) -> None:
    customer_id = (await register(sales)).json()["customer_id"]
    [token] = await mailed(sales, "customer.registered")

    answer = await verify(sales, token)

    [row] = await sales.rows("SELECT actor, before, after FROM audit_log WHERE action = 'customer.email_verified'")
    assert answer.status_code == 200
    assert answer.json() == {"customer_id": customer_id, "status": "REGISTERED", "email_verified": True}
    assert await is_verified(sales)
    assert row == {"actor": customer_id, "before": {"email_verified": False}, "after": {"email_verified": True}}


@pytest.mark.rule("BR-REG-004")
async def test_a_token_is_good_for_once(sales: Sales) -> None:
    await register(sales)
    [token] = await mailed(sales, "customer.registered")
    await verify(sales, token)

    assert refused(await verify(sales, token)) == (400, "INVALID_TOKEN")


async def test_of_many_at_once_with_one_token_one_gets_it(sales: Sales) -> None:
    await register(sales)
    [token] = await mailed(sales, "customer.registered")

    answers = await asyncio.gather(*(verify(sales, token) for _ in range(6)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 5}


@pytest.mark.rule("BR-REG-004")
async def test_it_lives_for_a_day(sales: Sales) -> None:
    await register(sales)
    [token], [event] = await mailed(sales, "customer.registered"), await sales.published()
    ends = datetime.fromisoformat(event["data"]["expires_at"]) - datetime.fromisoformat(event["timestamp"])
    await sales.rows("UPDATE mail_tokens SET expires_at = now() RETURNING 1")

    assert timedelta(hours=23, minutes=59) < ends < timedelta(hours=24, minutes=1)
    assert refused(await verify(sales, token)) == (400, "INVALID_TOKEN")
    assert not await is_verified(sales)


async def test_how_long_it_lives_can_be_set(sales: Sales, database_url: str, product: FakeProduct) -> None:
    accounts = sales.settings_like().accounts.model_copy(update={"verification_lives": timedelta(0)})
    async with running(database_url, product, accounts=accounts) as other:
        await register(other)

    [token] = await mailed(sales, "customer.registered")
    assert refused(await verify(sales, token)) == (400, "INVALID_TOKEN")


@pytest.mark.rule("BR-REG-004")
async def test_a_newer_one_supersedes_it(sales: Sales) -> None:
    await register(sales)
    assert (await ask(sales, "verification-requests")).json() == ASKED
    await sales.run("answer_mail_requests")
    [older] = await mailed(sales, "customer.registered")
    [newer] = await mailed(sales, "customer.verification_requested")

    assert refused(await verify(sales, older)) == (400, "INVALID_TOKEN")
    assert (await verify(sales, newer)).status_code == 200


@pytest.mark.rule("BR-REG-004")
async def test_one_for_another_purpose_proves_nothing_and_stays_good(sales: Sales) -> None:
    await register(sales)
    token = await reset_token(sales)

    assert refused(await verify(sales, token)) == (400, "INVALID_TOKEN")

    body = {"token": token, "new_password": "A ship in port is not what ships are for"}
    assert (await send(sales, "POST", "/customers/password-resets", body)).status_code == 204


async def test_what_the_database_and_the_events_hold_makes_no_token(sales: Sales) -> None:
    await register(sales)
    [event] = await sales.published()
    [row] = await sales.rows("SELECT * FROM mail_tokens")
    token_id = event["data"]["token_id"]

    forged = [
        token_id,
        f"{token_id}.",
        row["token_hash"].hex(),
        mail_token("another secret", MailPurpose.VERIFICATION, token_id),
        mail_token(MAIL_SECRET, MailPurpose.PASSWORD_RESET, token_id),
        mail_token(MAIL_SECRET, MailPurpose.VERIFICATION, uuid4()),
    ]

    assert [refused(await verify(sales, each)) for each in forged] == [(400, "INVALID_TOKEN")] * len(forged)
    assert not await is_verified(sales)


@pytest.mark.parametrize("token", ["", None, 7, ["x"], "x" * 201])
async def test_what_cannot_be_a_token_is_refused(sales: Sales, token: object) -> None:
    assert refused(await verify(sales, token)) == (400, "VALIDATION_ERROR")


async def test_who_has_proven_the_email_gets_no_other_mail(sales: Sales) -> None:
    await register(sales)
    await verify(sales, (await mailed(sales, "customer.registered"))[0])

    assert (await ask(sales, "verification-requests")).json() == ASKED
    await sales.run("answer_mail_requests")

    assert await sales.published("customer.verification_requested") == []


async def test_an_erased_customers_token_proves_nothing(sales: Sales) -> None:
    await register(sales)
    [token] = await mailed(sales, "customer.registered")
    await sales.rows("UPDATE customers SET status = 'ERASED', email = id, name = '', password_hash = NULL RETURNING 1")

    assert refused(await verify(sales, token)) == (400, "INVALID_TOKEN")


async def test_the_mail_that_is_asked_for_again_names_its_customer(sales: Sales) -> None:
    customer_id = (await register(sales, language="de")).json()["customer_id"]

    await ask(sales, "verification-requests", f"  {GRACE.upper()}")
    assert await sales.run("answer_mail_requests") == 1

    [event] = await sales.published("customer.verification_requested")
    assert {key: event["data"][key] for key in ("customer_id", "email", "name", "language")} == {
        "customer_id": customer_id,
        "email": GRACE,
        "name": "Grace Example",
        "language": "de",
    }
