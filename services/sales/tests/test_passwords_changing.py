"""Another password: with a token from the mail, or with the old one; and what ends with the old one."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.sales.tests.accounts import (
    ANOTHER,
    ELSEWHERE,
    GRACE,
    PASSWORD,
    ask,
    log_in,
    mailed,
    refused,
    register,
    renew,
    reset_token,
    send,
    session,
)
from services.sales.tests.factories import Sales

ASKED = {"message": "If there is an account with this e-mail, a mail is on its way."}


async def reset(sales: Sales, token: str, password: str = ANOTHER) -> httpx.Response:
    return await send(sales, "POST", "/customers/password-resets", {"token": token, "new_password": password})


async def change(sales: Sales, access_token: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
    body = {"password": password, "new_password": ANOTHER, **more}
    return await send(sales, "PUT", "/customers/me/password", body, token=access_token)


async def audited(sales: Sales) -> list[str]:
    return [row["action"] for row in await sales.rows("SELECT action FROM audit_log ORDER BY id")]


async def test_with_the_token_from_the_mail_there_is_another_password_and_every_session_ends(sales: Sales) -> None:
    await register(sales)
    sessions = [await session(sales), await session(sales)]

    answer = await reset(sales, await reset_token(sales))

    assert (answer.status_code, answer.content) == (204, b"")
    assert [(await renew(sales, each["refresh_token"])).status_code for each in sessions] == [401, 401]
    assert refused(await log_in(sales, PASSWORD)) == (401, "INVALID_CREDENTIALS")
    assert (await log_in(sales, ANOTHER)).status_code == 200
    assert await audited(sales) == ["customer.registered", "customer.password_reset", "customer.email_verified"]


async def test_whoever_reads_the_mail_has_proven_the_email(sales: Sales) -> None:
    await register(sales)

    await reset(sales, await reset_token(sales))

    assert await sales.rows("SELECT email_verified FROM customers") == [{"email_verified": True}]


async def test_a_token_is_good_for_one_password(sales: Sales) -> None:
    await register(sales)
    token = await reset_token(sales)
    await reset(sales, token)

    assert refused(await reset(sales, token, PASSWORD)) == (400, "INVALID_TOKEN")
    assert refused(await log_in(sales, PASSWORD)) == (401, "INVALID_CREDENTIALS")


async def test_after_it_was_used_another_can_be_asked_for(sales: Sales) -> None:
    await register(sales)
    await reset(sales, await reset_token(sales))

    assert (await reset(sales, await reset_token(sales), PASSWORD)).status_code == 204
    assert (await log_in(sales, PASSWORD)).status_code == 200
    assert (await audited(sales)).count("customer.email_verified") == 1


async def test_whoever_is_being_erased_gets_no_password_any_more(sales: Sales) -> None:
    await register(sales)
    token = await reset_token(sales)

    async with sales.service.database.begin() as erasing:
        await erasing.execute(
            text("UPDATE customers SET status = 'ERASED', email = id, name = '', password_hash = NULL")
        )
        late = asyncio.create_task(reset(sales, token))
        assert await sales.waits(late)

    assert refused(await late) == (400, "INVALID_TOKEN")


async def test_of_many_at_once_with_one_token_one_sets_the_password(sales: Sales) -> None:
    await register(sales)
    token = await reset_token(sales)
    wanted = [f"{ANOTHER}, number {n}" for n in range(5)]

    answers = await asyncio.gather(*(reset(sales, token, each) for each in wanted))

    [won] = [password for password, answer in zip(wanted, answers, strict=True) if answer.status_code == 204]
    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 4}
    assert (await log_in(sales, won)).status_code == 200


async def test_a_weak_password_is_refused_and_does_not_cost_the_token(sales: Sales) -> None:
    await register(sales)
    token = await reset_token(sales)

    weak = await reset(sales, token, "grace1234567")

    assert refused(weak) == (400, "WEAK_PASSWORD")
    assert {detail["field"] for detail in weak.json()["error"]["details"]} == {"new_password"}
    assert (await reset(sales, token)).status_code == 204


async def test_it_lives_for_an_hour(sales: Sales) -> None:
    await register(sales)
    token = await reset_token(sales)
    [event] = await sales.published("customer.password_reset_requested")
    lives = datetime.fromisoformat(event["data"]["expires_at"]) - datetime.fromisoformat(event["timestamp"])
    await sales.rows("UPDATE mail_tokens SET expires_at = now() RETURNING 1")

    assert timedelta(minutes=59) < lives < timedelta(minutes=61)
    assert refused(await reset(sales, token)) == (400, "INVALID_TOKEN")


async def test_a_newer_one_supersedes_it(sales: Sales) -> None:
    await register(sales)
    older, newer = await reset_token(sales), await reset_token(sales)

    assert refused(await reset(sales, older)) == (400, "INVALID_TOKEN")
    assert (await reset(sales, newer)).status_code == 204


async def test_one_that_proves_an_email_sets_no_password(sales: Sales) -> None:
    await register(sales)
    [token] = await mailed(sales, "customer.registered")

    assert refused(await reset(sales, token)) == (400, "INVALID_TOKEN")
    assert (await log_in(sales)).status_code == 200


@pytest.mark.parametrize("path", ["password-reset-requests", "verification-requests"])
async def test_asking_is_answered_alike_and_does_the_same_for_known_and_unknown_emails(sales: Sales, path: str) -> None:
    await register(sales)
    rows = "SELECT (SELECT count(*) FROM mail_requests) AS waiting, (SELECT count(*) FROM outbox) AS told"

    known, after_known = await ask(sales, path), await sales.rows(rows)
    unknown, after_unknown = await ask(sales, path, "ada@example.org"), await sales.rows(rows)

    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (202, ASKED)
    assert (after_known, after_unknown) == ([{"waiting": 1, "told": 1}], [{"waiting": 2, "told": 1}])
    assert await sales.run("answer_mail_requests") == 2
    assert await sales.rows(rows) == [{"waiting": 0, "told": 2}]


@pytest.mark.parametrize("path", ["password-reset-requests", "verification-requests"])
@pytest.mark.parametrize("email", ["", "nobody", None, f"{GRACE}\r\nBcc: ada@example.org"])
async def test_what_is_no_email_is_refused(sales: Sales, path: str, email: Any) -> None:
    assert refused(await ask(sales, path, email)) == (400, "VALIDATION_ERROR")


async def test_replicas_answer_each_request_once(sales: Sales) -> None:
    await register(sales)
    await ask(sales, "password-reset-requests")

    assert sorted(await asyncio.gather(*(sales.run("answer_mail_requests") for _ in range(4)))) == [0, 0, 0, 1]
    assert len(await sales.published("customer.password_reset_requested")) == 1


async def test_a_request_that_another_replica_answers_holds_up_no_other(sales: Sales) -> None:
    await register(sales)
    await ask(sales, "password-reset-requests")
    [request] = await sales.rows("SELECT id FROM mail_requests")
    await ask(sales, "verification-requests")

    async with sales.holding("mail_requests", request["id"]), asyncio.timeout(5):
        assert await sales.run("answer_mail_requests") == 1

    assert [event["event_type"] for event in (await sales.published())[1:]] == ["customer.verification_requested"]
    assert await sales.run("answer_mail_requests") == 1


async def test_with_the_old_one_there_is_another_password_and_the_other_sessions_end(sales: Sales) -> None:
    await register(sales)
    mine, other = await session(sales), await session(sales)

    answer = await change(sales, mine["access_token"], refresh_token=mine["refresh_token"])

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await renew(sales, other["refresh_token"])).status_code == 401
    assert (await renew(sales, mine["refresh_token"])).status_code == 200
    assert refused(await log_in(sales, PASSWORD)) == (401, "INVALID_CREDENTIALS")
    assert (await log_in(sales, ANOTHER)).status_code == 200
    assert await audited(sales) == ["customer.registered", "customer.password_changed"]


async def test_a_change_that_names_no_session_of_theirs_ends_all(sales: Sales) -> None:
    await register(sales)
    mine = await session(sales)
    await register(sales, email="ada@example.org")
    adas = await session(sales, email="ada@example.org")

    assert (await change(sales, mine["access_token"], refresh_token=adas["refresh_token"])).status_code == 204

    assert (await renew(sales, mine["refresh_token"])).status_code == 401
    assert (await renew(sales, adas["refresh_token"])).status_code == 200


async def test_without_the_old_one_nothing_changes(sales: Sales) -> None:
    await register(sales)
    mine = await session(sales)

    assert refused(await change(sales, mine["access_token"], "not the password")) == (401, "INVALID_CREDENTIALS")

    assert (await log_in(sales, PASSWORD)).status_code == 200
    assert (await renew(sales, mine["refresh_token"])).status_code == 200


async def test_a_weak_one_is_refused(sales: Sales) -> None:
    await register(sales)
    mine = await session(sales)

    weak = await change(sales, mine["access_token"], new_password="short")

    assert refused(weak) == (400, "WEAK_PASSWORD")
    assert (await log_in(sales, PASSWORD)).status_code == 200


async def test_of_two_changes_at_once_one_holds(sales: Sales) -> None:
    await register(sales)
    mine = (await session(sales))["access_token"]
    wanted = [f"{ANOTHER}, number {n}" for n in range(4)]

    async with sales.service.database.begin() as holding:
        await holding.execute(text("SELECT 1 FROM customers FOR UPDATE"))
        changes = [asyncio.create_task(change(sales, mine, new_password=each)) for each in wanted]
        assert await sales.waits(*changes)
    answers = await asyncio.gather(*changes)

    [won] = [password for password, answer in zip(wanted, answers, strict=True) if answer.status_code == 204]
    assert Counter(answer.status_code for answer in answers) == {204: 1, 401: 3}
    assert (await log_in(sales, won)).status_code == 200


async def test_only_a_customer_changes_a_password(sales: Sales) -> None:
    body = {"password": PASSWORD, "new_password": ANOTHER}

    assert refused(await send(sales, "PUT", "/customers/me/password", body)) == (401, "UNAUTHENTICATED")
    async with sales.client("staff", "admin") as client:
        assert refused(await client.put("/api/v1/customers/me/password", json=body)) == (403, "FORBIDDEN")
    async with sales.client("nobody-any-more") as client:
        assert refused(await client.put("/api/v1/customers/me/password", json=body)) == (401, "UNAUTHENTICATED")


async def test_an_address_from_which_the_password_was_reset_is_a_known_one(sales: Sales) -> None:
    await register(sales)
    token = await reset_token(sales)

    body = {"token": token, "new_password": ANOTHER}
    await send(sales, "POST", "/customers/password-resets", body, address=ELSEWHERE)

    assert await sales.count("known_addresses") == 1
