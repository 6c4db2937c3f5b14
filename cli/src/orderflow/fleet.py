"""Which services there are, and how one is loaded by its name: only those that are asked for need to be installed."""

from importlib import import_module
from importlib.util import find_spec
from typing import Literal, cast, get_args

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.broker import Broker
from chassis.service import Service
from chassis.settings import ServiceSettings

Name = Literal["sales", "product", "delivery"]
NAMES: tuple[Name, ...] = get_args(Name)


def settings_of(name: Name) -> type[ServiceSettings]:
    return cast(type[ServiceSettings], getattr(import_module(f"{name}.settings"), f"{name.capitalize()}Settings"))


def build(name: Name, settings: ServiceSettings, broker: Broker) -> Service:
    return cast(Service, import_module(f"{name}.app").build(settings, broker))


async def seed(name: Name, session: AsyncSession) -> None:
    """A service without such a module has nothing of its own to begin with."""
    if find_spec(f"{name}.seed"):
        await import_module(f"{name}.seed").seed(session)
