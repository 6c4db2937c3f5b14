"""The broker is away for a while: orders are taken all the same, and their events wait."""

from .outcome import delivered_once
from .people import Customer, Staff, ids
from .stack import Stack


async def test_orders_taken_while_the_broker_is_away_are_delivered_when_it_is_back(
    stack: Stack, customer: Customer, staff: Staff
) -> None:
    outage = stack.broker_away()
    answers = [await customer.order({"espresso-house-blend": 1}) for _ in range(5)]

    async with outage:
        meanwhile = [await customer.order_once({"espresso-house-blend": 1}) for _ in range(10)]
        heard_of = await staff.shipments_of(ids(meanwhile))

    assert heard_of == []
    async with staff.at_work():
        await delivered_once(customer, answers + meanwhile)
