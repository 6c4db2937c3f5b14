"""A session goes on with refresh tokens, each good for once, and ends when it is ended or when two have the same."""

import asyncio
import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.sales.tests.accounts import listening, refused, register, renew, send, session
from services.sales.tests.factories import Sales, running
from services.sales.tests.fake_product import FakeProduct


@pytest.fixture
async def tokens(sales: Sales) -> dict[str, Any]:
    """Of a customer who is logged in."""
    await register(sales)
    return await session(sales)


async def log_out(sales: Sales, refresh_token: str) -> None:
    assert (await send(sales, "POST", "/sessions/logout", {"refresh_token": refresh_token})).status_code == 204


async def is_over(sales: Sales, refresh_token: str) -> bool:
    answer = await renew(sales, refresh_token)
    assert answer.status_code == 200 or refused(answer) == (401, "UNAUTHENTICATED")
    return answer.status_code == 401


async def test_a_refresh_token_gives_another_pair(sales: Sales, tokens: dict[str, Any]) -> None:
    answer = await renew(sales, tokens["refresh_token"])

    newer = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert newer["customer_id"] == tokens["customer_id"]
    assert newer["refresh_token"] != tokens["refresh_token"]
    assert newer["access_token"] != tokens["access_token"]
    assert (await send(sales, "GET", "/orders", token=newer["access_token"])).status_code == 200
    assert not await is_over(sales, newer["refresh_token"])


async def test_a_refresh_token_holds_384_random_bits_and_is_stored_as_a_hash(
    sales: Sales, tokens: dict[str, Any]
) -> None:
    family, secret = tokens["refresh_token"].split(".")
    others = [await session(sales) for _ in range(3)]

    [row, *_] = await sales.rows("SELECT * FROM sessions ORDER BY started_at")
    assert (len(family), len(secret)) == (22, 43)
    assert len({each["refresh_token"].split(".")[0] for each in [tokens, *others]}) == 4
    assert not any(part in str(row) for part in (family, secret))


async def test_each_renewal_puts_the_end_off(sales: Sales, tokens: dict[str, Any]) -> None:
    newer = (await renew(sales, tokens["refresh_token"])).json()

    end = datetime.fromisoformat(newer["refresh_expires_at"])
    before = datetime.fromisoformat(tokens["refresh_expires_at"])
    [row] = await sales.rows("SELECT expires_at, expires_at - started_at AS lives FROM sessions")
    assert before < end == row["expires_at"]
    assert timedelta(days=30) < row["lives"] < timedelta(days=30, minutes=5)


async def test_whoever_uses_a_retired_token_ends_the_session_for_all_who_have_one(
    sales: Sales, tokens: dict[str, Any]
) -> None:
    newer = (await renew(sales, tokens["refresh_token"])).json()
    newest = (await renew(sales, newer["refresh_token"])).json()

    assert await is_over(sales, tokens["refresh_token"])

    assert await is_over(sales, newest["refresh_token"])
    assert await sales.count("sessions") == 0
    [row] = await sales.rows("SELECT actor, action, before, after FROM audit_log WHERE action LIKE 'session.%'")
    assert row == {
        "actor": "sales",
        "action": "session.reused",
        "before": {"customer_id": tokens["customer_id"]},
        "after": None,
    }


async def test_a_reuse_is_logged_without_the_token(sales: Sales, tokens: dict[str, Any]) -> None:
    await renew(sales, tokens["refresh_token"])

    with listening() as log:
        await renew(sales, tokens["refresh_token"])

    [line] = [json.loads(each) for each in log.getvalue().splitlines() if "refresh_reused" in each]
    assert (line["level"], line["customer_id"]) == ("warning", tokens["customer_id"])
    assert not any(part in log.getvalue() for part in tokens["refresh_token"].split("."))


async def test_the_customers_other_sessions_go_on(sales: Sales, tokens: dict[str, Any]) -> None:
    other = await session(sales)
    await renew(sales, tokens["refresh_token"])

    assert await is_over(sales, tokens["refresh_token"])

    assert not await is_over(sales, other["refresh_token"])


async def test_of_two_renewals_at_once_one_wins_and_the_session_ends(sales: Sales, tokens: dict[str, Any]) -> None:
    async with sales.service.database.begin() as holding:
        await holding.execute(text("SELECT 1 FROM sessions FOR UPDATE"))
        both = [asyncio.create_task(renew(sales, tokens["refresh_token"])) for _ in range(2)]
        assert await sales.waits(*both)

    answers = await asyncio.gather(*both)

    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    assert await is_over(sales, won["refresh_token"])
    assert len(await sales.rows("SELECT 1 FROM audit_log WHERE action = 'session.reused'")) == 1


