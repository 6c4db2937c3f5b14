"""`orderflow mail preview`: what a message looks like, with made-up content. Nothing is sent, nothing has to run."""

import webbrowser
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from contracts.sales.customers import Language

from .failure import USAGE, Failure, in_short

if TYPE_CHECKING:
    from notification.messages.message import Message
    from notification.messages.rendering import Rendered
    from notification.settings import LinkSettings


def preview(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Of the message, as --list shows it.")] = None,
    language: Annotated[Language, typer.Option(help="In which it is written.")] = "en",
    html: Annotated[
        bool | None, typer.Option("--html/--text", help="One form only, as it is, instead of the headers and the text.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to write it; otherwise here.")] = None,
    in_browser: Annotated[bool, typer.Option("--open", help="Open the HTML in the browser.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List the messages there are.")] = False,
) -> None:
    """Show what a message looks like, with made-up content. Nothing is sent."""
    if list_all:
        _list()
        return
    if name is None:
        raise Failure("Which message? --list shows those that there are.", USAGE)
    said = _rendered(name, language)
    if in_browser:
        webbrowser.open(_for_browser(said.html, to).as_uri())
        return
    form = _as_mail(said) if html is None else said.html if html else said.text
    if to is None:
        typer.echo(form, nl=False)
    else:
        _write(to, form)


def _list() -> None:
    messages = _messages()
    width = max(map(len, messages))
    for message in messages.values():
        kind = "essential" if message.topic is None else f"can be turned off: {message.topic}"
        typer.echo(f"{message.name:<{width}}  to {message.audience}, {kind}")


def _rendered(name: str, language: Language) -> "Rendered":
    messages = _messages()
    if name not in messages:
        raise Failure(f"There is no message {name!r}; --list shows those that there are.", USAGE)
    from notification.customers.addressees import Addressee  # noqa: PLC0415
    from notification.messages.rendering import Rendering  # noqa: PLC0415

    somebody = Addressee("customer_demo", "ada@example.org", "Ada Example", language)
    nobody = Addressee("operations", "operations@example.org", language=language)
    message = messages[name]
    addressee = somebody if message.audience == "customer" else nobody
    return Rendering(_letterhead()).render(name, addressee, message.sample)


def _messages() -> "dict[str, Message]":
    # Only the service that sends mails comes with what they say, and asking for a list of mails must not wait for it.
    try:
        from notification.messages.catalogue import MESSAGES  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Failure("Messages can be seen where Notification is installed.") from error
    return dict(MESSAGES)


@dataclass(frozen=True)
class _Letterhead:
    """As if nothing had been set."""

    sender: str
    links: "LinkSettings"
    mail_secret: SecretStr = field(default_factory=lambda: SecretStr("only a preview"))


def _letterhead() -> _Letterhead:
    from notification.settings import LinkSettings, NotificationSettings  # noqa: PLC0415

    return _Letterhead(sender=str(NotificationSettings.model_fields["sender"].default), links=LinkSettings())


def _as_mail(said: "Rendered") -> str:
    headers = {"Subject": said.subject, **said.headers}
    return "".join(f"{name}: {value}\n" for name, value in headers.items()) + f"\n{said.text}"


def _for_browser(html: str, to: Path | None) -> Path:
    if to is None:
        with NamedTemporaryFile(prefix="orderflow-mail-", suffix=".html", delete=False) as new:
            to = Path(new.name)
    _write(to, html)
    return to.absolute()


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{file} cannot be written: {in_short(error)}.") from error
    typer.echo(f"Written to {file}.", err=True)
