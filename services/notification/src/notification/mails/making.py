"""Puts the sending of mails together from the settings: on which way, from whom, and what the clock has to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from chassis.db import Database
from chassis.jobs import Job
from notification.messages.rendering import Rendering
from notification.settings import NotificationSettings

from .composing import Composing
from .delivering import Delivering
from .folder import FolderTransport
from .forgetting import forget_old_mails
from .sending import Sending
from .smtp import SmtpTransport
from .transport import Transport
from .writing import WRITTEN

# Of which there is a quarter, as nobody waits for this process' answers.
_BREATHER: Final = timedelta(milliseconds=400)


@dataclass(frozen=True)
class Mails:
    sending: Sending
    jobs: Sequence[Job]


def make_mails(settings: NotificationSettings, database: Database) -> Mails:
    transport = _way_out(settings)
    delivering = Delivering(transport, Rendering(settings), Composing(settings.from_address), settings.retry)
    sending = Sending(database, delivering, transport, settings.operations)
    return Mails(
        sending,
        [
            Job(
                "send_mails",
                every=timedelta(milliseconds=500),
                run=sending.send_due,
                everywhere=True,
                woken_by=database.woken(WRITTEN),
                breather=_BREATHER,
            ),
            Job("forget_old_mails", every=timedelta(hours=1), run=partial(forget_old_mails, database, settings.keep)),
        ],
    )


def _way_out(settings: NotificationSettings) -> Transport:
    if settings.folder is not None:
        return FolderTransport(settings.folder)
    assert settings.smtp is not None
    return SmtpTransport(settings.smtp, settings.smtp.greeting_name or settings.from_address.domain)
