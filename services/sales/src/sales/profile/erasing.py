"""Forgets a customer for good. What stays, and why, is said in docs/adr/0010.

A row stays in the customer's place: the id is never anybody else's, and whoever still has a token for it is refused.
"""

import re
from contextlib import suppress

from pydantic import SecretStr
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import Database
from chassis.errors import Invalid
from chassis.explain import INVALID
from chassis.idempotency import forget_keys
from chassis.outbox import publish
from contracts.sales.customers import CustomerStatus
from contracts.sales.profile import CustomerErased
from sales.carts.commands import discard_cart
from sales.customers.forgetting import forget_access
from sales.customers.known_addresses import is_known
from sales.customers.log_in import InvalidCredentials
from sales.customers.mail_requests import MailRequest
from sales.customers.model import Customer
from sales.customers.passwords import Passwords
from sales.customers.slowdown import Gate, log_in_gates, pass_through, take_back
from sales.orders.forgetting import forget_attempts

from . import people
from .model import Address
from .people import NoLongerCustomer


class NamesTheCustomer(Invalid):
    """The reason is kept for ever, and what it says must not bring back what was forgotten."""

    def __init__(self) -> None:
        message = "This must not name the customer: it is kept."
        super().__init__(INVALID, [{"field": "reason", "message": message}])


class Erasing:
    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def erase_me(self, customer_id: str, password: SecretStr, address: str) -> None:
        """Repeating it changes nothing, and needs no password: there is none any more."""
        with suppress(NoLongerCustomer):
            seen, gates = await self._attempt(customer_id, address)
            if not await self._passwords.matches(password, seen.password_hash):
                raise InvalidCredentials
            async with self._database.begin() as session:
                customer = await people.find(session, customer_id, lock=True)
                if customer.password_set_at != seen.password_set_at:
                    raise InvalidCredentials
                await take_back(session, gates)
                await _erase(session, customer, by=customer_id)
        await self._forget_what_was_under_way(customer_id)

    async def erase(self, customer_id: str, reason: str, *, by: str) -> None:
        with suppress(NoLongerCustomer):
            async with self._database.begin() as session:
                customer = await people.find(session, customer_id, lock=True)
                _check(reason, customer)
                await _erase(session, customer, by=by, reason=reason)
        await self._forget_what_was_under_way(customer_id)

    async def _attempt(self, customer_id: str, address: str) -> tuple[Customer, list[Gate]]:
        """Whoever has a token and guesses passwords gets on no faster than at the log-in."""
        async with self._database.begin() as session:
            customer = await people.find(session, customer_id)
            gates = log_in_gates(customer.email, address, known=await is_known(session, customer_id, address))
            await pass_through(session, gates)
        return customer, gates

    async def _forget_what_was_under_way(self, customer_id: str) -> None:
        """What began before they were erased may have been written after we looked. Nothing begins any more."""
        async with self._database.begin() as session:
            await _forget_answers(session, customer_id)


async def _erase(session: AsyncSession, customer: Customer, *, by: str, reason: str | None = None) -> None:
    await session.execute(delete(Address).where(Address.customer_id == customer.id))
    await session.execute(delete(MailRequest).where(MailRequest.email == customer.email))
    await forget_access(session, customer.id)
    await discard_cart(session, customer.id)
    await _forget_answers(session, customer.id)
    customer.name, customer.email, customer.language = "", customer.id, "en"
    customer.password_hash, customer.password_set_at, customer.email_verified = None, None, False
    customer.status = CustomerStatus.ERASED
    record(session, by, "customer.erased", customer.id, after={"reason": reason} if reason else None)
    publish(session, CustomerErased(customer_id=customer.id))


async def _forget_answers(session: AsyncSession, customer_id: str) -> None:
    await forget_keys(session, customer_id)
    await forget_attempts(session, customer_id)


def _check(reason: str, customer: Customer) -> None:
    for known in (customer.name, customer.email):
        if re.search(rf"(?<!\w){re.escape(known.casefold())}(?!\w)", reason.casefold()):
            raise NamesTheCustomer
