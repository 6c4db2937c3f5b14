"""The mails of a platform that writes them into a folder: which of them are about an order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Final

# The clock of a file system is a little behind.
_BEHIND: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class Mail:
    at: datetime
    subject: str


def mails_about(words: str, folder: Path, since: datetime) -> list[Mail]:
    """The oldest first."""
    return sorted(_found(words, folder, since - _BEHIND), key=lambda mail: mail.at)


def _found(words: str, folder: Path, since: datetime) -> Iterator[Mail]:
    for file in folder.glob("*.eml"):
        at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        if at < since:
            continue
        mail = message_from_bytes(file.read_bytes(), policy=policy.default)
        text = mail.get_body(("plain",))
        if text is not None and words in text.get_content():
            yield Mail(at, str(mail["Subject"]))
