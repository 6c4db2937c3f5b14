"""Who changed what is on record if, and only if, it was changed."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, event, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import Database
from chassis.outbox import publish
from chassis.pending import savepoint
from chassis.tracing import continue_trace, new_traceparent
from libs.chassis.tests.factories import Placed, outbox

ID = UUID("0198c5d0-0000-7000-8000-000000000001")


async def rows(database: Database) -> list[Row[tuple[object, ...]]]:
    async with database.begin() as session:
        statement = "SELECT *, before IS NULL AS no_before, after IS NULL AS no_after FROM audit_log ORDER BY id"
        return list((await session.execute(text(statement))).all())


async def test_a_change_is_on_record_with_who_made_it_and_in_which_trace(database: Database) -> None:
    trace = new_traceparent()
    with continue_trace(trace):
        async with database.begin() as session:
            record(session, "ada", "order.cancelled", ID, before={"status": "PENDING"}, after={"status": "CANCELLED"})

    [row] = await rows(database)
    assert (row.actor, row.action, row.entity_type, row.entity_id) == ("ada", "order.cancelled", "order", str(ID))
    assert (row.before, row.after) == ({"status": "PENDING"}, {"status": "CANCELLED"})
    assert row.trace_id == trace[3:35]
    assert abs((datetime.now(UTC) - row.at).total_seconds()) < 60


async def test_a_change_that_fails_is_not_on_record(database: Database) -> None:
    async def fail() -> None:
        async with database.begin() as session:
            record(session, "ada", "order.cancelled", ID)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await rows(database) == []


async def test_what_was_not_there_is_nothing_and_what_was_empty_is_empty(database: Database) -> None:
    async with database.begin() as session:
        record(session, "ada", "order.created", ID, after={})

    [row] = await rows(database)
    assert (row.no_before, row.no_after, row.after) == (True, False, {})
    assert row.trace_id is None


async def test_values_of_all_kinds_can_be_on_record(database: Database) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    async with database.begin() as session:
        record(session, "ada", "order.created", ID, after={"id": ID, "at": at, "price": Decimal("1.50")})

    [row] = await rows(database)
    assert row.after == {"id": str(ID), "at": "2026-01-01T00:00:00Z", "price": "1.50"}


async def test_what_is_on_record_is_written_in_one_statement(database: Database) -> None:
    async with database.begin() as session:
        for number in range(500):
            record(session, "ada", "order.created", number, after={"number": number} if number % 2 else None)
        assert await rows(database) == []
        watched = watch(database)

    assert [statement.partition("(")[0] for statement in watched] == ["INSERT INTO audit_log "]
    written = await rows(database)
    assert [row.entity_id for row in written] == [str(number) for number in range(500)]
    assert [row.after for row in written[:2]] == [None, {"number": 1}]
    assert all(row.at <= written[index + 1].at for index, row in enumerate(written[:-1]))


def watch(database: Database) -> list[str]:
    said: list[str] = []

    def listen(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", listen)
    return said


async def fail(session: AsyncSession, entity_id: int) -> None:
    async with savepoint(session):
        record(session, "ada", "order.cancelled", entity_id)
        raise ZeroDivisionError


async def test_what_fails_in_a_savepoint_is_not_on_record_and_the_rest_is(database: Database) -> None:
    async with database.begin() as session:
        record(session, "ada", "order.cancelled", 1)
        with pytest.raises(ZeroDivisionError):
            await fail(session, 2)
        async with savepoint(session):
            record(session, "ada", "order.cancelled", 3)
        publish(session, Placed(number=1))

    assert [row.entity_id for row in await rows(database)] == ["1", "3"]
    assert await outbox(database, "test.placed") == [1]


async def test_a_savepoint_that_put_the_first_thing_on_record_undoes_it_too(database: Database) -> None:
    async with database.begin() as session:
        with pytest.raises(ZeroDivisionError):
            await fail(session, 1)

    assert await rows(database) == []
