"""Being erased while something else is under way: whichever is first, nothing personal comes back."""

import asyncio
from datetime import timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import text

from chassis.outbox import publish
from sales.orders.drafting import created
from sales.orders.writing import create_orders
from services.sales.tests.factories import Sales, an_order, running, wanted
from services.sales.tests.fake_product import Do, FakeProduct, Trouble
from services.sales.tests.profiles import (
    HOME,
    PASSWORD,
    add,
    code,
    customer,
    erase,
    erase_as_admin,
    logged_in,
    me,
    registered,
)
from tests.harness.platform import until


def does_it_when(event: asyncio.Event) -> Trouble:
    async def trouble(_: web.Request, do: Do) -> web.Response:
        await event.wait()
        return await do()

    return trouble


async def waits_for_a_lock(sales: Sales) -> None:
    """Until somebody does."""

    async def waiting() -> bool:
        found = await sales.rows(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(found)

    await until(waiting, 5, every=0.02)


async def kept_answers(sales: Sales) -> list[Any]:
    return await sales.rows("SELECT * FROM attempts WHERE answer IS NOT NULL")


async def test_an_erased_customer_orders_nothing_with_a_token_that_is_still_valid(sales: Sales) -> None:
    id = await registered(sales)
    await add(sales, by=id)
    assert (await sales.order(wanted(), "key", id)).status_code == 201
    await erase(sales, by=id)
    sales.product.asked.clear()

    to_an_address, to_the_default, again = [
        await sales.order(wanted(), customer=id),
        await sales.order(wanted(address=None), customer=id),
        await sales.order(wanted(), "key", id),
    ]

    assert code(to_an_address) == code(to_the_default) == code(again) == (401, "UNAUTHENTICATED")
    assert sales.product.asked == []
    assert await sales.count("orders") == 1
    assert await sales.count("attempts") == 0


async def test_orders_of_others_that_come_together_with_theirs_are_taken(sales: Sales) -> None:
    await customer(sales)
    await erase_as_admin(sales)

    answers = await asyncio.gather(*(sales.order(customer=("grace", "ada")[n % 2]) for n in range(40)))

    assert [answer.status_code for answer in answers] == [401, 201] * 20
    await sales.nothing_is_halfway()


async def test_an_order_that_is_being_placed_is_given_up_and_its_stock_given_back(
    database_url: str, product: FakeProduct
) -> None:
    async with running(database_url, product, product_timeout=timedelta(seconds=8)) as sales:
        await customer(sales)
        may_answer = asyncio.Event()

        with product.having(does_it_when(may_answer)):
            ordering = asyncio.create_task(sales.order(wanted(), "key"))
            await until(lambda: sales.count("attempts"), 5)
            erased = await erase_as_admin(sales)
            states = [row["state"] for row in await sales.rows("SELECT state FROM attempts")]
            may_answer.set()
            answer = await ordering

        assert erased.status_code == 204
        assert states == ["undoing"]
        assert code(answer) == (503, "SERVICE_UNAVAILABLE")
        assert await sales.count("orders") == 0
        await sales.rows("UPDATE attempts SET lease_until = now() - interval '1 second' RETURNING 1")
        await sales.sweep()
        assert product.held() == 0
        await sales.nothing_is_halfway()


async def test_erasing_waits_for_an_order_that_is_being_written_and_forgets_its_answer(sales: Sales) -> None:
    await customer(sales)
    order = an_order()
    await sales.attempt(order.reservation_id)

    async with sales.service.database.begin() as session:
        await create_orders(session, [order], ["the answer"])
        publish(session, created(order))
        erasing = asyncio.create_task(erase_as_admin(sales))
        await waits_for_a_lock(sales)

    assert (await erasing).status_code == 204
    assert await sales.count("orders") == 1
    assert await sales.count("attempts") == 0


async def test_an_attempt_that_erasing_could_not_see_becomes_no_order(sales: Sales) -> None:
    await customer(sales)
    await erase_as_admin(sales)
    order = an_order()
    # Written down by a request that had begun before.
    await sales.attempt(order.reservation_id)

    async with sales.service.database.begin() as session:
        done = await create_orders(session, [order], ["the answer"])

    assert done == set()
    assert await sales.count("orders") == 0


async def test_what_was_written_while_it_was_erased_goes_when_it_is_repeated(sales: Sales) -> None:
    id = await registered(sales)
    await erase(sales, by=id)
    for key in ("key", None):
        order = an_order(customer=id)
        await sales.rows("UPDATE customers SET status = 'REGISTERED' RETURNING 1")
        await sales.write(order)
        await sales.rows(
            "UPDATE attempts SET idempotency_key = :key WHERE id = :id RETURNING 1", key=key, id=order.reservation_id
        )
        await sales.rows("UPDATE customers SET status = 'ERASED' RETURNING 1")
    assert len(await kept_answers(sales)) == 2

    await erase(sales, by=id)

    assert await kept_answers(sales) == []
    assert await sales.count("orders") == 2


async def test_of_many_who_erase_at_once_through_two_processes_one_does(
    database_url: str, product: FakeProduct, sales: Sales
) -> None:
    await customer(sales)

    async with running(database_url, product) as other:
        answers = await asyncio.gather(*(erase_as_admin((sales, other)[n % 2]) for n in range(10)))

    assert {answer.status_code for answer in answers} == {204}
    assert len(await sales.published("customer.erased")) == 1


async def test_whoever_adds_an_address_while_they_are_erased_leaves_none(sales: Sales) -> None:
    await customer(sales)

    added = [me(sales, "POST", "/addresses", HOME, key=f"{n}") for n in range(8)]
    changed = [me(sales, "PATCH", "", {"name": "Somebody"}) for _ in range(8)]
    erased, *answers = await asyncio.gather(erase_as_admin(sales), *added, *changed)

    assert erased.status_code == 204
    assert {answer.status_code for answer in answers} <= {200, 201, 401}
    assert await sales.count("addresses") == 0
    assert await sales.count("idempotency_keys") == 0
    assert await sales.rows("SELECT name, status FROM customers") == [{"name": "", "status": "ERASED"}]


async def test_an_address_waits_for_erasing_to_end_and_is_refused_then(sales: Sales) -> None:
    await customer(sales)

    async with sales.service.database.begin() as session:
        await session.execute(text("UPDATE customers SET status = 'ERASED', name = '', email = id"))
        adding = asyncio.create_task(me(sales, "POST", "/addresses", HOME))
        await waits_for_a_lock(sales)

    assert code(await adding) == (401, "UNAUTHENTICATED")
    assert await sales.count("addresses") == 0


async def test_whoever_logs_in_while_they_are_erased_is_not_logged_in_afterwards(sales: Sales) -> None:
    id = await registered(sales)

    erased, *_ = await asyncio.gather(erase(sales, by=id), *(logged_in(sales) for _ in range(4)))

    assert erased.status_code == 204
    assert await sales.count("sessions") == 0
    assert code(await logged_in(sales)) == (401, "INVALID_CREDENTIALS")


async def test_a_password_that_was_changed_meanwhile_does_not_erase(sales: Sales) -> None:
    id = await registered(sales)

    async with sales.service.database.begin() as session:
        await session.execute(text("UPDATE customers SET password_set_at = now()"))
        erasing = asyncio.create_task(erase(sales, PASSWORD, id))
        await waits_for_a_lock(sales)

    assert code(await erasing) == (401, "INVALID_CREDENTIALS")
    assert (await me(sales, by=id)).status_code == 200
