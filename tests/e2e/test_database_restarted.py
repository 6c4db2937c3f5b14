"""The database is away for a while: nothing is promised meanwhile, and nothing is lost or doubled by it."""

import asyncio
from uuid import uuid4

from .outcome import delivered_once
from .people import Customer, Staff
from .stack import Stack


async def test_orders_wait_for_the_database_and_arrive(stack: Stack, customer: Customer, staff: Staff) -> None:
    outage = stack.database_away()
    before = await customer.available("paper-filters-100")
    key = uuid4().hex

    async with staff.at_work():
        orders = asyncio.create_task(customer.orders_in_turn(20, {"paper-filters-100": 1}, spread=5))
        await asyncio.sleep(1)
        async with outage:
            refused = await customer.order_once({"paper-filters-100": 1}, key)
        answers = [*await orders, await customer.order({"paper-filters-100": 1}, key)]
        await delivered_once(customer, answers)

    assert (refused.status, refused.code) == (503, "SERVICE_UNAVAILABLE")
    assert await customer.available("paper-filters-100") == before - 21
