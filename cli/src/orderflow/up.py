"""`orderflow up`: starts the whole platform here, says how to reach it, and takes it down again."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, get_args

import psutil
import typer
import uvloop
from sqlalchemy import URL, make_url

from chassis.broker import Broker, InProcessBroker, RabbitBroker
from chassis.recorder import configure_recording
from chassis.settings import PlatformSettings
from chassis.telemetry import configure_logging, configure_tracing, stop_tracing

from . import embedded, environment, fleet
from .ending import Ending
from .folder import Connection, Folder, Keys
from .next_steps import next_steps
from .options import DEFAULT_FOLDER, Data
from .postgres import own_postgres
from .token import Person, person_token

_TOKENS_LIVE = timedelta(hours=24)

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Wanted:
    folder: Folder
    port_base: int
    manual: bool
    seeded: bool


@app.command()
def up(
    port_base: Annotated[
        int, typer.Option(min=1, max=65_000, help="Sales gets the port after it; then Product, Delivery, Notification.")
    ] = 8000,
    data: Data = DEFAULT_FOLDER,
    manual: Annotated[bool, typer.Option("--manual", help="Parcels wait for people: no autopilot.")] = False,
    seed: Annotated[bool, typer.Option(help="Put a demo catalogue and a demo customer in.")] = True,
) -> None:
    """Start the whole platform in this process; Ctrl-C stops it.

    PostgreSQL runs in the data folder, unless DATABASE_URL names a server. Events stay in the process, unless
    RABBITMQ_URL names a broker.
    """
    folder = Folder(data)
    with folder.held():
        uvloop.run(_run(Wanted(folder, port_base, manual, seed)))


async def _run(wanted: Wanted) -> None:
    ending = Ending()
    surroundings = environment.platform(needs_broker=False)
    addresses = embedded.urls(wanted.port_base)
    embedded.check_ports(addresses)
    keys = wanted.folder.keys(fleet.NAMES)
    async with AsyncExitStack() as leaving:
        _log(surroundings, wanted.folder, leaving)
        server = await leaving.enter_async_context(_database_server(wanted.folder))
        platform = _describe(wanted, addresses, server, keys)
        broker = _broker(surroundings, ending)
        services = [fleet.build(name, embedded.settings(name, keys, platform), broker) for name in fleet.NAMES]
        for service in services:
            leaving.push_async_callback(service.database.close)
        await embedded.create_databases(server)
        await embedded.prepare(services, seeded=wanted.seeded)

        async def announce() -> None:
            if ending.begun.is_set():
                return
            leaving.callback(wanted.folder.forget_connection)
            wanted.folder.announce(platform)
            print(next_steps(platform, wanted.folder.path, time.time() - psutil.Process().create_time()), flush=True)

        await embedded.run(services, platform, broker, ending, announce)
    print("Stopped.", flush=True)


@asynccontextmanager
async def _database_server(folder: Folder) -> AsyncIterator[URL]:
    if given := os.environ.get("DATABASE_URL"):
        yield make_url(fleet.with_driver(given))
        return
    place, databases = folder.path.absolute() / "postgres", [embedded.database(name) for name in fleet.NAMES]
    async with own_postgres(place, place.with_suffix(".log"), databases) as url:
        yield url


def _broker(surroundings: PlatformSettings, ending: Ending) -> Broker:
    url = surroundings.rabbitmq_url.get_secret_value()
    return RabbitBroker(url, name="orderflow up", on_lost=ending.give_up) if url else InProcessBroker()


def _describe(wanted: Wanted, addresses: dict[str, str], server: URL, keys: Keys) -> Connection:
    signer = keys.people_signer()
    return Connection(
        urls=addresses,
        tokens={role: person_token(signer, role, _TOKENS_LIVE) for role in get_args(Person)},
        carrier_secret=keys.carrier_secret,
        mail_secret=keys.mail_secret,
        database_urls=embedded.database_urls(server),
        manual=wanted.manual,
        mail_folder=embedded.mail_folder(wanted.folder),
    )


def _log(surroundings: PlatformSettings, folder: Folder, leaving: AsyncExitStack) -> None:
    """The terminal is for people: what the services log goes to a file, and that of the last run stays beside it."""
    path = folder.path / "orderflow.log"
    if path.exists():
        path.replace(path.with_name("orderflow.log.1"))
    # Open as long as the process lives: whatever ends last may want to say so.
    configure_logging(surroundings.log_level, stream=path.open("w", buffering=1))
    configure_tracing("orderflow", surroundings.otlp_endpoint, surroundings.trace_sample_ratio)
    # Where people try things out they want to see all that happens.
    configure_recording(surroundings.record_steps if "record_steps" in surroundings.model_fields_set else 1.0)
    leaving.callback(stop_tracing)
