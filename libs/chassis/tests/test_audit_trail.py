"""Admins find what was changed, by whom, when; nobody else does, and nobody waits long for it."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from chassis.audit import record
from chassis.broker import InProcessBroker
from chassis.db import Database
from chassis.ids import first_uuid7_at
from chassis.tracing import continue_trace, new_traceparent
from libs.chassis.tests import tiny
from libs.chassis.tests.factories import execute
from libs.chassis.tests.web import as_person, auth, calling

ADMIN = as_person("root", "admin")
URL = "/api/v1/audit"


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    service = replace(tiny.build(database.url, InProcessBroker()), auth=auth(), database=database)
    async with calling(service.app()) as client:
        yield client


async def changed(database: Database, *changes: tuple[str, str, str]) -> None:
    for actor, action, entity_id in changes:
        async with database.begin() as session:
            record(session, actor, action, entity_id)


async def found(client: httpx.AsyncClient, **filters: Any) -> list[tuple[str, str, str]]:
    answer = await client.get(URL, params={name: str(value) for name, value in filters.items()}, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return [(each["actor"], each["action"], each["entity_id"]) for each in answer.json()["items"]]


async def test_an_entry_says_who_changed_what_and_when(client: httpx.AsyncClient, database: Database) -> None:
    trace = new_traceparent()
    with continue_trace(trace):
        async with database.begin() as session:
            record(session, "ada", "product.renamed", "mug", before={"name": "Mug"}, after={"name": "Cup"})

    page = (await client.get(URL, headers=ADMIN)).json()

    [entry] = page["items"]
    assert page["next_cursor"] is None
    assert datetime.fromisoformat(entry.pop("at")) - datetime.now(UTC) < timedelta(minutes=1)
    assert entry.pop("id")
    assert entry == {
        "actor": "ada",
        "action": "product.renamed",
        "entity_type": "product",
        "entity_id": "mug",
        "before": {"name": "Mug"},
        "after": {"name": "Cup"},
        "trace_id": trace[3:35],
    }


RENAMED = ("ada", "product.renamed", "mug")
SOLD_OFF = ("bea", "product.deactivated", "jug")
STOCKED = ("bea", "stock.received", "mug")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [STOCKED, SOLD_OFF, RENAMED]),
        ({"entity_type": "product"}, [SOLD_OFF, RENAMED]),
        ({"entity_id": "mug"}, [STOCKED, RENAMED]),
        ({"actor": "bea"}, [STOCKED, SOLD_OFF]),
        ({"entity_type": "product", "entity_id": "mug"}, [RENAMED]),
        ({"entity_type": "product", "actor": "bea"}, [SOLD_OFF]),
        ({"actor": "ada", "entity_id": "jug"}, []),
        ({"actor": "nobody"}, []),
    ],
)
async def test_it_can_be_narrowed_and_the_newest_comes_first(
    client: httpx.AsyncClient, database: Database, filters: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    await changed(database, RENAMED, SOLD_OFF, STOCKED)

    assert await found(client, **filters) == expected


async def test_it_can_be_narrowed_to_a_time(client: httpx.AsyncClient, database: Database) -> None:
    await changed(database, RENAMED, SOLD_OFF, STOCKED)
    entries = (await client.get(URL, headers=ADMIN)).json()["items"]
    newest, middle, _ = (entry["at"] for entry in entries)

    assert await found(client, at_from=middle) == [STOCKED, SOLD_OFF]
    assert await found(client, at_before=newest) == [SOLD_OFF, RENAMED]
    assert await found(client, at_from=middle, at_before=newest) == [SOLD_OFF]


async def test_an_id_that_was_made_a_while_after_its_time_does_not_hide_it(
    client: httpx.AsyncClient, database: Database
) -> None:
    at = datetime.now(UTC)
    entry = (
        "INSERT INTO audit_log (id, at, actor, action, entity_type, entity_id) VALUES (:id, :at, 'a', 'b.c', 'b', 'd')"
    )
    await execute(database, entry, id=first_uuid7_at(at + timedelta(seconds=4)), at=at)

    assert await found(client, at_from=at, at_before=at + timedelta(seconds=1)) == [("a", "b.c", "d")]


async def test_the_rest_is_on_the_next_pages(client: httpx.AsyncClient, database: Database) -> None:
    async with database.begin() as session:
        for number in range(7):
            record(session, "ada", "product.renamed", number)
    cursor: str | None = None
    pages: list[list[str]] = []

    while cursor or not pages:
        query = {"limit": "3", "actor": "ada", **({"cursor": cursor} if cursor else {})}
        page = (await client.get(URL, params=query, headers=ADMIN)).json()
        pages.append([entry["entity_id"] for entry in page["items"]])
        cursor = page["next_cursor"]

    assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"]]


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ({}, 401, "UNAUTHENTICATED"),
        (as_person("ada", "customer"), 403, "FORBIDDEN"),
        (as_person("wendy", "warehouse"), 403, "FORBIDDEN"),
    ],
)
async def test_nobody_else_may_see_it(
    client: httpx.AsyncClient, who: Mapping[str, str], status: int, code: str
) -> None:
    answer = await client.get(URL, headers=who)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    "query",
    [
        {"actor": ""},
        {"actor": "a" * 201},
        {"entity_id": "x\x00"},
        {"at_from": "yesterday"},
        {"at_from": "2026-01-01T00:00:00"},
        {"at_before": "9999-12-31T23:59:59-12:00"},
        {"at_from": "0001-01-01T00:00:00+12:00"},
        {"cursor": "x"},
        {"limit": 0},
        {"limit": 101},
    ],
)
async def test_what_makes_no_sense_is_refused(client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    answer = await client.get(URL, params=query, headers=ADMIN)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_a_worker_does_not_serve_it(database: Database) -> None:
    service = replace(tiny.build(database.url, InProcessBroker(), role="worker"), auth=auth(), database=database)

    async with calling(service.app()) as client:
        assert (await client.get(URL, headers=ADMIN)).status_code == 404


A_YEAR = """
    INSERT INTO audit_log (id, at, actor, action, entity_type, entity_id)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || substr(md5(n::text), 13))::uuid,
        at, 'actor ' || n % 50, 'kind.changed', 'kind ' || n % 20, 'thing ' || n % 5000
    FROM generate_series(1, 20000) n, LATERAL (SELECT now() - n * interval '25 minutes' AS at) t
