"""A whole platform in one process; each service has its own database and is called over HTTP, as in a cluster."""

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chassis.broker import Broker
from chassis.service import Service
from chassis.serving import NotStarted, Site, serve
from chassis.settings import ServiceSettings

from . import environment, fleet
from .ending import Ending
from .failure import Failure, in_short
from .folder import OPERATIONS, Connection, Folder, Keys

HOST: Final = "127.0.0.1"
_ANSWER_WITHIN: Final = 30.0


def urls(port_base: int) -> dict[str, str]:
    return {name: f"http://{HOST}:{port}" for port, name in enumerate(fleet.NAMES, port_base + 1)}


def database(name: str) -> str:
    return f"orderflow_{name}"


def database_urls(server: URL) -> dict[str, str]:
    """In the form that every client of PostgreSQL understands."""
    return {
        name: server.set(drivername="postgresql", database=database(name)).render_as_string(hide_password=False)
        for name in fleet.NAMES
    }


def mail_folder(folder: Folder) -> Path | None:
    return None if "NOTIFICATION_SMTP__HOST" in os.environ else folder.mail


def settings(name: fleet.Name, keys: Keys, platform: Connection) -> ServiceSettings:
    """A service takes of these what it knows; the rest of what it can be told may stand in the environment."""
    given = {
        "database_url": platform.database_urls[name],
        "trusted_keys": keys.trusted,
        "signing_key": json.dumps(keys.services[name]),
        "host": HOST,
        "port": urlsplit(platform.urls[name]).port,
        "role": "all",
        "product_url": platform.urls["product"],
        "accounts": {"login_key": json.dumps(keys.people), "mail_secret": keys.mail_secret},
        "carrier_secret": keys.carrier_secret,
        "mail_secret": keys.mail_secret,
        "folder": platform.mail_folder,
        "operations": os.environ.get("NOTIFICATION_OPERATIONS", OPERATIONS),
        "links": {"api": os.environ.get("NOTIFICATION_LINKS__API", platform.urls["notification"])},
        "autopilot": not platform.manual,
    }
    return environment.read(fleet.settings_of(name), **given)


def check_ports(addresses: Mapping[str, str]) -> None:
    """Said before anything is started; what takes one of them in between is found by `serve`."""
    for name, url in addresses.items():
        port = urlsplit(url).port
        try:
            socket.create_server((HOST, port or 0)).close()
        except (OSError, OverflowError) as error:
            raise Failure(f"Port {port} for {name} cannot be had: {in_short(error)}. Choose by --port-base.") from error


async def create_databases(server: URL) -> None:
    admin = server.set(drivername=fleet.DRIVER, database=server.database or "postgres")
    engine = create_async_engine(admin, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args={"timeout": 10})
    try:
        async with engine.connect() as connection:
            present = set(await connection.scalars(text("SELECT datname FROM pg_database")))
            for name in map(database, fleet.NAMES):
                if name not in present:
                    # Nobody can be connected to template0, which would forbid to copy it.
                    await connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE template0'))
    except Exception as error:
        raise Failure(f"The databases cannot be made: {in_short(error)}.") from error
    finally:
        await engine.dispose()


async def prepare(services: Sequence[Service], *, seeded: bool) -> None:
    # One after the other: a migration has the process to itself.
    for service in services:
        try:
            await service.prepare()
            if seeded:
                async with service.database.begin() as session:
                    await fleet.seed(cast(fleet.Name, service.name), session)
        except Exception as error:
            raise Failure(f"The database of {service.name} cannot be prepared: {in_short(error)}.") from error


async def run(
    services: Sequence[Service],
    platform: Connection,
    broker: Broker,
    ending: Ending,
    when_ready: Callable[[], Awaitable[None]],
) -> None:
    async def announce() -> None:
        await _answer(platform.urls.values())
        await when_ready()

    sites = [Site(service.app(), HOST, urlsplit(platform.urls[service.name]).port or 0) for service in services]
    try:
        await serve(sites, ending.begun, announce)
        ending.was_in_order()
    except NotStarted as error:
        raise Failure(str(error)) from error
    except OSError as error:
        raise Failure(f"The services cannot be reached over HTTP: {in_short(error)}.") from error
    finally:
        await broker.close()


async def _answer(addresses: Iterable[str]) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=6)) as session:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                for address in addresses:
                    while not await _is_ready(session, address):  # noqa: ASYNC110 (it is another server that tells)
                        await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise Failure(f"A service is not ready after {_ANSWER_WITHIN:.0f} seconds.") from error


async def _is_ready(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(f"{address}/readyz") as answer:
            return answer.status == HTTPStatus.OK
    except (aiohttp.ClientError, TimeoutError):
        return False
