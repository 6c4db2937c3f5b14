"""Which statements a database is asked to run, by what they begin with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from chassis.db import Database


@contextmanager
def statements_on(database: Database) -> Iterator[list[str]]:
    """Those that are executed meanwhile."""
    heard: list[str] = []

    def hear(_: Any, __: Any, statement: str, *___: Any) -> None:
        words = statement.split()
        heard.append(" ".join(words[: 3 if words[0] == "INSERT" else 2]))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(engine, "before_cursor_execute", hear)
