"""The services' databases, as commands reach them: where SERVICE_DATABASE_URL says, or in a platform's data folder."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from chassis.db import Database
from chassis.errors import Refused

from . import fleet
from .failure import Failure, in_short
from .folder import Folder

WHERE: Final = "The database is the one that SERVICE_DATABASE_URL names, or that of the platform in the data folder."


def variable(service: fleet.Name) -> str:
    return f"{service.upper()}_DATABASE_URL"


def database_url(service: fleet.Name, data: Path) -> str:
    url = os.environ.get(variable(service)) or Folder(data).connection().database_urls[service]
    return fleet.with_driver(url)


@asynccontextmanager
async def reached(service: fleet.Name, data: Path) -> AsyncIterator[Database]:
    database = Database(database_url(service, data), application_name="orderflow")
    async with closing(database):
        yield database


@asynccontextmanager
async def closing(database: Database) -> AsyncIterator[None]:
    try:
        yield
    except (Refused, SQLAlchemyError) as error:
        raise Failure(in_short(error)) from error
    finally:
        await database.close()
