"""What admins see of mails: what became of each. Neither the address nor the text: those are made when it is sent."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from contracts.text import View

MessageName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""`order_shipped`: which of the messages that there are the mail says."""


class MailState(StrEnum):
    """QUEUED is tried until it is SENT or FAILED; a FAILED one waits for people. UNWANTED: turned off, or erased."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"
    UNWANTED = "UNWANTED"


class MailView(View):
    mail_id: UUID
    message: str
    recipient: str
    """A customer's id, or `operations`."""
    state: MailState
    event_id: str
    """Of what it tells."""
    happened_at: datetime
    written_at: datetime
    tries: int
    next_try_at: datetime | None = None
    last_error: str | None = None
    ended_at: datetime | None = None
    """When it was sent, given up, or found to be unwanted."""
    allowed_actions: list[str]
