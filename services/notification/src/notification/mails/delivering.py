"""One try to send one mail: rendered, composed, handed over. What came of it is said on the mail, and nowhere else."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from chassis.breaker import Breaker, Unreached
from chassis.errors import Away
from chassis.steps import step
from chassis.tracing import working_for
from notification.customers.addressees import Addressee
from notification.messages.catalogue import MESSAGES
from notification.messages.rendering import NoLongerDue, Rendering, Unrenderable
from notification.settings import RetrySettings

from .composing import Composing, Uncomposable
from .domains import Domains
from .model import OPERATIONS, Mail
from .patience import delay_after, longest_wait
from .transport import Composed, Interrupted, NotNow, Rejected, ServerAway, Transport

_LONGEST_PAUSE: Final = 60.0

Outcome = str | Rejected | NotNow | Unreached | None
"""The file that the mail is in, if there is one, or why it has not left."""


class NoAddress(Exception):
    """Nothing has been heard of the customer yet."""


class Unwanted(Exception):
    """Whoever it was for does not want it, or is not there any more."""


@dataclass(frozen=True)
class Addressed:
    """A mail with those to whom it goes, as they were when it was claimed."""

    mail: Mail
    addressees: Sequence[Addressee]


class Delivering:
    """While the server is away one mail at a time is tried, and that says nothing against the mail."""

    def __init__(self, transport: Transport, rendering: Rendering, composing: Composing, retry: RetrySettings) -> None:
        self._rendering = rendering
        self._composing = composing
        self._retry = retry
        self._server = Breaker("mail", longest=_LONGEST_PAUSE)
        self._domains = Domains()
        self._hand_over = {
            message.name: step("EmailService", message.action)(transport.send) for message in MESSAGES.values()
        }

    @property
    def server_is_away(self) -> bool:
        return self._server.is_open

    @property
    def wait(self) -> float:
        """Seconds until a mail would be let through to the server."""
        return self._server.wait

    async def deliver(self, addressed: Addressed) -> str | None:
        """Gives the file that the mail is in, if there is one."""
        mail = addressed.mail
        if mail.never_ends:
            mail.fail("It was begun several times, and nobody came to its end.", _now())
            return None
        try:
            composed = await self._compose(addressed)
        except Unwanted as reason:
            mail.turn_down(str(reason), _now())
        except NoAddress:
            self._postpone(mail, "No address is known of the customer yet.")
        except (Unrenderable, Uncomposable) as error:
            mail.fail(str(error), _now())
        except Exception as error:
            # What the words of an unforeseen one quote, nobody knows.
            mail.fail(f"It cannot be made: {type(error).__name__}.", _now())
        else:
            with working_for([mail.traceparent]) if mail.traceparent else nullcontext():
                return await self._try(mail, composed)
        return None

    async def _compose(self, addressed: Addressed) -> Composed:
        mail, addressees = addressed.mail, addressed.addressees
        _must_be_wanted(mail, addressees)

        def compose() -> Composed:
            said = self._rendering.render(mail.message, addressees[0], mail.about)
            return self._composing.compose(mail, addressees, said, _now())

        try:
            # Nothing but computing: the API in the same process must not wait for it.
            return await asyncio.to_thread(compose)
        except NoLongerDue as reason:
            raise Unwanted(str(reason)) from None

    async def _try(self, mail: Mail, composed: Composed) -> str | None:
        if (wait := self._domains.wait(composed.domain)) > 0:
            self._blame_others(mail, "Mail to this domain gets stuck at the moment.", wait)
            return None
        outcome: Outcome
        try:
            outcome = await self._watched(mail, composed)
        except Unreached as unreached:
            outcome = unreached
        except Away:
            # Not even tried: others have found out meanwhile that the server is away.
            mail.put_back(mail.next_try_at, mail.last_error)
            return None
        match outcome:
            case Rejected():
                mail.fail(str(outcome), _now())
            case NotNow() | Interrupted():
                self._postpone(mail, str(outcome))
            case Exception():
                # And the next probe is another mail, in case it is this one's fault.
                self._blame_others(mail, str(outcome), self._server.wait + self._retry.quick[0].total_seconds())
            case _:
                mail.sent(_now())
                return outcome
        return None

    async def _watched(self, mail: Mail, composed: Composed) -> Outcome:
        """A server that refuses a mail is well; one that is away, as it was found out here, raises."""
        with self._server.watch():
            had_trouble = self._domains.is_troubled(composed.domain)
            try:
                with self._domains.watch(composed.domain):
                    outcome = await self._outcome(mail, composed)
            except Interrupted as interrupted:
                # Time and again with the same domain, it is the domain's fault; with several, it is the server's.
                if not had_trouble:
                    raise
                return interrupted
            if isinstance(outcome, ServerAway):
                raise outcome
            return outcome

    async def _outcome(self, mail: Mail, composed: Composed) -> Outcome:
        try:
            return await self._hand_over[mail.message](composed)
        except (Rejected, NotNow, ServerAway) as outcome:
            return outcome

    def _postpone(self, mail: Mail, reason: str) -> None:
        mail.postpone(reason, delay_after(mail.tries + 1, self._retry), _now())

    def _blame_others(self, mail: Mail, reason: str, wait: float) -> None:
        """It costs the mail no try; but not for ever."""
        now = _now()
        if now - mail.queued_at > longest_wait(self._retry):
            mail.fail(reason, now)
        else:
            mail.put_back(now + timedelta(seconds=wait), reason)


def _must_be_wanted(mail: Mail, addressees: Sequence[Addressee]) -> None:
    if not addressees and mail.recipient == OPERATIONS:
        raise Unwanted("The settings name nobody at operations.")
    if not addressees:
        raise NoAddress
    message = MESSAGES.get(mail.message)
    if addressees[0].is_erased:
        raise Unwanted("The customer was erased.")
    if message is not None and message.topic in addressees[0].unwanted_topics:
        raise Unwanted("The customer has turned such mails off.")


def _now() -> datetime:
    return datetime.now(UTC)
