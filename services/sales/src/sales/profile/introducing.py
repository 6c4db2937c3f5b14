"""Tells who our customers are that nobody was told of: they registered before there was anybody to tell."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.outbox import publish
from contracts.sales.customers import CustomerStatus
from sales.customers.model import Customer

from .people import known_as

_BATCH: Final = 500

_STRANGERS: Final = (
    select(Customer)
    .where(~Customer.is_introduced, Customer.status != CustomerStatus.ERASED)
    .order_by(Customer.id)
    .limit(_BATCH)
    .with_for_update(key_share=True, skip_locked=True)
)


async def introduce_customers(database: Database) -> int:
    """The job: of each once. Whoever is locked has their turn the next time."""
    introduced = 0
    while True:
        async with database.begin() as session:
            batch = await _introduce(session)
        introduced += batch
        if batch < _BATCH:
            return introduced


async def _introduce(session: AsyncSession) -> int:
    strangers = (await session.scalars(_STRANGERS)).all()
    for customer in strangers:
        customer.is_introduced = True
        publish(session, known_as(customer))
    return len(strangers)
