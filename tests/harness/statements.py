"""Which statements a database is asked to run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from chassis.db import Database


@contextmanager
def whole_statements_on(database: Database) -> Iterator[list[str]]:
    """Those that are executed meanwhile, in one line each; what is executed once for each of many rows, so often."""
    heard: list[str] = []

    def hear(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        heard.extend([" ".join(statement.split())] * (len(parameters) if many else 1))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(engine, "before_cursor_execute", hear)


@contextmanager
def statements_on(database: Database) -> Iterator[list[str]]:
    """Those that are executed meanwhile, by what they begin with, once it is over."""
    beginnings: list[str] = []
    with whole_statements_on(database) as heard:
        yield beginnings
    beginnings += map(_beginning, heard)


def _beginning(statement: str) -> str:
    words = statement.split()
    return " ".join(words[: 3 if words[0] == "INSERT" else 2]).partition("(")[0]
