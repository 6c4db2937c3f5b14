"""Nobody but who made a request is given its answer, and no more is kept of them than that."""

import httpx
import pytest

from chassis.db import Database
from chassis.idempotency import forget_keys
from libs.chassis.tests.factories import column, noted
from libs.chassis.tests.idempotency.making import ADA, BEA, UUID_KEY, code, make, stored


@pytest.mark.rule("BR-IDEM-002")
async def test_the_same_key_of_another_caller_is_another_key(client: httpx.AsyncClient, database: Database) -> None:
    adas, beas = await make(client), await make(client, who=BEA)

    assert (adas.json()["nth"], beas.json()["nth"]) == (1, 2)
    assert (await make(client, who=BEA)).content == beas.content
    assert await noted(database, "made") == [1, 1]


async def test_no_secret_is_kept_nor_anything_made_of_it(client: httpx.AsyncClient, database: Database) -> None:
    first = await make(client, password="correct horse")

    again = await make(client, password="battery staple")

    assert (again.status_code, again.content) == (201, first.content)


async def test_without_a_token_the_key_has_to_be_one_that_nobody_guesses(
    client: httpx.AsyncClient, database: Database
) -> None:
    guessed = await make(client, at="/anonymous", who={})

    first, again = [await make(client, UUID_KEY, at="/anonymous", who={}) for _ in range(2)]

    assert code(guessed) == (400, "VALIDATION_ERROR")
    assert guessed.json()["error"]["details"][0]["field"] == "Idempotency-Key"
    assert (again.status_code, again.content) == (201, first.content)
    assert await noted(database, "made") == [1]


async def test_who_has_no_token_can_be_known_by_something_else_which_is_not_kept(
    client: httpx.AsyncClient, database: Database
) -> None:
    answers = [await make(client, at=f"/anonymous?cart={cart}", who={}) for cart in ("cart-a", "cart-b", "cart-a")]

    assert [answer.json()["nth"] for answer in answers] == [1, 2, 1]
    assert answers[0].content == answers[2].content
    assert all("cart" not in who for who in await column(database, "SELECT principal FROM idempotency_keys"))


async def test_on_an_open_route_a_callers_keys_are_theirs_too(client: httpx.AsyncClient) -> None:
    answers = [await make(client, at="/anonymous", who=who) for who in (ADA, BEA, ADA)]

    assert [answer.json()["nth"] for answer in answers] == [1, 2, 1]


async def test_a_token_that_is_not_valid_is_no_anonymous_caller(client: httpx.AsyncClient) -> None:
    answer = await make(client, UUID_KEY, at="/anonymous", who={"Authorization": "Bearer forged"})

    assert code(answer) == (401, "UNAUTHENTICATED")


async def test_whoever_is_erased_takes_their_answers_along(client: httpx.AsyncClient, database: Database) -> None:
    await make(client, "adas")
    await make(client, "beas", who=BEA)
    await make(client, "cart", at="/anonymous?cart=cart-a", who={})

    async with database.begin() as session:
        await forget_keys(session, "ada", "cart-a")

    assert await stored(database) == ["beas"]
