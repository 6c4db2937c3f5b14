"""`orderflow catalogue`: the products of the shop out of a file, and into one."""

import asyncio
import csv
import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from product.catalog.csv_form import BadLine, WrongFile, escaped, read_lines
from product.catalog.exporting import export_catalogue
from product.catalog.importing import Manner, Summary, import_catalogue
from product.settings import CatalogueSettings

from . import databases, environment
from .failure import Failure, in_short
from .options import DEFAULT_FOLDER, Data
from .terminal import printable

_SAID_EVERY: Final = 5_000


class OnError(StrEnum):
    STOP = "stop"
    SKIP = "skip"


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Import the catalogue from a CSV file, or export it to one.",
    epilog="The database is the one that PRODUCT_DATABASE_URL names, or that of the platform in the data folder.",
)


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV in UTF-8; its first line names the columns.")],
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="stop: all of the file or nothing. skip: leave the bad lines out.")
    ] = OnError.STOP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Undo all of it and only say what would happen.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Where to list the bad lines, as CSV.")
    ] = None,
    data: Data = DEFAULT_FOLDER,
) -> None:
    """Create and change products and variants.

    Each line is a product or, if it has a SKU, a variant of one that exists or stands further up; there the product's
    own columns say nothing. A cell that is left empty leaves what is there as it is. Stock is taken in with
    what is new, and never changed.
    """
    rules = environment.read(CatalogueSettings)
    manner = Manner(
        by=f"operator:{getpass.getuser()}",
        currency=rules.currency,
        deepest=rules.category_depth,
        all_or_nothing=on_error is OnError.STOP,
        dry_run=dry_run,
    )
    with ExitStack() as stack:
        lines = stack.enter_context(_opened(file, "rb"))
        on_bad = stack.enter_context(_bad_lines(report))
        on_batch = stack.enter_context(_progress(lines))
        summary = asyncio.run(_import(lines, manner, data, on_bad, on_batch))
    _conclude(summary, manner)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Standard output, if it is left out.")] = None,
    data: Data = DEFAULT_FOLDER,
) -> None:
    """Write all products and variants as `import` takes them."""
    if file is None:
        text = typer.get_text_stream("stdout", encoding="utf-8")
        asyncio.run(_export(text, data))
        return
    # Whoever finds the file finds it whole.
    unfinished = file.with_name(f"{file.name}.part")
    try:
        with _opened(unfinished, "w") as text:
            written = asyncio.run(_export(text, data))
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    typer.echo(f"{written:,} lines in {file}.", err=True)


async def _import(
    lines: BinaryIO,
    manner: Manner,
    data: Path,
    on_bad: Callable[[BadLine], None],
    on_batch: Callable[[Summary], None],
) -> Summary:
    async with databases.reached("product", data) as database:
        try:
            return await import_catalogue(database, read_lines(lines), manner, on_bad=on_bad, on_batch=on_batch)
        except WrongFile as wrong:
            on_bad(BadLine(1, "", wrong.code, wrong.message))
            raise Failure("The file is no catalogue; nothing was changed.") from wrong


async def _export(text: TextIO, data: Path) -> int:
    async with databases.reached("product", data) as database:
        return await export_catalogue(database, text)


def _conclude(summary: Summary, manner: Manner) -> None:
    typer.echo(
        f"{summary.created:,} created, {summary.changed:,} changed, {summary.unchanged:,} unchanged,"
        f" {summary.refused:,} refused."
    )
    if manner.dry_run:
        typer.echo("This was a dry run: nothing was changed.")
    elif not summary.is_done:
        typer.echo("Nothing was changed, because of the lines that were refused.")
    if summary.refused:
        raise typer.Exit(1)


@contextmanager
def _bad_lines(report: Path | None) -> Iterator[Callable[[BadLine], None]]:
    """They are said as they are found, so that there may be any number of them."""
    with ExitStack() as stack:
        writer = csv.writer(stack.enter_context(_opened(report, "w"))) if report else None
        if writer:
            writer.writerow(["line", "field", "code", "message"])

        def say(bad: BadLine) -> None:
            where = f"line {bad.number}, {bad.field}" if bad.field else f"line {bad.number}"
            typer.echo(printable(f"{where}: {bad.message} ({bad.code})"), err=True)
            if writer:
                writer.writerow([bad.number, *map(escaped, (bad.field, bad.code, bad.message))])

        yield say


@contextmanager
def _progress(lines: BinaryIO) -> Iterator[Callable[[Summary], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _say_now_and_then
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Importing", total=max(1, os.fstat(lines.fileno()).st_size))

        def show(summary: Summary) -> None:
            progress.update(task, completed=lines.tell(), description=f"{summary.lines:,} lines")

        yield show


def _say_now_and_then(summary: Summary) -> None:
    if summary.lines % _SAID_EVERY == 0:
        typer.echo(f"{summary.lines:,} lines", err=True)


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[Any]:
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        file = path.open(mode, **text)
    except OSError as error:
        raise Failure(f"{path} cannot be opened: {in_short(error)}.") from error
    with file:
        yield file
