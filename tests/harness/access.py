"""Every route of a service, asked by everybody: who gets which answer, and what it did to the database.

A table has a line per route and a column per caller. A route without its line fails the test, as does a line without
its route; so nobody adds a route without saying whom it is for.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from chassis.db import Database
from chassis.keys import Signer

CALLERS = ("anonymous", "customer", "other", "warehouse", "admin", "service")
"""`other` is a customer, too, to whom nothing of the first one's belongs."""

CUSTOMER, OTHER = "customer-of-ours", "customer-of-others"
_HEALTH = {"GET /livez", "GET /readyz"}
# Of each route: what was answered to whom, in the order of the callers.
Table = Mapping[str, tuple[int, ...]]


def table(lines: str) -> Table:
    """`GET /api/v1/orders  401 200 200 403 200 403`, line by line."""
    rows = [line.split() for line in lines.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = {f"{method} {path}": tuple(map(int, statuses)) for method, path, *statuses in rows}
    assert len(found) == len(rows), "A route has two lines."
    assert {len(statuses) for statuses in found.values()} == {len(CALLERS)}, "A line has a column too few or too many."
    return found


def routes_of(app: FastAPI) -> set[str]:
    paths = app.openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} - _HEALTH


def as_everybody(people: Signer, service: Signer, audience: str) -> dict[str, dict[str, str]]:
    """The header that says who is asking, for each caller but the anonymous one."""
    tokens = {
        "customer": people.token(CUSTOMER, ["customer"]),
        "other": people.token(OTHER, ["customer"]),
        "warehouse": people.token("clerk", ["warehouse"]),
        "admin": people.token("root", ["admin"]),
        "service": service.token(service.issuer, ["service"], audience),
    }
    return {caller: {"Authorization": f"Bearer {token}"} for caller, token in tokens.items()}


@dataclass
class World:
    """A service with something in it that belongs to CUSTOMER."""

    app: FastAPI
    database: Database
    headers: Mapping[str, Mapping[str, str]]
    build: Callable[["World"], Awaitable[None]]
    """Fills the empty database, and `names`."""
    bodies: Mapping[str, Any] = field(default_factory=dict)
    """What is sent to a route, if anything: JSON, with `{names}` in it filled in."""
    names: dict[str, str] = field(default_factory=dict)
    """What stands for `{…}` in paths."""
    belongings: frozenset[str] = frozenset()
    """Those of the names that nobody but the customer and the staff may be shown."""
    apart: frozenset[str] = frozenset()
    """Tables that count attempts, which refused ones are."""

    async def walk(self) -> tuple[Table, list[str]]:
        """What everybody was answered; and who changed or was shown what they must not."""
        await self.build(self)
        kept = await _Kept.of(self.database)
        before = await self._rows()
        answers: dict[str, tuple[int, ...]] = {}
        offences: list[str] = []
        for route in sorted(routes_of(self.app)):
            statuses = []
            for caller in CALLERS:
                answer = await self._ask(route, caller)
                after = await self._rows()
                statuses.append(answer.status_code)
                offences += [f"{route}: {what} by {caller}" for what in self._offences(caller, answer, before, after)]
                if after != before:
                    await kept.restore()
            answers[route] = tuple(statuses)
        assert await self._rows() == before
        return answers, offences

    def _offences(self, caller: str, answer: httpx.Response, before: set[str], after: set[str]) -> Iterator[str]:
        if answer.status_code >= 400 and after != before:
            yield f"changed, although refused with {answer.status_code},"
        if caller == "other":
            if not {row for row in before if OTHER not in row} <= after:
                yield "changed"
            if any(words in answer.text for words in (CUSTOMER, *(self.names[name] for name in self.belongings))):
                yield "seen"

    async def _ask(self, route: str, caller: str) -> httpx.Response:
        method, path = route.split()
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        headers = dict(self.headers.get(caller, {}))
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
            return await client.request(method, self._named(path), json=self._body(route))

    def _body(self, route: str) -> Any:
        if route not in self.bodies:
            return None
        return json.loads(self._named(json.dumps(self.bodies[route])))

    def _named(self, words: str) -> str:
        for name, value in self.names.items():
            words = words.replace(f"{{{name}}}", value)
        return words

    async def _rows(self) -> set[str]:
        async with self.database.begin() as session:
            tables = [name for name in await session.scalars(text(_TABLES)) if name not in self.apart]
            each = [f"SELECT '{name} ' || row_to_json(t)::text FROM {name} t" for name in tables]
            return set(await session.scalars(text(" UNION ALL ".join(each))))


class _Kept:
    """A copy of every row, to go back to: much faster than building all of it anew."""

    def __init__(self, database: Database, columns: Mapping[str, str]) -> None:
        self._database = database
        self._columns = columns

    @classmethod
    async def of(cls, database: Database) -> Self:
        async with database.begin() as session:
            columns = {row.name: row.columns for row in await session.execute(text(_COLUMNS))}
            await session.execute(text("CREATE SCHEMA kept"))
            for name in columns:
                await session.execute(text(f"CREATE TABLE kept.{name} AS TABLE {name}"))
        return cls(database, columns)

    async def restore(self) -> None:
        async with self._database.begin() as session:
            # Without triggers: rows go and come in whatever order.
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            for name, columns in self._columns.items():
                await session.execute(text(f"DELETE FROM {name}"))
                await session.execute(
                    text(f"INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM kept.{name}")
                )


_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
_COLUMNS = f"""
    SELECT table_name AS name, string_agg(quote_ident(column_name), ', ') AS columns
    FROM information_schema.columns
    WHERE table_schema = 'public' AND is_generated = 'NEVER' AND table_name IN ({_TABLES}) GROUP BY table_name
"""