"""


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "pk_audit_log"),
        ({"entity_id": "thing 7"}, "ix_audit_log_entity_id_id"),
        ({"entity_id": "thing 7", "entity_type": "kind 7"}, "ix_audit_log_entity_id_id"),
        ({"entity_id": "thing 7", "actor": "actor 7"}, "ix_audit_log_entity_id_id"),
        ({"actor": "actor 7"}, "ix_audit_log_actor_id"),
        ({"entity_type": "kind 7"}, "ix_audit_log_entity_type_id"),
        ({"at_from": True, "at_before": True}, "pk_audit_log"),
        ({"actor": "actor 7", "at_from": True, "at_before": True}, "ix_audit_log_actor_id"),
    ],
)
async def test_a_page_of_many_is_found_in_an_index(
    client: httpx.AsyncClient, database: Database, filters: dict[str, Any], index: str
) -> None:
    await execute(database, A_YEAR)
    await execute(database, "ANALYZE audit_log")
    bounds = {"at_from": datetime.now(UTC) - timedelta(days=90), "at_before": datetime.now(UTC) - timedelta(days=60)}
    filters = {name: bounds[name].isoformat() if value is True else value for name, value in filters.items()}

    plan = await plan_of(database, client.get(URL, params=filters, headers=ADMIN))

    assert index in plan
    assert "Seq Scan" not in plan
    assert ("id >=" in plan, "id <" in plan) == ("at_from" in filters, "at_before" in filters)


async def plan_of(database: Database, asking: Awaitable[httpx.Response]) -> str:
    """How PostgreSQL answers the statement that this request makes."""
    said: list[tuple[str, Any]] = []

    def listen(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        said.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", listen)
    assert (await asking).status_code == 200
    event.remove(database.engine.sync_engine, "before_cursor_execute", listen)
    [(statement, parameters)] = said
    async with database.connect() as connection:
        return "\n".join((await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)).scalars())
