"""Two replicas of each service: they share the work, and neither sells what the other has sold."""

import asyncio
from collections import Counter
from uuid import uuid4

from .outcome import delivered_once
from .people import Customer, Staff
from .stack import SERVICES, Stack, killed


async def test_both_replicas_together_sell_what_there_is_and_no_more(
    stack: Stack, customer: Customer, staff: Staff
) -> None:
    async with stack.scaled(2):
        left = await customer.available("product_789")
        assert [len(stack.urls(service)) for service in SERVICES] == [2] * len(SERVICES)

        async with staff.at_work():
            wanted = (customer.order({"product_789": 1}, replica=number) for number in range(left + 30))
            answers = await asyncio.gather(*wanted)
            await delivered_once(customer, [answer for answer in answers if answer.status == 201])

        assert Counter(answer.status for answer in answers) == {201: left, 400: 30}
        assert await customer.available("product_789") == 0


async def test_one_key_at_both_replicas_at_once_is_one_order(stack: Stack, customer: Customer) -> None:
    async with stack.scaled(2):
        key = uuid4().hex

        answers = await asyncio.gather(
            *(customer.order({"stoneware-mug": 1}, key, replica=number) for number in range(10))
        )

        assert {(answer.status, answer.text) for answer in answers} == {(201, answers[0].text)}
        assert len(await customer.orders()) == 1


async def test_one_replica_goes_on_while_the_other_is_dead(stack: Stack, customer: Customer, staff: Staff) -> None:
    async with stack.scaled(2), staff.at_work():
        orders = asyncio.create_task(customer.orders_in_turn(30, {"stoneware-mug": 1}, spread=6))
        await asyncio.sleep(1)
        for part in stack.parts:
            async with killed(stack, part):
                await asyncio.sleep(1)
        await delivered_once(customer, await orders)
