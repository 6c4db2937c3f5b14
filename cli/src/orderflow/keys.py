"""`orderflow keys`: a new set of keys for a platform, as the environment that `orderflow serve` reads."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from . import fleet
from .failure import Failure, in_short
from .folder import Keys, new_keys

app = typer.Typer(add_completion=False)

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A new file, for its owner only; without one they are printed.")
]


@app.command()
def keys(file: File = None) -> None:
    """Make the keys of a new platform, as an environment file.

    Each service needs the lines that begin with its name; ORDERFLOW_SIGNING_KEY signs people's tokens.
    """
    lines = "".join(f"{line}\n" for line in _environment(new_keys(fleet.NAMES)))
    if file is None:
        typer.echo(lines, nl=False)
        return
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(lines)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {in_short(error)}.") from error


def _environment(made: Keys) -> Iterator[str]:
    for name, key in made.services.items():
        yield f"{name.upper()}_TRUSTED_KEYS='{made.trusted}'"
        yield f"{name.upper()}_SIGNING_KEY='{json.dumps(key)}'"
    yield f"DELIVERY_CARRIER_SECRET='{made.carrier_secret}'"
    yield f"ORDERFLOW_SIGNING_KEY='{json.dumps(made.people)}'"