async def test_of_many_renewals_through_two_replicas_one_wins(
    sales: Sales, tokens: dict[str, Any], database_url: str, product: FakeProduct
) -> None:
    async with running(database_url, product) as other:
        answers = await asyncio.gather(*(renew((sales, other)[n % 2], tokens["refresh_token"]) for n in range(8)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 7}
    assert await sales.count("sessions") == 0


async def test_an_expired_token_is_refused_and_raises_no_alarm(sales: Sales, tokens: dict[str, Any]) -> None:
    await sales.rows("UPDATE sessions SET expires_at = now() RETURNING 1")

    assert await is_over(sales, tokens["refresh_token"])

    assert await sales.rows("SELECT 1 FROM audit_log WHERE action LIKE 'session.%'") == []


@pytest.mark.parametrize(
    "token", ["x", ".", "x.y", "x" * 200, "é", "\ud800", "00000000-0000-7000-8000-000000000000.x", "' OR 1=1 --"]
)
async def test_what_never_was_a_token_is_refused(sales: Sales, tokens: dict[str, Any], token: str) -> None:
    answer = await renew(sales, token)

    assert refused(answer) in [(401, "UNAUTHENTICATED"), (400, "VALIDATION_ERROR")]
    assert not await is_over(sales, tokens["refresh_token"])


@pytest.mark.parametrize("body", [{}, None, {"refresh_token": ""}, {"refresh_token": 7}, {"refresh_token": "x" * 201}])
@pytest.mark.parametrize("path", ["renewal", "logout"])
async def test_bodies_without_a_token_are_refused(sales: Sales, path: str, body: object) -> None:
    assert refused(await send(sales, "POST", f"/sessions/{path}", body)) == (400, "VALIDATION_ERROR")


async def test_an_access_token_renews_nothing(sales: Sales, tokens: dict[str, Any]) -> None:
    assert refused(await renew(sales, tokens["access_token"][:200])) == (401, "UNAUTHENTICATED")


async def test_logging_out_ends_the_session_and_can_be_repeated(sales: Sales, tokens: dict[str, Any]) -> None:
    other = await session(sales)

    await log_out(sales, tokens["refresh_token"])
    await log_out(sales, tokens["refresh_token"])

    assert await is_over(sales, tokens["refresh_token"])
    assert not await is_over(sales, other["refresh_token"])


async def test_a_retired_token_logs_out_too(sales: Sales, tokens: dict[str, Any]) -> None:
    newer = (await renew(sales, tokens["refresh_token"])).json()

    await log_out(sales, tokens["refresh_token"])

    assert await is_over(sales, newer["refresh_token"])


async def test_a_renewal_that_waited_for_a_log_out_comes_too_late(sales: Sales, tokens: dict[str, Any]) -> None:
    async with sales.service.database.begin() as ending:
        await ending.execute(text("DELETE FROM sessions"))
        late = asyncio.create_task(renew(sales, tokens["refresh_token"]))
        assert await sales.waits(late)

    assert refused(await late) == (401, "UNAUTHENTICATED")


async def test_logging_out_everywhere_ends_all_of_the_customers_sessions_and_nobody_elses(
    sales: Sales, tokens: dict[str, Any]
) -> None:
    mine = [tokens, await session(sales)]
    await register(sales, email="ada@example.org")
    adas = await session(sales, email="ada@example.org")

    assert (await send(sales, "DELETE", "/sessions", token=tokens["access_token"])).status_code == 204

    assert [await is_over(sales, each["refresh_token"]) for each in mine] == [True, True]
    assert not await is_over(sales, adas["refresh_token"])


async def test_nobody_logs_others_out_everywhere(sales: Sales, tokens: dict[str, Any]) -> None:
    assert refused(await send(sales, "DELETE", "/sessions")) == (401, "UNAUTHENTICATED")
    assert refused(await send(sales, "DELETE", "/sessions", token="x.y.z")) == (401, "UNAUTHENTICATED")
    async with sales.client("staff", "warehouse") as client:
        assert refused(await client.delete("/api/v1/sessions")) == (403, "FORBIDDEN")

    assert not await is_over(sales, tokens["refresh_token"])
