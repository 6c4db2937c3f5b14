"""The schema comes to be once, however many replicas start at once, and it is the one that the models describe."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Column, Index, Integer, MetaData, Table, make_url, text

from chassis.db import _MIGRATION_LOCK, Database, migrate
from chassis.schema import schema_drift
from libs.chassis.tests.factories import column, execute
from tests.harness.postgres import PostgresServer, unique

FIRST = """
from alembic import op

revision = "{name}_0001"
down_revision = None
branch_labels = ("{name}",)
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE {name} (id int PRIMARY KEY)")
    op.execute("SELECT pg_sleep(0.3)")
    op.execute("INSERT INTO {name} VALUES (1)")
"""


@pytest.fixture
async def empty(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    async with postgres_server.database("empty") as url:
        database = Database(url, application_name="test")
        yield database
        await database.close()


def versions(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(exist_ok=True)
    (path / f"{name}_0001.py").write_text(FIRST.format(name=name))
    return path


async def tables(database: Database) -> set[str]:
    async with database.begin() as session:
        return set(await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))


async def test_two_replicas_that_start_at_once_migrate_once(empty: Database, tmp_path: Path) -> None:
    own = versions(tmp_path, "things")
    replica = Database(empty.url, application_name="replica")

    await asyncio.gather(migrate(empty, own), migrate(replica, own), migrate(replica, own))
    await migrate(empty, own)

    assert {"outbox", "inbox", "parked_events", "audit_log", "job_runs", "things"} <= await tables(empty)
    assert await column(empty, "SELECT id FROM things") == [1]
    await replica.close()


async def test_services_of_one_process_do_not_migrate_into_each_others_databases(
    empty: Database, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    async with postgres_server.database("empty") as url:
        other = Database(url, application_name="other")

        await asyncio.gather(migrate(empty, versions(tmp_path, "apples")), migrate(other, versions(tmp_path, "pears")))

        assert "apples" in await tables(empty)
        assert "pears" in await tables(other)
        assert not {"apples"} & await tables(other)
        assert not {"pears"} & await tables(empty)
        await other.close()


async def test_waiting_for_another_replica_takes_as_long_as_it_takes(empty: Database, tmp_path: Path) -> None:
    replica = Database(empty.url, application_name="replica")
    async with replica.connect() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        waiting = asyncio.create_task(migrate(empty, versions(tmp_path, "things")))
        # Longer than any statement of a service may wait for a lock.
        await asyncio.sleep(2.5)
        assert not waiting.done()
        await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
    await waiting

    assert "things" in await tables(empty)
    await replica.close()


async def test_a_migration_may_take_longer_than_any_statement_of_a_service(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.db.LIMITS", {"statement_timeout": "100ms", "lock_timeout": "100ms"})
    impatient = Database(empty.url, application_name="impatient")

    await migrate(impatient, versions(tmp_path, "things"))

    assert "things" in await tables(empty)
    await impatient.close()


async def test_a_migration_that_fails_changes_nothing(empty: Database, tmp_path: Path) -> None:
    own = versions(tmp_path, "things")
    (own / "things_0001.py").write_text(FIRST.format(name="things").replace("VALUES (1)", "VALUES (NULL)"))

    with pytest.raises(Exception, match="null value"):
        await migrate(empty, own)

    assert await tables(empty) == set()


async def test_only_a_new_schema_is_analysed(empty: Database, tmp_path: Path) -> None:
    own = versions(tmp_path, "things")
    await migrate(empty, own)
    assert await column(empty, "SELECT reltuples::int FROM pg_class WHERE relname = 'things'") == [1]

    await execute(empty, "INSERT INTO things SELECT generate_series(2, 100)")
    await migrate(empty, own)

    assert await column(empty, "SELECT reltuples::int FROM pg_class WHERE relname = 'things'") == [1]


@pytest.fixture
async def someone(empty: Database) -> AsyncIterator[Database]:
    """A role that owns a schema of its own, and is nobody special elsewhere."""
    name = unique("someone")
    await execute(empty, f"CREATE ROLE {name} LOGIN PASSWORD 'something'")
    await execute(empty, f"CREATE SCHEMA {name} AUTHORIZATION {name}")
    await execute(empty, f"CREATE TABLE {name}.somebody_elses AS SELECT 1 AS id")
    await execute(empty, "CREATE TABLE elsewhere AS SELECT 1 AS id")
    await execute(empty, f"ALTER TABLE elsewhere OWNER TO {name}")
    url = make_url(empty.url).set(username=name, password="something")
    someone = Database(url.render_as_string(hide_password=False), application_name="someone")
    yield someone
    await someone.close()
    await execute(empty, f"DROP OWNED BY {name} CASCADE")
    await execute(empty, f"DROP SCHEMA IF EXISTS {name} CASCADE")
    await execute(empty, f"DROP ROLE {name}")


async def test_whoever_migrates_analyses_their_own_tables_and_is_warned_of_no_others(
    someone: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[str] = []
    connect = asyncpg.connect

    async def listening(*args: Any, **kwargs: Any) -> asyncpg.Connection:
        connection = await connect(*args, **kwargs)
        connection.add_log_listener(lambda _, notice: notices.append(str(notice)))
        return connection

    monkeypatch.setattr(asyncpg, "connect", listening)
    await migrate(someone, versions(tmp_path, "things"))

    assert notices == []
    analysed = (
        "SELECT relname FROM pg_class WHERE relname IN ('things', 'elsewhere', 'somebody_elses') AND reltuples = 1"
    )
    assert await column(someone, analysed) == ["things"]


async def test_the_migrations_make_what_the_models_say(empty: Database, tmp_path: Path) -> None:
    await migrate(empty, tmp_path)

    assert await schema_drift(empty) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("DROP INDEX ix_inbox_handled_at", "ix_inbox_handled_at"),
        ("ALTER TABLE parked_events DROP COLUMN resolution", "resolution"),
        ("ALTER TABLE outbox ALTER COLUMN attempts TYPE text", "attempts"),
        ("ALTER TABLE outbox ALTER COLUMN body DROP NOT NULL", "body"),
        ("DROP TABLE audit_log", "audit_log"),
        ("CREATE TABLE nobodys (id int)", "nobodys"),
    ],
)
async def test_a_schema_that_differs_from_the_models_is_found(
    empty: Database, tmp_path: Path, change: str, word: str
) -> None:
    await migrate(empty, tmp_path)

    await execute(empty, change)

    assert word in str(await schema_drift(empty))


async def test_a_services_own_models_are_compared_too(empty: Database, tmp_path: Path) -> None:
    await migrate(empty, versions(tmp_path, "things"))
    metadata = MetaData()
    Table("things", metadata, Column("id", Integer, primary_key=True))
    assert await schema_drift(empty, metadata) == []

    Index("ix_things_id", metadata.tables["things"].c.id)

    assert "ix_things_id" in str(await schema_drift(empty, metadata))
