"""Shows mails: one, or a page of them. Never the text: it would hold what is only the customer's, such as a token."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Text, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.paging import Keyset
from contracts.notification.mails import MailState, MailView

from .model import QUEUED, Mail
from .storing import NoSuchMail, as_mail
from .tables import mails

# Ids ascend with the time of writing.
_newest_first = Keyset(UUID)


@dataclass(frozen=True)
class Filter:
    state: MailState | None = None
    message: str | None = None
    recipient: str | None = None


def view(mail: Mail) -> MailView:
    return MailView(
        mail_id=mail.id,
        message=mail.message,
        recipient=mail.recipient,
        state=mail.state,
        event_id=mail.event_id,
        happened_at=mail.at,
        written_at=mail.written_at,
        tries=mail.tries,
        next_try_at=mail.next_try_at if mail.state == QUEUED else None,
        last_error=mail.last_error,
        ended_at=mail.ended_at,
        allowed_actions=mail.allowed_actions,
    )


async def one_mail(session: AsyncSession, mail_id: UUID) -> MailView:
    found = (await session.execute(select(mails).where(mails.c.id == mail_id))).mappings().one_or_none()
    if found is None:
        raise NoSuchMail
    return view(as_mail(found))


async def page_of_mails(session: AsyncSession, wanted: Filter, cursor: str | None, limit: int) -> dict[str, Any]:
    query = select(mails).order_by(mails.c.id.desc()).limit(limit + 1)
    if wanted.state is not None:
        query = query.where(mails.c.state == _spelled_out(wanted.state))
    if wanted.message is not None:
        query = query.where(mails.c.message == _spelled_out(wanted.message))
    if wanted.recipient is not None:
        query = query.where(mails.c.recipient == wanted.recipient)
    if (after := _newest_first.read(cursor)) is not None:
        query = query.where(mails.c.id < after)
    found = [as_mail(row) for row in (await session.execute(query)).mappings()]
    page = _newest_first.page(found, limit, lambda mail: mail.id)
    return {**page, "items": [view(mail) for mail in page["items"]]}


def _spelled_out(value: str) -> BindParameter[str]:
    """In the statement itself: whether an index of a part of the mails is of use shows only then."""
    return bindparam(None, str(value), Text, literal_execute=True)
