"""`orderflow check`: whether the books of all services agree, and which of their rows do not."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from chassis.errors import Refused

from . import databases, fleet
from .failure import USAGE, Failure, in_short
from .laws import LAWS
from .laws.books import Books
from .laws.inspecting import Findings, Inspection, Offence
from .options import DEFAULT_FOLDER, Data, span
from .terminal import printable

_BROKEN: Final = 1
UNKNOWN: Final = 3
"""The exit code where the books could not be read to their end: neither that all is well, nor that it is not."""

app = typer.Typer(add_completion=False)


@app.command(epilog=databases.WHERE)
def check(
    patience: Annotated[
        str, typer.Option(metavar="TIME", help="How long something must stay broken; 0s for a system at rest.")
    ] = "30s",
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    data: Data = DEFAULT_FOLDER,
) -> None:
    """Check that nothing is lost and nothing doubled: stock, orders, parcels, money, events and mails.

    It reads the databases of all services and compares them, while everything runs. What is under way is no offence:
    what looks broken is looked at again until it is mended, or has stayed broken for as long as --patience says.

    Ends with 0 when every law holds, with 1 when one is broken, with 3 when a database could not be read.
    """
    waits = span(patience, or_none=True)
    findings = asyncio.run(_inspect(_urls(data), waits))
    if as_json:
        typer.echo(json.dumps(_for_machines(findings, waits), indent=2))
    else:
        _show(findings)
    if findings.offences:
        raise typer.Exit(_BROKEN)


def _urls(data: Path) -> dict[fleet.Name, str]:
    try:
        return {service: databases.database_url(service, data) for service in fleet.NAMES}
    except Failure as failure:
        raise Failure(str(failure), USAGE) from failure


async def _inspect(urls: dict[fleet.Name, str], patience: timedelta) -> Findings:
    try:
        async with Books.opened(urls) as books:
            return await Inspection(books, patience).run(LAWS)
    except (Refused, SQLAlchemyError) as error:
        raise Failure(f"The books cannot be read: {in_short(error)}", UNKNOWN) from error


def _show(findings: Findings) -> None:
    seen = ", ".join(f"{count:,} of {table}" for table, count in sorted(findings.seen.items())) or "empty books"
    if not findings.offences:
        typer.echo(f"All {len(LAWS)} laws hold. Looked at: {seen}.")
        return
    if Console().is_terminal:
        Console().print(_table(findings.offences))
    else:
        for each in findings.offences:
            typer.echo("\t".join(map(printable, (each.law.name, ",".join(each.law.services), each.id, each.stands))))
    for law in findings.cut_short:
        typer.echo(f"{law.name} is broken so often that the rest was not looked at.", err=True)
    broken = len({each.law.name for each in findings.offences})
    typer.echo(f"{broken} of {len(LAWS)} laws are broken, by {len(findings.offences):,}. Looked at: {seen}.", err=True)


def _table(offences: Sequence[Offence]) -> Table:
    table = Table(show_lines=True)
    for heading in ("law", "broken by", "what stands where"):
        table.add_column(heading, overflow="fold")
    for each in offences:
        law = Text(f"{each.law.name}\n", "bold").append(Text(each.law.says, "not bold"))
        table.add_row(law, Text(printable(each.id)), Text(printable(each.stands)))
    return table


def _for_machines(findings: Findings, patience: timedelta) -> dict[str, Any]:
    return {
        "holds": not findings.offences,
        "laws": len(LAWS),
        "patience_seconds": patience.total_seconds(),
        "looked_at": dict(sorted(findings.seen.items())),
        "offences": [
            {
                "law": each.law.name,
                "says": each.law.says,
                "services": each.law.services,
                "id": each.id,
                "stands": each.stands,
            }
            for each in findings.offences
        ],
        "cut_short": [law.name for law in findings.cut_short],
    }
