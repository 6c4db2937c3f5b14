"""How PostgreSQL finds what a statement asks for, as it tells itself: among many rows, whatever the parameters are."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database

from .fixtures import databases_on
from .postgres import PostgresServer

Node = Mapping[str, Any]
"""A step of a plan, with what it really had to look at."""

either_plan = pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
"""One for these parameters, or one for any whatsoever, as the server may keep one."""


@contextmanager
def filled(server: PostgresServer, service: str, *statements: str) -> Iterator[str]:
    """A database that no test changes, so that one is enough for all tests of a module."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        try:
            yield runner.run(_fill(server, service, statements, stack))
        finally:
            runner.run(stack.aclose())


async def explained(
    url: str, ask: Callable[[AsyncSession], Awaitable[object]], *, generic: bool = False
) -> Sequence[Node]:
    """Of the last statement that it asks with, all nodes, once run as PostgreSQL is told."""
    database = Database(url, application_name="test")
    try:
        async with database.begin() as session:
            with _heard(database) as statements:
                await ask(session)
            statement, parameters = statements[-1]
            connection = await session.connection()
            mode = "force_generic_plan" if generic else "force_custom_plan"
            await connection.exec_driver_sql(f"SET LOCAL plan_cache_mode = {mode}")
            await connection.exec_driver_sql("SET LOCAL max_parallel_workers_per_gather = 0")
            await connection.exec_driver_sql(f"PREPARE page AS {statement}")
            arguments = f"({', '.join(map(_literal, parameters))})" if parameters else ""
            told = await connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page {arguments}".replace("%", "%%")
            )
            answer = told.scalar_one()
            await connection.exec_driver_sql("DEALLOCATE page")
    finally:
        await database.close()
    return list(_nodes((json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]))


def examined(scan: Node) -> int:
    """How many rows it has looked at, also those that it did not want."""
    counts = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    rows: float = sum(scan.get(count, 0) for count in counts) * scan["Actual Loops"]
    return round(rows)


async def _fill(server: PostgresServer, service: str, statements: Sequence[str], stack: AsyncExitStack) -> str:
    create = await stack.enter_async_context(databases_on(server))
    url = await create(service)
    # Not with the limits of a service: to write so much at once takes as long as it takes.
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        # VACUUM leaves rows for later whose transaction is not yet known to be on disk.
        await connection.execute("SET synchronous_commit = on")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
    return url


@contextmanager
def _heard(database: Database) -> Iterator[list[tuple[str, Sequence[Any]]]]:
    statements: list[tuple[str, Sequence[Any]]] = []

    def hear(_: object, __: object, statement: str, parameters: Sequence[Any], *___: object) -> None:
        statements.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", hear)
    try:
        yield statements
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", hear)


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(_literal, value))}]"
    if isinstance(value, UUID):
        return f"'{value}'::uuid"
    return str(value) if isinstance(value, bool | int) else f"'{value}'"


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)
