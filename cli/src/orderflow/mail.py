"""`orderflow mail`: what became of mails, for whoever looks after those that could not be sent."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, TypeVar
from urllib.parse import quote

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.notification.mails import MailState, MailView

from .catching import catch
from .client import Client
from .failure import USAGE, Failure
from .folder import Folder
from .mail_preview import preview
from .options import DEFAULT_FOLDER, Data
from .terminal import printable

T = TypeVar("T")

_MAILS: Final = "/api/v1/mails"
_HEADINGS: Final = ("mail", "message", "recipient", "state", "tries", "written", "error")

MailId = Annotated[str, typer.Argument(metavar="MAIL_ID", help="As `list` shows it.")]
Url = Annotated[
    str | None, typer.Option("--notification-url", metavar="URL", help="A platform elsewhere; needs --token, too.")
]
Token = Annotated[str | None, typer.Option(help="An admin's token for it.")]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="List and show mails, and have those sent again that have failed.",
    epilog="The platform is the one in the data folder, or the one that --notification-url names.",
)
app.command()(catch)
app.command(hidden=find_spec("notification") is None)(preview)


@app.command(name="list")
def list_mails(
    state: Annotated[MailState | None, typer.Option(help="Only these.", case_sensitive=False)] = None,
    message: Annotated[str | None, typer.Option(metavar="NAME", help="Only those that say this.")] = None,
    recipient: Annotated[str | None, typer.Option(metavar="ID", help="A customer's id, or `operations`.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 100,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_FOLDER,
) -> None:
    """What was written, and what became of it."""
    wanted = {"state": state, "message": message, "recipient": recipient}
    query = {name: str(value) for name, value in wanted.items() if value is not None}
    mails = _ask(lambda client: _listed(client, query, limit), url, token, data)
    if not mails:
        typer.echo("There are no such mails.", err=True)
    elif Console().is_terminal:
        Console().print(_table(mails))
    else:
        for mail in mails:
            typer.echo("\t".join(_row(mail)))


@app.command()
def show(mail_id: MailId, url: Url = None, token: Token = None, data: Data = DEFAULT_FOLDER) -> None:
    """One mail: of what it tells whom, how often it was tried, and why it has failed. Never what it says."""
    _print(_ask(lambda client: _shown(client, mail_id), url, token, data))


@app.command()
def send(mail_id: MailId, url: Url = None, token: Token = None, data: Data = DEFAULT_FOLDER) -> None:
    """Have a mail sent again that has failed; it gets all its tries once more."""
    _ask(lambda client: client.post(f"{_path(mail_id)}/sending", {}), url, token, data)
    typer.echo("It is tried again.")


def _ask(question: Callable[[Client], Awaitable[T]], url: str | None, token: str | None, data: Path) -> T:
    client = _client(url, token, data)

    async def ask() -> T:
        async with client:
            return await question(client)

    try:
        return asyncio.run(ask())
    except ValidationError as error:
        raise Failure("What answers there is no Notification of orderflow.") from error


def _client(url: str | None, token: str | None, data: Path) -> Client:
    if (url is None) != (token is None):
        raise Failure("--notification-url and --token go together.", USAGE)
    if url is not None and token is not None:
        return Client(url, token)
    platform = Folder(data).connection()
    if "notification" not in platform.urls:
        raise Failure("The platform in this folder runs without Notification.")
    return Client(platform.urls["notification"], platform.tokens["admin"])


async def _shown(client: Client, mail_id: str) -> MailView:
    return MailView.model_validate(await client.get(_path(mail_id)))


async def _listed(client: Client, query: dict[str, str], limit: int) -> list[MailView]:
    return [MailView.model_validate(mail) async for mail in client.listed(_MAILS, query, most=limit)]


def _path(mail_id: str) -> str:
    return f"{_MAILS}/{quote(mail_id, safe='')}"


def _table(mails: Sequence[MailView]) -> Table:
    table = Table()
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold")
    for mail in mails:
        table.add_row(*(Text(cell) for cell in _row(mail)))
    return table


def _row(mail: MailView) -> list[str]:
    about = (mail.mail_id, mail.message, mail.recipient, mail.state, mail.tries, _time(mail.written_at))
    return [printable(str(cell)) for cell in (*about, mail.last_error or "")]


def _print(mail: MailView) -> None:
    about = {
        "id": mail.mail_id,
        "message": mail.message,
        "recipient": mail.recipient,
        "state": mail.state,
        "event": mail.event_id,
        "happened": _time(mail.happened_at),
        "written": _time(mail.written_at),
        "tries": mail.tries,
        "next try": _time(mail.next_try_at),
        "ended": _time(mail.ended_at),
        "error": mail.last_error or "none",
    }
    for name, value in about.items():
        typer.echo(f"{name + ':':<11}{printable(str(value))}")


def _time(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else "none"
