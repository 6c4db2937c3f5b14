"""`orderflow mail catch`: a mail server for development, which keeps every mail and sends none on."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from chassis.serving import stop_on_signals

from .failure import Failure, in_short

PORT: Final = 2525


def catch(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Where it listens.")] = PORT,
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where the mails go, a file each.")] = Path("caught"),
    host: Annotated[str, typer.Option(help="On which of this machine's addresses.")] = "127.0.0.1",
) -> None:
    """Take mails by SMTP, keep each as a file, say a line about it, and send none on; until Ctrl-C.

    For development: it asks nobody for a password and knows no TLS (NOTIFICATION_SMTP__TLS=none).
    """
    asyncio.run(_catch(folder.absolute(), host, port))


async def _catch(folder: Path, host: str, port: int) -> None:
    # Only the service that sends mails comes with what takes them.
    try:
        from notification.catcher import catch as begin  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Failure("Mails can be caught where Notification is installed.") from error
    stop = stop_on_signals()
    try:
        server = await begin(folder, host, port, typer.echo)
    except OSError as error:
        raise Failure(f"Mails cannot be caught at {host}:{port} into {folder}: {in_short(error)}.") from error
    async with server:
        typer.echo(f"Catching mails at {host}:{port} into {folder}.")
        await stop.wait()
