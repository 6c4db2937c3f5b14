"""`orderflow token`: signs an access token for a person, as a log-in would."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from chassis.keys import Signer

from .failure import USAGE, Failure
from .folder import Folder
from .options import DEFAULT_FOLDER, Data, span

Person = Literal["customer", "warehouse", "admin"]

DEMO_CUSTOMER: Final = "customer_demo"
"""The customer that Sales' seed makes."""
_LOGIN_KEY: Final = "SALES_ACCOUNTS__LOGIN_KEY"

app = typer.Typer(add_completion=False)

Role = Annotated[Person, typer.Argument(metavar="ROLE", help="What its bearer may do: customer, warehouse or admin.")]
Subject = Annotated[str | None, typer.Option(metavar="NAME", help="Its bearer.  [default: the demo customer]")]
Lives = Annotated[str, typer.Option(metavar="TIME", help="How long it is valid: 30m, 12h, 7d.")]


@app.command()
def token(role: Role, subject: Subject = None, lives: Lives = "12h", data: Data = DEFAULT_FOLDER) -> None:
    """Print an access token.

    It is signed with SALES_ACCOUNTS__LOGIN_KEY (a JWK), as Sales does at log-in, or else with the key of the platform
    in the data folder.
    """
    life = span(lives)
    typer.echo(person_token(_signer(data), role, life, subject))


def person_token(signer: Signer, role: Person, lives: timedelta, subject: str | None = None) -> str:
    return signer.token(subject or (DEMO_CUSTOMER if role == "customer" else f"{role}_demo"), [role], lives=lives)


def _signer(data: Path) -> Signer:
    given = os.environ.get(_LOGIN_KEY)
    if given is None:
        return Folder(data).keys().people_signer()
    try:
        return Signer(given)
    except Exception as error:
        raise Failure(f"{_LOGIN_KEY} is not a private Ed25519 key as a JWK.", USAGE) from error
