"""A new password: with the old one by whoever is logged in, or with a token by whoever reads the customer's mail."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import Database
from chassis.errors import Unauthenticated
from contracts.mail_tokens import MailPurpose
from contracts.sales.customers import ChangePassword, ResetPassword

from .accounts import account_of
from .known_addresses import is_known, remember
from .log_in import InvalidCredentials
from .mail_tokens import redeem, whose
from .model import Customer
from .passwords import Passwords
from .sessions import end_sessions
from .slowdown import Gate, log_in_gates, pass_through, take_back
from .strength import validate_password_strength
from .verification import verify

_FIELD = "new_password"


class PasswordChanges:
    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def change(self, customer_id: str, wanted: ChangePassword, address: str) -> None:
        """Every other session ends. Guessing the old password is slowed down as it is at log-in."""
        seen, gates = await self._attempt(customer_id, address)
        if not await self._passwords.matches(wanted.password, seen.password_hash):
            raise InvalidCredentials
        validate_password_strength(wanted.new_password, seen.email, _FIELD)
        new = await self._passwords.hash(wanted.new_password)
        async with self._database.begin() as session:
            customer = await account_of(session, customer_id, lock=True)
            if customer is None or customer.password_set_at != seen.password_set_at:
                raise InvalidCredentials
            _set_password(session, customer, new, "customer.password_changed")
            await end_sessions(session, customer.id, but=wanted.refresh_token)
            await take_back(session, gates)

    async def reset(self, wanted: ResetPassword, address: str) -> None:
        """Every session ends. The token stays good until there is a password that is taken."""
        async with self._database.begin() as session:
            seen = await whose(session, MailPurpose.PASSWORD_RESET, wanted.token)
        validate_password_strength(wanted.new_password, seen.email, _FIELD)
        new = await self._passwords.hash(wanted.new_password)
        async with self._database.begin() as session:
            customer = await redeem(session, MailPurpose.PASSWORD_RESET, wanted.token)
            _set_password(session, customer, new, "customer.password_reset")
            verify(session, customer)
            await end_sessions(session, customer.id)
            await remember(session, customer.id, address)

    async def _attempt(self, customer_id: str, address: str) -> tuple[Customer, list[Gate]]:
        async with self._database.begin() as session:
            customer = await account_of(session, customer_id)
            if customer is None:
                raise Unauthenticated
            gates = log_in_gates(customer.email, address, known=await is_known(session, customer.id, address))
            await pass_through(session, gates)
        return customer, gates


def _set_password(session: AsyncSession, customer: Customer, password_hash: str, action: str) -> None:
    customer.password_hash, customer.password_set_at = password_hash, datetime.now(UTC)
    record(session, customer.id, action, customer.id)
