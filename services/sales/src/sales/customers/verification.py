"""Whoever has the token that was mailed to an address reads what is mailed there."""

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from contracts.mail_tokens import MailPurpose
from contracts.sales.customers import AccountView, VerifyEmail

from .mail_tokens import redeem
from .model import Customer


async def verify_email(session: AsyncSession, wanted: VerifyEmail) -> AccountView:
    customer = await redeem(session, MailPurpose.VERIFICATION, wanted.token)
    verify(session, customer)
    return AccountView(customer_id=customer.id, status=customer.status, email_verified=customer.email_verified)


def verify(session: AsyncSession, customer: Customer) -> None:
    if not customer.email_verified:
        customer.email_verified = True
        changed = {"before": {"email_verified": False}, "after": {"email_verified": True}}
        record(session, customer.id, "customer.email_verified", customer.id, **changed)
