"""What people do with mails: have one sent again that has failed."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import wakes

from .model import Mail
from .storing import queue, take
from .writing import WRITTEN


async def send_again(session: AsyncSession, mail_id: UUID, by: str) -> Mail:
    """It gets all its tries once more; why it has failed before stays on record."""
    mail = await take(session, mail_id)
    before = {"state": mail.state, "tries": mail.tries, "last_error": mail.last_error}
    mail.queue_again(datetime.now(UTC))
    await queue(session, mail)
    record(session, by, "mail.queued_again", mail.id, before=before, after={"state": mail.state})
    wakes(session, WRITTEN)
    return mail
