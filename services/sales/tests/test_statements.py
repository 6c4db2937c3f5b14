"""What an order costs Sales in statements: as many for a batch as for one."""

import asyncio

import pytest
from aiohttp import web

from chassis import coalescer
from contracts.sales.orders import OrderStatus
from services.sales.tests.checkout import buyer_with, check_out
from services.sales.tests.factories import Sales, report
from services.sales.tests.fake_product import Do
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


async def test_while_product_is_asked_attempts_gather_that_could_only_wait_for_it(
    sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coalescer, "_LONGEST_HELD_BACK", 60)
    await buyer_with(sales, name="ada")
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def takes_its_time(request: web.Request, do: Do) -> web.Response:
        if request.path.endswith("/reservations"):
            is_asked.set()
            await may_answer.wait()
        return await do()

    with sales.product.having(takes_its_time), statements_on(sales.service.database) as heard:
        asked = [asyncio.create_task(sales.order(key="first"))]
        await asyncio.wait_for(is_asked.wait(), 20)
        for number in range(3):
            asked.append(asyncio.create_task(sales.order(key=str(number))))
            await asyncio.sleep(0.1)
        asked.append(asyncio.create_task(check_out(sales, customer="ada")))
        await asyncio.sleep(0.5)
        assert await sales.count("attempts") == 1
        may_answer.set()
        answers = await asyncio.gather(*asked)

    assert [answer.status_code for answer in answers] == [201] * 5
    # The first, those of the other orders, and the checkout's.
    assert heard.count("WITH erased") == 3


@pytest.mark.parametrize("count", [1, 30])
async def test_what_becomes_of_a_batch_of_orders_costs_as_many_statements_as_of_one(sales: Sales, count: int) -> None:
    ids = [(await sales.order()).json()["order_id"] for _ in range(count)]

    with statements_on(sales.service.database) as heard:
        await sales.hear(*(report(id, OrderStatus.SHIPPED, tracking_number="TRK-1", carrier="C") for id in ids))

    # Which of them are news, the orders, what becomes of them, and history and events in one.
    assert heard == ["INSERT INTO inbox", "SELECT *", "UPDATE orders", "WITH order_history_written"]
