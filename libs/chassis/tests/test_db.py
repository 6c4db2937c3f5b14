"""A transaction is over before its answer leaves, and a database that is away, or only busy, is called by its name."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from chassis.db import Database, Transaction
from chassis.edge import install
from chassis.engine import DatabaseAway, describe
from chassis.errors import NotFound, Unavailable
from chassis.outbox import publish
from chassis.telemetry import Telemetry
from libs.chassis.tests.factories import DatabaseWire, Placed, column, execute, note, noted, outbox

router = APIRouter()


@router.post("/effects/{number}", status_code=201)
async def make_effect(number: int, session: Transaction) -> dict[str, int]:
    await note(session, "placed", number)
    publish(session, Placed(number=number))
    return {"number": number}


@router.post("/refusals/{number}", status_code=201)
async def refuse(number: int, session: Transaction) -> None:
    await note(session, "placed", number)
    publish(session, Placed(number=number))
    raise NotFound("There is nothing.")


def app_on(database: Database) -> FastAPI:
    app = FastAPI()
    app.state.database = database
    install(app, telemetry=Telemetry("test"))
    app.include_router(router)
    return app


class Client:
    """Speaks plain ASGI, which alone shows what has left before the dependencies were done."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def post(self, path: str) -> list[MutableMapping[str, Any]]:
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": [],
            "client": ("test", 1),
            "server": ("test", 80),
        }
        await self._app(scope, receive, send)
        return sent


def status(sent: list[MutableMapping[str, Any]]) -> int:
    [start] = [each for each in sent if each["type"] == "http.response.start"]
    status: int = start["status"]
    return status


def body(sent: list[MutableMapping[str, Any]]) -> bytes:
    return b"".join(each.get("body", b"") for each in sent)


async def test_a_change_and_its_event_are_there_when_the_answer_is(database: Database) -> None:
    sent = await Client(app_on(database)).post("/effects/7")

    assert status(sent) == 201
    assert await noted(database) == [7]
    assert await outbox(database, "test.placed") == [7]


async def test_what_fails_at_the_commit_is_never_answered_as_done(database: Database) -> None:
    await execute(database, "ALTER TABLE effects ADD CONSTRAINT once UNIQUE (number) DEFERRABLE INITIALLY DEFERRED")
    client = Client(app_on(database))
    assert status(await client.post("/effects/7")) == 201

    sent = await client.post("/effects/7")

    assert [status(sent)] == [500]
    assert await noted(database) == [7]
    assert await outbox(database, "test.placed") == [7]


async def test_a_refusal_undoes_everything(database: Database) -> None:
    sent = await Client(app_on(database)).post("/refusals/7")

    assert status(sent) == 404
    assert await noted(database) == []
    assert await outbox(database, "test.placed") == []


async def test_while_the_database_is_away_requests_are_told_so_and_served_again_when_it_is_back(
    fragile: Database, wire: DatabaseWire
) -> None:
    client = Client(app_on(fragile))
    assert status(await client.post("/effects/1")) == 201

    wire.go_away()
    for number in (2, 3):
        sent = await client.post(f"/effects/{number}")
        assert status(sent) == 503
        assert b'"SERVICE_UNAVAILABLE"' in body(sent)

    wire.come_back()
    assert status(await client.post("/effects/4")) == 201
    assert await noted(fragile) == [1, 4]


async def test_a_connection_that_the_server_has_ended_is_not_used_again(database: Database, replica: Database) -> None:
    client = Client(app_on(database))
    assert status(await client.post("/effects/1")) == 201

    killed = await column(
        replica, "SELECT 1 FROM pg_stat_activity, pg_terminate_backend(pid) WHERE application_name = 'test'"
    )
    await asyncio.sleep(0.05)

    assert killed
    assert status(await client.post("/effects/2")) == 201


async def test_a_database_that_is_lost_in_the_middle_is_away(fragile: Database, wire: DatabaseWire) -> None:
    async def write_twice() -> None:
        async with fragile.begin() as session:
            await note(session, "placed", 1)
            wire.go_away()
            await note(session, "placed", 2)

    with pytest.raises(DatabaseAway):
        await write_twice()

    wire.come_back()
    assert await noted(fragile) == []


async def test_a_database_that_is_lost_at_the_commit_is_away(fragile: Database, wire: DatabaseWire) -> None:
    async def write() -> None:
        async with fragile.begin() as session:
            await note(session, "placed", 1)
            wire.go_away()

    with pytest.raises(DatabaseAway):
        await write()


@pytest.fixture
async def exhausted(database: Database) -> AsyncIterator[Database]:
    """All its connections are in use."""
    small = Database(database.url, application_name="small", pool_size=2)
    async with AsyncExitStack() as held:
        for _ in range(7):
            session = await held.enter_async_context(small.begin())
            await session.execute(text("SELECT 1"))
        yield small
    await small.close()


async def test_when_all_connections_are_in_use_requests_are_told_to_come_again(exhausted: Database) -> None:
    sent = await Client(app_on(exhausted)).post("/effects/1")

    assert status(sent) == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]


async def test_what_fails_elsewhere_inside_a_transaction_is_not_blamed_on_the_database(database: Database) -> None:
    async def fail_with(error: Exception) -> None:
        async with database.begin() as session:
            await note(session, "placed", 1)
            raise error

    for error in (ConnectionRefusedError("the mail server"), TimeoutError("a partner")):
        with pytest.raises(type(error)):
            await fail_with(error)


async def test_waiting_too_long_for_a_lock_is_no_outage_but_worth_another_try(
    database: Database, replica: Database
) -> None:
    await execute(database, "ALTER TABLE effects ADD PRIMARY KEY (number)")

    async with replica.begin() as other:
        await note(other, "placed", 1)
        with pytest.raises(Unavailable) as refused:
            await execute(database, "INSERT INTO effects VALUES ('placed', 1)")

    assert not isinstance(refused.value, DatabaseAway)


async def test_every_connection_is_bounded(database: Database) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    async with database.begin() as session:
        settings = {name: await session.scalar(text(f"SHOW {name}")) for name in names}
        settings["name"] = await session.scalar(text("SHOW application_name"))
        watched = await session.scalar(text("SHOW client_connection_check_interval"))

    assert settings == {
        "statement_timeout": "10s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "15s",
        "name": "test",
    }
    assert watched == "1s"


async def test_a_cancelled_transaction_leaves_nothing_and_no_connection_behind(database: Database) -> None:
    async def never_done() -> None:
        async with database.begin() as session:
            await note(session, "placed", 1)
            await session.execute(text("SELECT pg_sleep(8)"))

    task = asyncio.create_task(never_done())
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert await noted(database) == []
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_an_error_is_described_without_the_values_that_it_was_about(database: Database) -> None:
    await execute(database, "ALTER TABLE effects ADD PRIMARY KEY (name)")
    await execute(database, "INSERT INTO effects VALUES ('ada@example.org', 1)")

    with pytest.raises(IntegrityError) as error:
        await execute(database, "INSERT INTO effects VALUES (:name, 1)", name="ada@example.org")

    assert "effects_pkey" in describe(error.value)
    assert "ada" not in describe(error.value)
    assert describe(ValueError("a\x00b\ud800\nc")) == "ValueError: ab?"


async def test_no_error_carries_the_parameters_of_its_statement(database: Database) -> None:
    with pytest.raises(DBAPIError) as error:
        await execute(database, "SELECT 1 / CAST(:zero AS int), CAST(:name AS text)", zero=0, name="ada@example.org")

    assert "division by zero" in str(error.value)
    assert "ada" not in str(error.value)
