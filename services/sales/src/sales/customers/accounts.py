"""Finds the account of a customer who was not erased: to look at it, or to have it until the transaction ends.

Whoever changes anything of an account takes the account first, and so nobody waits in a ring.
"""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.sales.customers import CustomerStatus

from .model import Customer


async def account_with(session: AsyncSession, email: str, *, lock: bool = False) -> Customer | None:
    """`email` is in small letters, as `contracts.sales.customers.Email` makes it."""
    return await _find(session, func.lower(Customer.email) == email, lock)


async def account_of(session: AsyncSession, customer_id: str, *, lock: bool = False) -> Customer | None:
    return await _find(session, Customer.id == customer_id, lock)


async def _find(session: AsyncSession, whose: ColumnElement[bool], lock: bool) -> Customer | None:
    query = select(Customer).where(whose, Customer.status != CustomerStatus.ERASED)
    return await session.scalar(query.with_for_update(key_share=True) if lock else query)
