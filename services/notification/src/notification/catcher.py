"""A mail server for development: takes every mail, keeps each as a file, and sends none on."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path
from typing import Final
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session

from .mails.folder import write_whole

_TAKEN: Final = "250 Kept, and sent to nobody"
_TOO_LARGE: Final = 10 * 1024 * 1024


class Catcher:
    """What aiosmtpd asks when a mail has come; `tell` gets a line about each."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (its name)
        content = envelope.original_content or b""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{uuid4().hex[:8]}.eml"
        await asyncio.to_thread(write_whole, self._folder, name, content)
        said = message_from_bytes(content, policy=policy.default)
        self._tell(_in_a_line(f"{name}  to {', '.join(envelope.rcpt_tos)}: {_subject(said)}"))
        return _TAKEN


async def catch(folder: Path, host: str, port: int, tell: Callable[[str], None]) -> asyncio.Server:
    """A server that runs until it is closed. Names and passwords are asked of nobody."""
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    catcher = Catcher(folder, tell)
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: SMTP(catcher, hostname="catcher", data_size_limit=_TOO_LARGE, enable_SMTPUTF8=True, loop=loop),
        host,
        port,
    )


def _subject(mail: Message) -> str:
    return str(mail["Subject"] or "(no subject)")


def _in_a_line(words: str) -> str:
    """What comes from outside must not write lines of its own, nor move the cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in words)
