"""`orderflow sequences`: checks and draws the designs, and shows what really happened beside them."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from sequences.checking import check as find_faults
from sequences.comparing import compare as find_differences
from sequences.comparing import expected
from sequences.deriving import derive as draft
from sequences.drawing import Beside, Exchange, documents
from sequences.measured import Measured
from sequences.mermaid import observed_diagram
from sequences.observing import Happened, Recorded, as_steps, observe
from sequences.participants import ROLES
from sequences.reading import Designs, read
from sequences.seeing import Run, as_call, begun
from sequences.walking import explain, is_designed

from . import known, records
from .failure import USAGE, Failure
from .options import DEFAULT_FOLDER, Data
from .terminal import printable

_FAULTS: Final = 1
_ID: Final = re.compile(r"SEQ-[A-Z]+-\d{3}")
_STALE: Final = "Run `orderflow sequences draw` and commit what it writes."

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Check, draw and observe the sequence designs.")

Docs = Annotated[
    Path, typer.Option("--docs", metavar="DIR", help="The folder that holds sequences/, adr/ and rules.md.")
]
DOCS: Final = Path("docs")
Order = Annotated[UUID | None, typer.Option("--order", metavar="ID", help="All that was done about this order.")]
Trace = Annotated[str | None, typer.Option("--trace", metavar="ID", help="All that belongs to this trace.")]


@app.command()
def check(docs: Docs = DOCS) -> None:
    """Check the designs against their form, the contracts, the transition tables and the code, and what is drawn."""
    faults = [str(fault) for fault in find_faults(_designs(docs), known.language(docs))]
    stale = [] if faults else _stale(docs)
    for line in [*faults, *stale]:
        typer.echo(line, err=True)
    if stale:
        typer.echo(_STALE, err=True)
    if faults or stale:
        raise typer.Exit(_FAULTS)
    designs = _designs(docs).all
    typer.echo(
        f"{len(designs)} sequences with {sum(len(each.exceptions) for each in designs)} other paths: all is well."
    )


@app.command()
def draw(docs: Docs = DOCS) -> None:
    """Draw the documents anew."""
    folder = docs / "sequences" / "drawn"
    folder.mkdir(exist_ok=True)
    wanted = documents(_designs(docs).all, _beside(docs))
    for old in set(folder.iterdir()) - {folder / name for name in wanted}:
        old.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text)
    typer.echo(f"{len(wanted)} documents are in {folder}.")


@app.command("observe")
def show(
    order: Order = None,
    trace: Trace = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a diagram.")] = False,
    data: Data = DEFAULT_FOLDER,
) -> None:
    """Show what happened to an order of a running system: each step, and how long it took or waited."""
    happened = observe(_recorded(order, trace, data))
    if mermaid:
        typer.echo(observed_diagram([one.call for one in happened]))
    else:
        Console().print(as_tree(happened))


@app.command()
def compare(order: Order = None, trace: Trace = None, docs: Docs = DOCS, data: Data = DEFAULT_FOLDER) -> None:
    """Compare what happened in a running system with the designs; ends with 1 where they differ."""
    steps = as_steps(_recorded(order, trace, data))
    found = begun(steps, _designs(docs).all)
    if not found:
        raise Failure("No sequence that is designed was begun there.")
    differs = False
    for readings in found:
        designed = [run.sequence for run in readings if is_designed(run.sequence, run.calls)]
        for sequence in designed:
            typer.echo(f"{sequence.id} {sequence.name}: as designed.")
        if not designed:
            differs = True
            typer.echo(_nearest(readings))
    raise typer.Exit(_FAULTS if differs else 0)


@app.command()
def derive(
    sequence_id: Annotated[str, typer.Argument(metavar="ID", help="Of the new design, as SEQ-ORD-007.")],
    order: Order = None,
    trace: Trace = None,
    data: Data = DEFAULT_FOLDER,
) -> None:
    """Make a draft of a design from what happened in a running system."""
    if not _ID.fullmatch(sequence_id):
        raise Failure("The id of a design is such as SEQ-ORD-007.", USAGE)
    calls = [as_call(step) for step in as_steps(_recorded(order, trace, data))]
    typer.echo(json.dumps(draft(sequence_id, calls), indent=2))


def _nearest(readings: Sequence[Run]) -> str:
    """What the run differs in from that of the designs which begin so that it is most like."""
    differences = [find_differences(expected(run.sequence), run.calls) for run in readings]
    fewest, run = min(zip(differences, readings, strict=True), key=lambda each: len(each[0]))
    return explain(run.sequence, None, fewest, run.calls)


def _designs(docs: Path) -> Designs:
    if not (docs / "sequences").is_dir():
        raise Failure(f"There are no designs in {docs}: name the folder by --docs.", USAGE)
    return read(docs / "sequences")


def _stale(docs: Path) -> Iterator[str]:
    folder = docs / "sequences" / "drawn"
    wanted = documents(_designs(docs).all, _beside(docs))
    present = {path.name: path.read_text() for path in folder.iterdir()} if folder.is_dir() else {}
    for name in sorted(wanted.keys() | present.keys()):
        if name not in present:
            yield f"{folder / name} is missing."
        elif name not in wanted:
            yield f"{folder / name} shows nothing that is designed."
        elif present[name] != wanted[name]:
            yield f"{folder / name} is out of date."


def _beside(docs: Path) -> Beside:
    seen = _json(docs / "sequences" / "seen" / "exchanges.json")
    measured = Measured.model_validate(_json(docs / "sequences" / "seen" / "timings.json"))
    return Beside(
        roles=ROLES,
        lives=known.lives(),
        rules=known.rules(docs),
        adrs=known.adrs(docs),
        exchanges={id: {path: Exchange(**one) for path, one in paths.items()} for id, paths in seen.items()},
        timings=measured.sequences,
        measured=measured.measured,
    )


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def _recorded(order: UUID | None, trace: str | None, data: Path) -> list[Recorded]:
    if (order is None) == (trace is None):
        raise Failure("Name an order by --order, or a trace by --trace.", USAGE)
    if order is not None:
        return asyncio.run(records.of_order(order, data))
    return asyncio.run(records.of_trace(trace or "", data))


def as_tree(happened: list[Happened]) -> Tree:
    """Steps inside of those that they were done for."""
    start = happened[0].at
    root = Tree(f"{start:%Y-%m-%d %H:%M:%S.%f} UTC")
    branches: dict[str | None, Tree] = {}
    for one in happened:
        after = f"{_ms((one.at - start).total_seconds())}  "
        line = (
            Text(after, "dim")
            .append(printable(str(one.call)), "not dim")
            .append(f"  {_ms(one.took.total_seconds())}", "cyan")
        )
        if one.call.event:
            line.append(f"  {one.call.event}", "green")
        if one.call.error:
            line.append(f"  {one.call.error}", "red")
        if one.after:
            waits = f"outbox {_ms(one.after.outbox.total_seconds())}, queue {_ms(one.after.queue.total_seconds())}"
            line.append(f"  after {one.after.event_type}: {waits}", "yellow")
        branches[one.id] = branches.get(one.inside, root).add(line)
    return root


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
