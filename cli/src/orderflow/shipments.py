"""`orderflow shipments`: what waits to be packed, and dispatching what a file names."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from contracts.delivery.desk import WaitingParcel

from .client import Client
from .dispatch_form import BadLine, Line, read_lines
from .dispatching import ALREADY, DISPATCHED, REFUSED, Dispatching, Manner, Tally
from .failure import USAGE, Failure
from .folder import Folder
from .options import DEFAULT_FOLDER, Data, span
from .terminal import printable

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="List what waits to be packed, and dispatch what a file names.",
    epilog="Delivery is that of the platform in the data folder, or the one that --delivery-url names.",
)

DeliveryUrl = Annotated[str | None, typer.Option(metavar="URL", help="A Delivery elsewhere; needs --token, too.")]
Token = Annotated[str | None, typer.Option(help="A token of the warehouse's for it.")]


@app.command()
def dispatch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV in UTF-8; its first line names the columns.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen, as things stand.")] = False,
    within: Annotated[str, typer.Option(metavar="TIME", help="How long to wait while Product is away.")] = "1m",
    data: Data = DEFAULT_FOLDER,
    delivery_url: DeliveryUrl = None,
    token: Token = None,
) -> None:
    """Dispatch many parcels.

    Columns: shipment_id, or order_id where the order has one parcel that can be dispatched; carrier and
    tracking_number, which may be left empty where the carrier has its numbers from us. After an interruption do it
    again: what has left just so counts as done.
    """
    lines = read_lines(file)
    delivery = _reached(data, delivery_url, token)
    manner = Manner(dry_run, span(within))
    with _progress(len(lines)) as on_batch:
        tally = asyncio.run(_dispatch(delivery, lines, manner, on_batch))
    _conclude(tally, manner)


@app.command(name="list")
def list_waiting(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the oldest first.")] = 100,
    data: Data = DEFAULT_FOLDER,
    delivery_url: DeliveryUrl = None,
    token: Token = None,
) -> None:
    """The work list: what is ready and nobody dispatches."""
    found = asyncio.run(_waiting(_reached(data, delivery_url, token), limit))
    if not found:
        typer.echo("Nothing waits to be packed.", err=True)
    elif Console().is_terminal:
        Console().print(_table(found))
    else:
        for parcel in found:
            typer.echo("\t".join(_row(parcel)))


async def _dispatch(
    delivery: Client, lines: Sequence[Line | BadLine], manner: Manner, on_batch: Callable[[int], None]
) -> Tally:
    async with delivery:
        return await Dispatching(delivery, manner, _say).dispatch(lines, on_batch)


async def _waiting(delivery: Client, limit: int) -> list[WaitingParcel]:
    async with delivery:
        return [WaitingParcel.model_validate(item) async for item in delivery.listed("/api/v1/work-list", most=limit)]


def _reached(data: Path, delivery_url: str | None, token: str | None) -> Client:
    if (delivery_url is None) != (token is None):
        raise Failure("--delivery-url and --token go together.", USAGE)
    if delivery_url is not None and token is not None:
        return Client(delivery_url, token)
    platform = Folder(data).connection()
    return Client(platform.urls["delivery"], platform.tokens["warehouse"])


def _conclude(tally: Tally, manner: Manner) -> None:
    typer.echo(f"{tally[DISPATCHED]:,} dispatched, {tally[ALREADY]:,} had left before, {tally[REFUSED]:,} refused.")
    if manner.dry_run:
        typer.echo("This was a dry run: nothing was dispatched.")
    if tally[REFUSED]:
        raise typer.Exit(1)


def _say(bad: BadLine) -> None:
    where = f"line {bad.number}, {bad.field}" if bad.field else f"line {bad.number}"
    typer.echo(printable(f"{where}: {bad.message} ({bad.code})"), err=True)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Dispatching", total=total)
        yield lambda lines: progress.advance(task, lines)


def _table(found: Sequence[WaitingParcel]) -> Table:
    table = Table()
    for heading in ("shipment", "order", "waits", "to", "pieces", "pick list"):
        table.add_column(heading, no_wrap=heading == "shipment")
    for parcel in found:
        table.add_row(*map(Text, _row(parcel)))
    return table


def _row(parcel: WaitingParcel) -> list[str]:
    shipment, address = parcel.shipment, parcel.shipment.shipping_address
    waits = str(timedelta(seconds=int((datetime.now(UTC) - shipment.created_at).total_seconds())))
    place = f"{address.country} {address.postal_code} {address.city}"
    pieces = str(sum(item.quantity for item in shipment.items))
    cells = (str(shipment.shipment_id), str(shipment.order_id), waits, place, pieces, str(parcel.pick_list_id or ""))
    return [printable(cell) for cell in cells]
