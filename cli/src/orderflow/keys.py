"""`orderflow keys`: the keys and passwords of a new platform, as the environment that its services are started with."""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from . import fleet
from .failure import Failure, in_short
from .folder import OPERATIONS, Keys, new_keys

app = typer.Typer(add_completion=False)

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A new file, for its owner only; without one they are printed.")
]
Demo = Annotated[
    bool, typer.Option("--demo", help="Ask for the demo, too: its catalogue, its customer, the autopilot.")
]


@app.command()
def keys(file: File = None, demo: Demo = False) -> None:
    """Make the keys and passwords of a new platform, as an environment file.

    A service needs the lines that begin with its name. The passwords are for Docker Compose, which reads all of it as
    `.env`.
    """
    lines = "".join(f"{line}\n" for line in _environment(new_keys(fleet.NAMES), demo=demo))
    if file is None:
        typer.echo(lines, nl=False)
        return
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(lines)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {in_short(error)}.") from error


def _environment(made: Keys, *, demo: bool) -> Iterator[str]:
    for name, key in made.services.items():
        yield f"{name.upper()}_TRUSTED_KEYS='{made.trusted}'"
        yield f"{name.upper()}_SIGNING_KEY='{json.dumps(key)}'"
        yield f"{name.upper()}_DATABASE_PASSWORD={_password()}"
        yield f"{name.upper()}_RABBITMQ_PASSWORD={_password()}"
    yield f"SALES_ACCOUNTS__LOGIN_KEY='{json.dumps(made.people)}'"
    yield f"SALES_ACCOUNTS__MAIL_SECRET={made.mail_secret}"
    yield f"NOTIFICATION_MAIL_SECRET={made.mail_secret}"
    # Below where it is started: whoever names an SMTP server takes this line away.
    yield "NOTIFICATION_FOLDER=mail"
    yield f"DELIVERY_CARRIER_SECRET='{made.carrier_secret}'"
    yield f"POSTGRES_PASSWORD={_password()}"
    if demo:
        yield "COMPOSE_PROFILES=demo"
        yield "DELIVERY_AUTOPILOT=true"
        yield f"NOTIFICATION_OPERATIONS={OPERATIONS}"


def _password() -> str:
    """Fit to stand in a URL as it is."""
    return secrets.token_hex(24)
