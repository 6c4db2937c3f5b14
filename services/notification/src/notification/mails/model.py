"""The life of a mail. Rules only: no I/O, no clock, no framework."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from chassis.errors import Conflict
from contracts.notification.mails import MailState

QUEUED, SENT, FAILED, UNWANTED = MailState.QUEUED, MailState.SENT, MailState.FAILED, MailState.UNWANTED

NEXT: Final[Mapping[MailState, set[MailState]]] = {
    QUEUED: {SENT, FAILED, UNWANTED},
    FAILED: {QUEUED},
    SENT: set(),
    UNWANTED: set(),
}
ACTIONS: Final = {QUEUED: "send"}
"""What people can do to bring a mail there; all else happens by itself."""

OFTEN_BEGUN: Final = 2
"""From then on a mail is begun while no other is: it may be what ends the process, and must not take others with it."""
MOST_BEGUN: Final = 5
"""So often a mail is begun without anybody marking how it ended: it may be what ends the process, and it may have left
each time."""

OPERATIONS: Final = "operations"
"""The recipient who is no customer; the settings say which addresses that means."""


class InvalidStatusTransition(Conflict):
    code = "INVALID_STATUS_TRANSITION"

    def __init__(self, current: MailState, wanted: MailState) -> None:
        super().__init__(f"A mail that is {current} cannot become {wanted}.")


@dataclass(slots=True)
class Mail:
    id: UUID
    event_id: str
    message: str
    recipient: str
    about: Mapping[str, Any]
    at: datetime
    """When that happened which the mail tells of: a customer's mails go in this order."""
    written_at: datetime
    traceparent: str | None
    state: MailState
    tries: int
    next_try_at: datetime
    queued_at: datetime
    """Since when it waits for nothing but being sent: not while it stands behind another; once more since people had it
    sent again."""
    leased_until: datetime | None = None
    """Somebody is sending it, and has until then to mark it. No two claims of one mail end at the same time."""
    behind: bool = False
    """An older one of the same customer waits: this one is not looked for until that one is over."""
    begun: int = 0
    """How often it was claimed since somebody marked it last."""
    last_error: str | None = None
    ended_at: datetime | None = None

    @property
    def allowed_actions(self) -> list[str]:
        return [action for state, action in ACTIONS.items() if state in NEXT[self.state]]

    @property
    def never_ends(self) -> bool:
        return self.begun > MOST_BEGUN

    def sent(self, now: datetime) -> None:
        self._become(SENT)
        self.tries += 1
        self.last_error, self.ended_at = None, now

    def postpone(self, reason: str, delay: timedelta | None, now: datetime) -> None:
        """This try has failed; without a delay it was the last one."""
        if delay is None:
            self.fail(reason, now)
            return
        self.tries += 1
        self.last_error, self.next_try_at = reason, now + delay

    def fail(self, reason: str, now: datetime) -> None:
        self._become(FAILED)
        self.tries += 1
        self.last_error, self.ended_at = reason, now

    def turn_down(self, reason: str, now: datetime) -> None:
        """Nobody wants it any more, or there is nobody left."""
        self._become(UNWANTED)
        self.last_error, self.ended_at = reason, now

    def put_back(self, until: datetime, reason: str | None) -> None:
        """Not tried: whatever stood in the way had nothing to do with this mail."""
        self.next_try_at = until
        self.last_error = reason or self.last_error

    def come_forward(self, now: datetime) -> None:
        """The one before it is over."""
        self.queued_at = now

    def queue_again(self, now: datetime) -> None:
        self._become(QUEUED)
        self.tries, self.behind, self.ended_at = 0, False, None
        self.queued_at = self.next_try_at = now

    def _become(self, state: MailState) -> None:
        if state not in NEXT[self.state]:
            raise InvalidStatusTransition(self.state, state)
        self.state = state
