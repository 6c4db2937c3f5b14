"""A request that comes twice under one key is done once and answered alike; another one is refused."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.session import Session
from libs.chassis.tests.factories import column, eventually, noted, outbox
from libs.chassis.tests.idempotency.making import ADA, asked, code, make, router, stored
from libs.chassis.tests.web import application, calling


@pytest.mark.rule("BR-IDEM-001")
async def test_a_repeated_request_gets_the_first_answer_byte_for_byte(
    client: httpx.AsyncClient, database: Database
) -> None:
    first = await make(client, label="ä\u2028")

    again = await make(client, label="ä\u2028")

    assert (first.status_code, first.json()) == (201, {"number": 1, "label": "ä\u2028", "nth": 1})
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["content-type"] == first.headers["content-type"] == "application/json"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await noted(database, "made") == await outbox(database, "test.placed") == [1]


async def test_another_status_and_fields_that_are_left_out_are_repeated_too(client: httpx.AsyncClient) -> None:
    first, again = [await make(client, at="/1/copies") for _ in range(2)]

    assert (first.status_code, first.json()) == (202, {"number": 1, "nth": 1})
    assert (again.status_code, again.content) == (202, first.content)


@pytest.mark.rule("BR-IDEM-001")
async def test_twenty_at_once_are_done_once(client: httpx.AsyncClient, database: Database, replica: Database) -> None:
    async with calling(application(replica, router)) as other:
        answers = await asyncio.gather(*(make((client, other)[n % 2]) for n in range(20)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await noted(database, "made") == await outbox(database, "test.placed") == [1]


CLAIMED = """
    INSERT INTO idempotency_keys (principal, route, key, request_hash) VALUES ('ada', 'POST /api/v1/things', 'key', '')
"""

WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def test_different_keys_do_not_wait_for_each_other(client: httpx.AsyncClient, database: Database) -> None:
    async with database.begin() as session:
        await session.execute(text(CLAIMED))

        answer = await make(client, "another")

    assert answer.status_code == 201


async def test_who_waits_too_long_for_the_first_is_asked_to_come_again(
    client: httpx.AsyncClient, database: Database
) -> None:
    async with database.begin() as session:
        await session.execute(text(CLAIMED))

        answer = await make(client)

        assert code(answer) == (503, "SERVICE_UNAVAILABLE")
        assert answer.headers["retry-after"]
    assert await noted(database, "made") == []


@pytest.mark.rule("BR-IDEM-002")
@pytest.mark.parametrize(
    "other", [{"number": 2}, {"label": "big"}, {"label": ""}, {"tags": {"a": "b"}}, {"tags": {"a": "c", "d": "b"}}]
)
async def test_a_key_is_good_for_one_body_only(
    client: httpx.AsyncClient, database: Database, other: dict[str, Any]
) -> None:
    await make(client, tags={"a": "c"})

    answer = await make(client, **{"tags": {"a": "c"}, **other})

    assert code(answer) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await noted(database, "made") == [1]


async def test_how_the_same_body_is_written_does_not_matter(client: httpx.AsyncClient, database: Database) -> None:
    ways = [
        '{"number": 1, "tags": {"a": "b", "c": "d"}}',
        '{"tags":{"c":"d","\\u0061":"b"},"label":null,"number":1}',
    ]
    headers = {**ADA, "Idempotency-Key": "key", "Content-Type": "application/json"}

    answers = [await client.post("/api/v1/things", content=way, headers=headers) for way in ways]

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert await noted(database, "made") == [1]


@pytest.mark.parametrize("at", ["/2/copies", "/1/copies?label=other"])
async def test_a_key_is_good_for_one_address_only(client: httpx.AsyncClient, database: Database, at: str) -> None:
    await make(client, at="/1/copies")

    answer = await make(client, at=at)

    assert code(answer) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await noted(database, "made") == [1]


async def test_a_body_that_a_route_does_not_declare_is_compared_too(client: httpx.AsyncClient) -> None:
    await make(client, at="/1/copies")

    assert code(await make(client, at="/1/copies", number=2)) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_the_same_key_on_another_route_is_another_key(client: httpx.AsyncClient, database: Database) -> None:
    thing, copy = await make(client), await make(client, at="/1/copies")

    assert (thing.status_code, copy.status_code) == (201, 202)
    assert await noted(database, "made") == [1, 1]


async def test_without_a_key_nothing_is_remembered(client: httpx.AsyncClient, database: Database) -> None:
    answers = [await make(client, None) for _ in range(2)]

    assert [answer.json()["nth"] for answer in answers] == [1, 2]
    assert await stored(database) == []


@pytest.mark.parametrize(("label", "status"), [("too big", 409), ("cursed", 500)])
async def test_a_request_that_failed_leaves_its_key_free(
    client: httpx.AsyncClient, database: Database, label: str, status: int
) -> None:
    first = await make(client, label=label)

    assert first.status_code == status
    assert await stored(database) == []
    assert await noted(database, "made") == await outbox(database, "test.placed") == []
    assert (await make(client, label="fits")).status_code == 201


async def test_who_waited_for_one_that_fails_does_it(client: httpx.AsyncClient, database: Database) -> None:
    first = Session(database.engine)
    await first.execute(text(CLAIMED))
    waiting = asyncio.create_task(make(client))
    await eventually(lambda: column(database, WAITING))

    await first.close()

    assert (await waiting).status_code == 201
    assert await noted(database, "made") == [1]


@pytest.mark.parametrize("key", ["", " ", "a b", "ä".encode(), "k" * 201, "\x7f"])
async def test_a_key_is_short_and_printable(client: httpx.AsyncClient, database: Database, key: str | bytes) -> None:
    headers: Any = {**ADA, "Idempotency-Key": key}

    answer = await client.post("/api/v1/things", json={"number": 1}, headers=headers)

    assert code(answer) == (400, "VALIDATION_ERROR")
    assert await noted(database, "made") == []


async def test_a_journey_that_is_repeated_asks_nobody_again(client: httpx.AsyncClient) -> None:
    asked.clear()

    first, again, other = [await make(client, at="/journeys", number=number) for number in (1, 1, 2)]
    anew = [await make(client, None, at="/journeys", number=3) for _ in range(2)]

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert [answer.status_code for answer in anew] == [201, 201]
    assert asked == [1, 3, 3]


async def test_the_header_is_documented(database: Database) -> None:
    operation = application(database, router).openapi()["paths"]["/api/v1/things"]["post"]

    [header] = operation["parameters"]
    assert (header["name"], header["in"], header["required"]) == ("idempotency-key", "header", False)
    assert "Idempotency-Replayed" in header["description"]
