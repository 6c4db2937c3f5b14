"""`orderflow seed`: puts a service's part of the demo into its database; what is there already stays as it is."""

import asyncio
import os
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from chassis.db import Database
from chassis.errors import Unavailable

from . import databases, fleet
from .failure import USAGE, Failure, in_short

app = typer.Typer(add_completion=False)


@app.command()
def seed(
    service: Annotated[fleet.Name, typer.Argument(metavar="SERVICE", help=f"Whose: {fleet.ONE_OF_THEM}.")],
) -> None:
    """Put the demo's catalogue or customer into a service's database.

    It is the one that SERVICE_DATABASE_URL names, and the service has run on it before.
    """
    variable = databases.variable(service)
    url = os.environ.get(variable)
    if url is None:
        raise Failure(f"{variable} is missing.", USAGE)
    asyncio.run(_seed(service, Database(fleet.with_driver(url), application_name="orderflow seed")))


async def _seed(service: fleet.Name, database: Database) -> None:
    try:
        async with database.begin() as session:
            await fleet.seed(service, session)
    except (Unavailable, SQLAlchemyError) as error:
        raise Failure(f"The database of {service} cannot be seeded: {in_short(error)}.") from error
    finally:
        await database.close()
