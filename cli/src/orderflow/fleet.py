"""Which services there are, and how one is loaded by its name: only those that are asked for need to be installed."""

from importlib import import_module
from importlib.util import find_spec
from typing import Final, Literal, cast, get_args

from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.broker import Broker
from chassis.service import Service
from chassis.settings import ServiceSettings

from .failure import USAGE, Failure

Name = Literal["sales", "product", "delivery", "notification"]
NAMES: tuple[Name, ...] = get_args(Name)
ONE_OF_THEM: Final = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
DRIVER: Final = "postgresql+asyncpg"


def settings_of(name: Name) -> type[ServiceSettings]:
    return cast(type[ServiceSettings], getattr(import_module(f"{name}.settings"), f"{name.capitalize()}Settings"))


def build(name: Name, settings: ServiceSettings, broker: Broker) -> Service:
    url = SecretStr(with_driver(settings.database_url.get_secret_value()))
    return cast(Service, import_module(f"{name}.app").build(settings.model_copy(update={"database_url": url}), broker))


async def seed(name: Name, session: AsyncSession) -> None:
    """A service without such a module has nothing of its own to begin with."""
    if find_spec(f"{name}.seed"):
        await import_module(f"{name}.seed").seed(session)


def with_driver(url: str) -> str:
    """People write postgresql://, as every other client of PostgreSQL takes it."""
    try:
        return make_url(url).set(drivername=DRIVER).render_as_string(hide_password=False)
    except ArgumentError as error:
        raise Failure(
            "This is no URL of a database, such as postgresql://user:password@host:5432/name.", USAGE
        ) from error
