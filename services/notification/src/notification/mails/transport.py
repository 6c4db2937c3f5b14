"""The ways on which mails leave, SMTP and a folder, as the sending sees them; and how they say that one has not."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

from chassis.breaker import Unreached

_LONGEST_ANSWER: Final = 200
# An address, or what may be a token: filters quote what they do not like.
_PRIVATE: Final = re.compile(r"[^\s<>()]*@[^\s<>()]*|[\w.-]{60,}")
_SHORTEST_NAME: Final = 2


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail as it leaves."""

    mail_id: UUID
    message_id: str
    sender: str = field(repr=False)
    recipients: Sequence[str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def domain(self) -> str:
        """Whose mail server takes it in the end; the one of several recipients that is named first."""
        return self.recipients[0].rpartition("@")[2]


class Transport(Protocol):
    connections: int
    """So many mails can leave at once."""
    longest: timedelta
    """No sending takes longer than this."""

    async def send(self, mail: Composed) -> str | None:
        """Returns once somebody else is answerable for the mail, with the file that it is in, if there is one."""
        ...

    async def close(self) -> None: ...


class Rejected(Exception):
    """The server will never take this mail."""


class NotNow(Exception):
    """The server may take this mail another time."""


class Interrupted(Unreached):
    """The conversation broke off in the midst of this mail: it may have left, and it may be to blame."""


class ServerAway(Unreached):
    """The server could not be reached, or takes no mail at all at the moment: that says nothing about this one."""


def in_their_words(code: int, words: str, recipients: Sequence[str] = ()) -> str:
    """A server's answer, fit to be kept: on one line, and without the address or token that it may repeat."""
    line = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in words)
    line = _PRIVATE.sub("…", line)
    for name in (recipient.partition("@")[0] for recipient in recipients):
        if len(name) >= _SHORTEST_NAME:
            line = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", line, flags=re.IGNORECASE)
    return f"{code} {' '.join(line.split())}".strip()[:_LONGEST_ANSWER]
