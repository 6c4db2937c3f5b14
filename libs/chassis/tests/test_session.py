"""One transaction, whichever way its statements take to the database, and a connection that nobody gets dirty."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from asyncpg import Connection, InterfaceError
from sqlalchemy import bindparam, event, insert, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.engine import DatabaseAway
from chassis.errors import Unavailable
from chassis.parking import ParkedEvent
from chassis.pending import savepoint
from chassis.session import Session
from chassis.statements import ID, TEXT, with_arrays
from libs.chassis.tests.factories import DatabaseWire, column, eventually, execute, note, noted

_BACKEND = text("SELECT pg_backend_pid() AS pid, pg_current_xact_id()::text AS transaction")
_ADD = text("INSERT INTO effects VALUES ('placed', :number)")


def parked(event_id: str) -> ParkedEvent:
    return ParkedEvent(event_id=event_id, event_type="test.placed", body=b"", error="none", attempts=1)


async def test_text_and_objects_are_one_transaction_on_one_connection(database: Database) -> None:
    async with database.begin() as session:
        directly = (await session.execute(_BACKEND)).one()
        by_sqlalchemy = (await (await session.connection()).execute(_BACKEND)).one()
        session.add(parked("e"))
        await session.execute(_ADD, {"number": 1})
        await session.flush()
        assert await session.scalar(text("SELECT count(*) FROM parked_events")) == 1
        assert (await session.scalars(select(ParkedEvent.event_id))).all() == ["e"]

    assert directly == by_sqlalchemy
    assert await noted(database) == [1]


@pytest.mark.parametrize("first", ["text", "object"])
async def test_what_fails_undoes_what_went_either_way(database: Database, first: str) -> None:
    async def fail() -> None:
        async with database.begin() as session:
            if first == "text":
                await session.execute(_ADD, {"number": 1})
            session.add(parked("e"))
            await session.flush()
            await session.execute(_ADD, {"number": 2})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await noted(database) == []
    assert await column(database, "SELECT count(*)::int FROM parked_events") == [0]


async def test_a_statement_finds_objects_as_they_were_changed_before_it(database: Database) -> None:
    error = text("SELECT error FROM parked_events")
    async with database.begin() as session:
        session.add(one := parked("e"))
        assert (await session.scalars(error)).all() == ["none"]
        one.error = "another"
        assert (await session.scalars(error)).all() == ["another"]
        await session.delete(one)
        assert (await session.scalars(error)).all() == []


async def test_objects_that_were_only_added_are_written_by_the_commit(database: Database) -> None:
    async with database.begin() as session:
        session.add(parked("alone"))

    assert await column(database, "SELECT event_id FROM parked_events") == ["alone"]


async def test_a_savepoint_undoes_text_that_was_all_there_was_in_it(database: Database) -> None:
    async def fail(session: AsyncSession) -> None:
        async with savepoint(session):
            await session.execute(_ADD, {"number": 2})
            raise ZeroDivisionError

    async with database.begin() as session:
        await note(session, "placed", 1)
        with pytest.raises(ZeroDivisionError):
            await fail(session)
        async with savepoint(session):
            await session.execute(_ADD, {"number": 3})

    assert await noted(database) == [1, 3]


async def test_rows_are_those_of_sqlalchemy(database: Database) -> None:
    asked = text("SELECT 1 AS one, 'x' AS two UNION ALL SELECT 2, 'y' ORDER BY 1")
    async with database.begin() as session:
        directly = [
            (await session.execute(asked)).all(),
            [dict(row) for row in (await session.execute(asked)).mappings()],
            [row.two for row in await session.execute(asked)],
            (await session.scalars(asked)).all(),
            await session.scalar(asked),
            (await session.execute(text("SELECT 1 AS one WHERE false"))).one_or_none(),
            (await session.scalars(text("SELECT 1 WHERE false"))).all(),
            await session.scalar(text("SELECT 1 WHERE false")),
        ]

    assert directly == [
        [(1, "x"), (2, "y")],
        [{"one": 1, "two": "x"}, {"one": 2, "two": "y"}],
        ["x", "y"],
        [1, 2],
        1,
        None,
        [],
        None,
    ]


async def test_parameters_go_in_as_sqlalchemy_would_put_them(database: Database) -> None:
    some = [uuid4(), uuid4()]
    asked: dict[str, Any] = {"ids": some, "texts": ["a", None], "documents": [{"a": [1]}, None], "lease": timedelta(1)}
    statement = with_arrays(
        "SELECT id, word, document, CAST(:lease AS interval) + CAST(:lease AS interval) AS lease"
        " FROM unnest(:ids, :texts, :documents) AS given (id, word, document)",
        ids=ID,
        texts=TEXT,
        documents=JSONB(none_as_null=True),
    )

    async with database.begin() as session:
        directly = [tuple(row) for row in await session.execute(statement, asked)]
        by_sqlalchemy = [tuple(row) for row in await (await session.connection()).execute(statement, asked)]

    assert directly == by_sqlalchemy
    assert directly == [(some[0], "a", {"a": [1]}, timedelta(2)), (some[1], None, None, timedelta(2))]
    assert isinstance(directly[0][0], UUID)


async def test_a_statement_whose_text_depends_on_its_parameters_is_left_to_sqlalchemy(database: Database) -> None:
    several = text("SELECT number FROM effects WHERE number IN :numbers").bindparams(
        bindparam("numbers", expanding=True)
    )
    await execute(database, "INSERT INTO effects SELECT 'placed', n FROM generate_series(1, 5) AS n")

    async with database.begin() as session:
        assert (await session.scalars(several, {"numbers": [2, 4]})).all() == [2, 4]


async def test_a_parameter_with_a_value_of_its_own_need_not_be_given(database: Database) -> None:
    statement = text("SELECT CAST(:one AS int)").bindparams(one=1)

    async with database.begin() as session:
        assert [await session.scalar(statement), await session.scalar(statement, {"one": 2})] == [1, 2]


async def test_a_transaction_costs_its_statements_a_beginning_and_an_end(database: Database) -> None:
    heard: list[str] = []
    async with database.begin() as session:
        raw = await (await session.connection()).get_raw_connection()
        assert raw.driver_connection is not None
        raw.driver_connection.add_query_logger(lambda record: heard.append(record.query))

    async with database.begin() as session:
        await session.execute(_ADD, {"number": 1})
    await database.run_alone(_ADD, {"number": 2})
    await eventually(lambda: len(heard) == 5)

    assert [query.split()[0] for query in heard] == ["COMMIT", "BEGIN", "INSERT", "COMMIT", "INSERT"]


async def test_who_listens_hears_every_statement(database: Database) -> None:
    heard: list[str] = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *told: heard.append(told[2]))

    async with database.begin() as session:
        await session.execute(_ADD, {"number": 1})
    await database.run_alone(_ADD, {"number": 2})

    assert len(heard) == 2
    assert await noted(database) == [1, 2]


async def test_an_error_is_what_sqlalchemy_calls_it_and_keeps_its_parameters_to_itself(database: Database) -> None:
    await execute(database, "ALTER TABLE effects ADD CONSTRAINT once UNIQUE (number)")
    await execute(database, "INSERT INTO effects VALUES ('ada@example.org', 1)")

    with pytest.raises(IntegrityError) as taken:
        async with database.begin() as session:
            await session.execute(_ADD, {"number": 1})
    with pytest.raises(IntegrityError):
        await database.run_alone(_ADD, {"number": 1})
    with pytest.raises(DBAPIError) as wrong:
        await database.run_alone(text("SELECT 1 / CAST(:zero AS int)"), {"zero": 0})

    assert "once" in str(taken.value.orig)
    assert "division by zero" in str(wrong.value.orig)
    assert "parameters" not in str(wrong.value) or "hidden" in str(wrong.value)


async def test_who_waits_too_long_for_a_lock_is_told_to_try_again(database: Database) -> None:
    await execute(database, "INSERT INTO effects VALUES ('placed', 1)")
    locking = text("SELECT number FROM effects FOR UPDATE")

    async def wait() -> None:
        async with database.begin() as second:
            await second.execute(text("SET LOCAL lock_timeout = '50ms'"))
            await second.execute(locking)

    async with database.begin() as first:
        await first.execute(locking)
        with pytest.raises(Unavailable, match="Too many want the same"):
            await wait()


async def test_a_connection_that_is_lost_is_a_database_that_is_away_and_is_not_used_again(
    fragile: Database, wire: DatabaseWire
) -> None:
    async def lose_it() -> None:
        async with fragile.begin() as session:
            await session.execute(_ADD, {"number": 1})
            wire.go_away()
            await session.execute(_ADD, {"number": 2})

    with pytest.raises(DatabaseAway):
        await lose_it()
    with pytest.raises(DatabaseAway):
        await fragile.run_alone(_ADD, {"number": 3})

    wire.come_back()
    await fragile.run_alone(_ADD, {"number": 4})

    assert await noted(fragile) == [4]


async def test_a_connection_that_cannot_undo_is_given_up_and_whoever_comes_next_has_another(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cannot(*_: object) -> None:
        raise InterfaceError("cannot perform operation: another operation is in progress")

    async def fail() -> None:
        async with database.begin() as session:
            await session.execute(_ADD, {"number": 1})
            raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "execute", cannot)
        with pytest.raises(ZeroDivisionError):
            await fail()
    await database.run_alone(_ADD, {"number": 2})

    assert await noted(database) == [2]


@pytest.mark.parametrize("when", ["before", "in the midst of"])
async def test_whoever_is_cancelled_leaves_no_transaction_on_its_connection(database: Database, when: str) -> None:
    asked = asyncio.Event()

    async def never_done() -> None:
        async with database.begin() as session:
            await session.execute(_ADD, {"number": 1})
            asked.set()
            await (asyncio.sleep(60) if when == "before" else session.execute(text("SELECT pg_sleep(60)")))

    task = asyncio.create_task(never_done())
    await asked.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    # Twice, as when a server stops while a client hangs up.
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    async with asyncio.timeout(10):
        while database.engine.pool.checkedout():  # type: ignore[attr-defined]  # noqa: ASYNC110 (its end tells nobody)
            await asyncio.sleep(0.01)
    async with database.begin() as session:
        raw = (await (await session.connection()).get_raw_connection()).driver_connection
        assert raw is not None
    assert await column(database, _OPEN) == [0]
    assert await noted(database) == []


_OPEN = """
    SELECT count(*)::int FROM pg_stat_activity
    WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()
"""


async def test_a_statement_alone_that_is_cancelled_leaves_its_connection_fit_for_use(database: Database) -> None:
    task = asyncio.create_task(database.run_alone(text("SELECT pg_sleep(60)"), {}))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait([task])

    results = await asyncio.gather(*(database.run_alone(text("SELECT 1"), {}) for _ in range(20)))

    assert [result.scalar() for result in results] == [1] * 20


async def test_after_its_end_a_session_asks_nothing_any_more(database: Database) -> None:
    async with database.begin() as session:
        await session.execute(_ADD, {"number": 1})
    left = Session(database.engine)
    await left.execute(_ADD, {"number": 2})
    await left.close()

    with pytest.raises(RuntimeError, match="over"):
        await session.execute(insert(ParkedEvent))
    assert await noted(database) == [1]
