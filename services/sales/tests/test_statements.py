"""What an order costs Sales in statements: as many for a batch as for one."""

import asyncio

import pytest

from contracts.sales.orders import OrderStatus
from services.sales.tests.factories import Sales, report
from tests.harness.statements import statements_on


@pytest.mark.parametrize("count", [1, 30])
async def test_a_batch_of_orders_is_claimed_by_one_statement_and_created_by_another(sales: Sales, count: int) -> None:
    await sales.order()

    with statements_on(sales.service.database) as heard:
        answers = await asyncio.gather(*(sales.order(key=str(number)) for number in range(count)))

    assert [answer.status_code for answer in answers] == [201] * count
    assert set(heard) == {"WITH erased", "WITH wanted"}
    # All of one turn go together, and who comes a little later with the next.
    assert len(heard) <= 2 if count == 1 else len(heard) < count
    assert len(await sales.published("order.created")) == 1 + count


@pytest.mark.parametrize("count", [1, 30])
async def test_what_becomes_of_a_batch_of_orders_costs_as_many_statements_as_of_one(sales: Sales, count: int) -> None:
    ids = [(await sales.order()).json()["order_id"] for _ in range(count)]

    with statements_on(sales.service.database) as heard:
        await sales.hear(*(report(id, OrderStatus.SHIPPED, tracking_number="TRK-1", carrier="C") for id in ids))

    # Which of them are news, the orders, what becomes of them, and history and events in one.
    assert heard == ["INSERT INTO inbox", "SELECT *", "UPDATE orders", "WITH order_history_written"]
