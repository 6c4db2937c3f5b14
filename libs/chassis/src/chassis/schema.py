"""Compares the models with the database that the migrations made."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from . import audit, idempotency, inbox, jobs, outbox, parking, recorder
from .db import Database
from .tables import NAMING, ChassisTable

# Naming them is what makes their tables known.
_MODULES = (audit, idempotency, inbox, jobs, outbox, parking, recorder)


async def schema_drift(database: Database, *metadata: MetaData) -> list[Any]:
    """What the models have that the migrations do not make, or the other way round."""

    def compare(connection: Connection) -> list[Any]:
        together = MetaData(naming_convention=NAMING)
        for each in (ChassisTable.metadata, *metadata):
            for table in each.tables.values():
                table.to_metadata(together)
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), together))

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)
