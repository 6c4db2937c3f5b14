"""How somebody becomes a customer (SEQ-REG-001). The mail that verifies the e-mail is Notification's."""

from datetime import UTC, datetime

from pydantic import SecretStr
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.errors import Conflict
from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.steps import step
from contracts.mail_tokens import MailPurpose
from contracts.sales.customers import AccountView, CustomerRegistered, CustomerStatus, Register
from sales.carts.commands import open_cart

from .accounts import account_with
from .mail_tokens import MailTokens, mail_about
from .model import Customer
from .passwords import Passwords
from .strength import validate_password_strength


class EmailAlreadyRegistered(Conflict):
    code = "EMAIL_ALREADY_REGISTERED"

    def __init__(self) -> None:
        super().__init__(
            "There is an account with this e-mail already.",
            [{"field": "email", "message": "Log in, or ask for a new password."}],
        )


class Registration:
    def __init__(self, passwords: Passwords, mail_tokens: MailTokens) -> None:
        self._passwords = passwords
        self._mail_tokens = mail_tokens

    async def hash(self, password: SecretStr) -> str:
        """Before the transaction begins: who waits here must not keep a connection from others."""
        return await self._passwords.hash(password)

    @step("CustomerService", "submitRegistration")
    async def submit(self, session: AsyncSession, wanted: Register, password_hash: str) -> AccountView:
        await _validate_email_uniqueness(session, wanted.email)
        validate_password_strength(wanted.password, wanted.email)
        customer = await self._register(session, wanted, password_hash)
        record(session, customer.id, "customer.registered", customer.id, after={"status": customer.status})
        return AccountView(customer_id=customer.id, status=customer.status, email_verified=customer.email_verified)

    @step("CustomerAggregate", "register")
    async def _register(self, session: AsyncSession, wanted: Register, password_hash: str) -> Customer:
        new = insert(Customer).values(
            id=str(uuid7()),
            email=wanted.email,
            name=wanted.name,
            language=wanted.language,
            status=CustomerStatus.REGISTERED,
            email_verified=False,
            password_hash=password_hash,
            password_set_at=datetime.now(UTC),
        )
        # Of two at once the second waits here for the first, and finds what it did not find before.
        customer: Customer | None = await session.scalar(new.on_conflict_do_nothing().returning(Customer))
        if customer is None:
            raise EmailAlreadyRegistered
        await open_cart(session, customer.id)
        issued = await self._mail_tokens.issue(session, MailPurpose.VERIFICATION, customer.id)
        publish(session, CustomerRegistered(**mail_about(customer, issued)))
        return customer


@step("CustomerAggregate", "validateEmailUniqueness")
async def _validate_email_uniqueness(session: AsyncSession, email: str) -> None:
    if await account_with(session, email) is not None:
        raise EmailAlreadyRegistered
