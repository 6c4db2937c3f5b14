"""The metadata of Notification's own tables, and how they are looked into."""

from typing import Any

from sqlalchemy import MetaData, event
from sqlalchemy.orm import DeclarativeBase

from chassis.db import Database
from chassis.tables import NAMING


class NotificationTable(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


def always_by_index(database: Database) -> None:
    """A plan is kept that was made while a table had ten rows: reading all of them, for each letter, until somebody
    has counted them again. Whatever we ask has an index."""

    # What reads a table nevertheless would be taken for so dear that compiling it pays.
    @event.listens_for(database.engine.sync_engine, "connect")
    def by_index(connection: Any, _: object) -> None:
        connection.run_async(lambda driver: driver.execute("SET enable_seqscan = off; SET jit = off"))
