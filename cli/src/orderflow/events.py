"""`orderflow events`: what a service could not handle, for whoever must decide what becomes of it."""

import asyncio
import getpass
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chassis import parking
from chassis.broker import InProcessBroker
from chassis.parking import ParkedEvent
from chassis.settings import ServiceSettings

from . import databases, embedded, environment, fleet
from .failure import Failure
from .folder import Folder
from .options import DEFAULT_FOLDER, Data
from .terminal import printable

ServiceName = Annotated[fleet.Name, typer.Argument(metavar="SERVICE", help=f"Whose: {fleet.ONE_OF_THEM}.")]
EventId = Annotated[str, typer.Argument(metavar="EVENT_ID", help="As `list` shows it.")]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="List, show, retry and drop the events that a service could not handle.",
    epilog=databases.WHERE,
)


@app.command(name="list")
def list_parked(
    service: ServiceName,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the oldest first.")] = 100,
    data: Data = DEFAULT_FOLDER,
) -> None:
    """What is parked now."""
    events = asyncio.run(_waiting(service, data, limit))
    if not events:
        typer.echo(f"Nothing is parked in {service}.", err=True)
    elif Console().is_terminal:
        Console().print(_table(events))
    else:
        for event in events:
            typer.echo("\t".join(_row(event)))


@app.command()
def show(service: ServiceName, event_id: EventId, data: Data = DEFAULT_FOLDER) -> None:
    """One event: its body, why it is parked, and its trace."""
    event = asyncio.run(_one(service, data, event_id))
    resolved = f"{_time(event.resolved_at)} ({event.resolution})" if event.resolved_at else "no"
    about = {
        "id": event.event_id,
        "type": event.event_type,
        "attempts": event.attempts,
        "parked": _time(event.parked_at),
        "next attempt": _next(event),
        "resolved": resolved,
        "trace": event.traceparent[3:35] if event.traceparent else "unknown",
        "error": event.error,
    }
    for name, value in about.items():
        typer.echo(f"{name + ':':<14}{printable(str(value))}")
    typer.echo(_pretty(event.body))


@app.command()
def retry(
    service: ServiceName,
    event_id: EventId,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Undo all of it and only say what would happen.")] = False,
    data: Data = DEFAULT_FOLDER,
) -> None:
    """Let the service's reaction handle a parked event now."""
    error = asyncio.run(_retry(service, data, event_id, dry_run))
    if error is not None:
        raise Failure(f"{'It would fail again' if dry_run else 'It has failed again'}: {printable(error)}")
    typer.echo("It would be handled; nothing was changed." if dry_run else "Handled.")


@app.command()
def drop(
    service: ServiceName,
    event_id: EventId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: Data = DEFAULT_FOLDER,
) -> None:
    """Decide that a parked event is never handled; it stays on record, and so does who decided."""
    event = asyncio.run(_one(service, data, event_id))
    if not yes:
        typer.confirm(f"Drop {printable(event.event_type)} {printable(event_id)} for good?", abort=True)
    asyncio.run(_drop(service, data, event_id))
    typer.echo("Dropped.")


async def _waiting(service: fleet.Name, data: Path, limit: int) -> Sequence[ParkedEvent]:
    async with databases.reached(service, data) as database, database.begin() as session:
        return await parking.waiting(session, limit)


async def _one(service: fleet.Name, data: Path, event_id: str) -> ParkedEvent:
    async with databases.reached(service, data) as database, database.begin() as session:
        event = await parking.find(session, event_id)
    if event is None:
        raise Failure(f"{service} has parked no event {printable(event_id)}.")
    return event


async def _drop(service: fleet.Name, data: Path, event_id: str) -> None:
    async with databases.reached(service, data) as database, database.begin() as session:
        await parking.drop(session, event_id, f"operator:{getpass.getuser()}", datetime.now(UTC))


async def _retry(service: fleet.Name, data: Path, event_id: str, dry_run: bool) -> str | None:
    # What the reaction publishes is in the outbox then: the running service sends it.
    built = fleet.build(service, _settings(service, data), InProcessBroker())
    async with databases.closing(built.database):
        return await built.consumer.retry(event_id, dry_run=dry_run)


def _settings(service: fleet.Name, data: Path) -> ServiceSettings:
    if databases.variable(service) in os.environ:
        return environment.read(fleet.settings_of(service))
    folder = Folder(data)
    return embedded.settings(service, folder.keys(), folder.connection())


def _table(events: Sequence[ParkedEvent]) -> Table:
    now = datetime.now(UTC)
    table = Table(show_lines=True)
    table.add_column("event, error", overflow="fold")
    for heading in ("type", "attempts", "parked for", "again in"):
        table.add_column(heading, no_wrap=True)
    for event in events:
        again = _span(event.next_attempt_at - now) if event.next_attempt_at else "never"
        which = Text(f"{printable(event.event_id)}\n{printable(event.error)}")
        kind = Text(printable(event.event_type))
        table.add_row(which, kind, str(event.attempts), _span(now - event.parked_at), again)
    return table


def _span(time: timedelta) -> str:
    seconds = max(0, round(time.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _row(event: ParkedEvent) -> list[str]:
    cells = (event.event_id, event.event_type, str(event.attempts), _time(event.parked_at), _next(event), event.error)
    return [printable(cell) for cell in cells]


def _next(event: ParkedEvent) -> str:
    return _time(event.next_attempt_at) if event.next_attempt_at else "none"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2)
    except ValueError:
        return printable(body.decode(errors="replace"))
