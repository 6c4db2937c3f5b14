"""Mails into a folder, a file each, for whoever tries orderflow out: whole or not at all, for nobody else's eyes."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .transport import Composed, ServerAway


class FolderTransport:
    connections = 4
    longest = timedelta(seconds=10)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, mail: Composed) -> str:
        now = datetime.now(UTC)
        name = f"{now:%Y%m%dT%H%M%S.%fZ}-{mail.mail_id}.eml"
        try:
            await asyncio.to_thread(write_whole, self._folder, name, mail.content)
        except OSError as error:
            raise ServerAway(f"The folder cannot be written to: {os.strerror(error.errno or 0)}.") from None
        return name

    async def close(self) -> None:
        """There is nothing to let go of."""


def write_whole(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Not `.eml` yet: whoever looks into the folder meanwhile must not find half a mail.
    new = folder / f".{name}.new"
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / name)
