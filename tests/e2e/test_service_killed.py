"""Parts of the platform die while orders are on their way."""

import asyncio

from .outcome import delivered_once
from .people import Customer, Staff
from .stack import Stack, killed


async def test_orders_arrive_though_each_service_is_killed_and_started_again(
    stack: Stack, customer: Customer, staff: Staff
) -> None:
    before = await customer.available("paper-filters-100")

    async with staff.at_work():
        orders = asyncio.create_task(customer.orders_in_turn(40, {"paper-filters-100": 1}, spread=8))
        for part in stack.parts:
            await asyncio.sleep(0.5)
            async with killed(stack, part):
                await asyncio.sleep(1)
        answers = await orders
        await delivered_once(customer, answers)

    assert await customer.available("paper-filters-100") == before - 40
