"""Customers ask for a mail: again the one that verifies their e-mail, or one with which they choose a new password.

The answer is given before anybody looks whether there is such an account. A request is written down, whoever asks, and
a job answers it: so there is nothing to be learnt from the answer, nor from how long it took.
"""

from uuid import UUID

from sqlalchemy import CheckConstraint, Text, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from chassis.db import Database
from chassis.ids import uuid7
from chassis.outbox import publish
from contracts.mail_tokens import MailPurpose
from contracts.sales.customers import MailAskedFor, PasswordResetRequested, VerificationRequested
from sales.db import SalesTable

from .accounts import account_with
from .mail_tokens import MailTokens, mail_about
from .slowdown import asking_gate, enter, mailing_gate, pass_through


class MailRequest(SalesTable):
    __tablename__ = "mail_requests"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    purpose: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)

    __table_args__ = (CheckConstraint("purpose IN ('verification', 'password-reset')", name="purpose"),)


async def ask_for_mail(session: AsyncSession, purpose: MailPurpose, email: str, address: str) -> MailAskedFor:
    """Asked for again too soon there is no other mail, and nobody is told: the last one still holds."""
    await pass_through(session, [asking_gate(address)])
    if await enter(session, mailing_gate(purpose, email)):
        session.add(MailRequest(purpose=purpose, email=email))
    return MailAskedFor()


async def answer_mail_requests(database: Database, mail_tokens: MailTokens) -> int:
    answered = 0
    while await _answer_one(database, mail_tokens):
        answered += 1
    return answered


async def _answer_one(database: Database, mail_tokens: MailTokens) -> bool:
    """Each in a transaction of its own: replicas that share the work never wait for each other."""
    async with database.begin() as session:
        waiting = select(MailRequest.id).order_by(MailRequest.id).limit(1).with_for_update(skip_locked=True)
        taken = delete(MailRequest).where(MailRequest.id.in_(waiting)).returning(MailRequest)
        request = await session.scalar(taken)
        if request is not None:
            await _answer(session, mail_tokens, MailPurpose(request.purpose), request.email)
        return request is not None


async def _answer(session: AsyncSession, mail_tokens: MailTokens, purpose: MailPurpose, email: str) -> None:
    customer = await account_with(session, email, lock=True)
    if customer is None:
        return
    match purpose:
        case MailPurpose.VERIFICATION if not customer.email_verified:
            issued = await mail_tokens.issue(session, purpose, customer.id)
            publish(session, VerificationRequested(**mail_about(customer, issued)))
        case MailPurpose.PASSWORD_RESET:
            issued = await mail_tokens.issue(session, purpose, customer.id)
            publish(session, PasswordResetRequested(**mail_about(customer, issued)))
