"""Attempts: who pursues one, who may take it over, what the sweep takes, and when one is forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from chassis.failpoints import arm, disarm
from chassis.ids import first_uuid7_at, uuid7
from chassis.outbox import publish, told
from chassis.schema import schema_drift
from sales.db import SalesTable
from sales.orders.drafting import created
from sales.orders.undoing import forget_old_attempts
from sales.orders.writing import create_and_tell, create_orders
from services.sales.tests.factories import Sales, an_order, eventually, running
from services.sales.tests.fake_product import RELEASED, FakeProduct, does_it_late, loses_the_answer


async def test_the_sweep_leaves_alone_what_is_being_pursued(sales: Sales) -> None:
    with sales.product.having(does_it_late(0.2)):
        asked = asyncio.create_task(sales.order())
        await asyncio.sleep(0.1)
        assert await sales.sweep() == 0
        answer = await asked

    assert answer.status_code == 201
    await sales.nothing_is_halfway()


async def test_the_sweep_gives_a_retry_its_time(sales: Sales) -> None:
    with sales.product.having(loses_the_answer):
        await sales.order(key="key")

    assert await sales.sweep(after=timedelta(seconds=10)) == 0

    assert (await sales.order_again_until_answered(key="key")).status_code == 201


@pytest.mark.rule("BR-ORD-011")
async def test_what_a_dead_process_pursued_is_undone_when_its_lease_has_ended(sales: Sales) -> None:
    arm("test", "sales.order.reserved=sleep:60")
    asked = asyncio.create_task(sales.order(key="key"))
    await eventually(lambda: sales.product.held() == 1)
    try:
        assert await sales.sweep() == 0
        await sales.leases_end()
        assert await sales.sweep() == 1
    finally:
        disarm()
        asked.cancel()
        await asyncio.wait([asked])

    assert sales.product.held() == 0
    await sales.nothing_is_halfway()


async def test_an_order_is_not_made_any_more_once_the_sweep_has_begun(sales: Sales) -> None:
    arm("test", "sales.order.reserved=sleep:0.4*1")
    asked = asyncio.create_task(sales.order(key="key"))
    await eventually(lambda: sales.product.held() == 1)
    await sales.leases_end()

    assert await sales.sweep() == 1
    answer = await asked
    disarm()

    assert answer.status_code == 503
    assert await sales.count("orders") == 0
    assert {one.state for one in sales.product.reservations.values()} == {RELEASED}
    assert (await sales.order(key="key")).status_code == 201
    await sales.nothing_is_halfway()


async def test_the_sweep_does_not_undo_an_order_that_is_being_written(sales: Sales) -> None:
    order = an_order()
    await sales.attempt(order.reservation_id)
    # Its lease ends while its row is locked: seen from outside the row is still open, and free to be undone.
    async with sales.service.database.begin() as writing:
        assert await create_orders(writing, [order], ["{}"]) == {order.id}

        undone = await sales.sweep(after=timedelta(seconds=-60))
        publish(writing, created(order))

    assert undone == 0
    assert await sales.sweep(after=timedelta(seconds=-60)) == 0
    assert await sales.count("orders") == 1


async def test_an_attempt_that_was_given_up_meanwhile_becomes_no_order_and_no_event(sales: Sales) -> None:
    placed, given_up = an_order(), an_order()
    for order in (placed, given_up):
        await sales.attempt(order.reservation_id)
    await sales.rows("UPDATE attempts SET state = 'undoing' WHERE id = :id RETURNING 1", id=given_up.reservation_id)
    news = [told(created(order), None) for order in (given_up, placed)]

    done = await create_and_tell(sales.service.database, [given_up, placed], ["{}"] * 2, news)

    assert done == {placed.id}
    assert [event["data"]["order_id"] for event in await sales.published("order.created")] == [str(placed.id)]
    assert await sales.count("orders") == 1


async def test_who_was_overtaken_by_a_retry_gives_its_answer(
    database_url: str, product: FakeProduct, sales: Sales
) -> None:
    arm("test", "sales.order.reserved=sleep:0.5*1")
    first = asyncio.create_task(sales.order(key="key"))
    await eventually(lambda: product.held() == 1)
    await sales.leases_end()

    async with running(database_url, product) as other:
        second = await other.order(key="key")
    disarm()

    assert second.status_code == 201
    assert (await first).content == second.content
    assert await sales.count("orders") == 1
    await sales.nothing_is_halfway()


async def test_two_processes_that_pursue_the_same_attempts_do_not_block_each_other(
    database_url: str, product: FakeProduct, sales: Sales
) -> None:
    keys = [f"key-{n}" for n in range(40)]
    arm("test", "sales.order.reserved=sleep:0.3")
    first = [asyncio.create_task(sales.order(key=key)) for key in keys]
    await eventually(lambda: product.held() == 40)
    await sales.leases_end()

    async with running(database_url, product) as other:
        second = [asyncio.create_task(other.order(key=key)) for key in reversed(keys)]
        answers = await asyncio.gather(*first, *second)
    disarm()

    assert {answer.status_code for answer in answers} == {201}
    assert await sales.count("orders") == 40
    await sales.nothing_is_halfway()


@pytest.mark.parametrize("what", ["create", "refuse"])
async def test_who_answers_many_attempts_locks_them_in_the_order_of_their_ids(sales: Sales, what: str) -> None:
    low, high = sorted([uuid7(), uuid7()])
    await sales.attempt(high)
    await sales.attempt(low)
    attempts = sales.placing._attempts

    async def create() -> set[UUID]:
        async with sales.service.database.begin() as session:
            orders = [an_order(reservation_id=id) for id in (high, low)]
            return await create_orders(session, orders, ["{}", "{}"])

    async with sales.holding("attempts", low):
        refusals = [(high, 400, "{}"), (low, 400, "{}")]
        answering = asyncio.create_task(create() if what == "create" else attempts._refuse(refusals))
        assert await sales.waits(answering)
        assert await sales.is_free("attempts", high)
    await answering

    assert await sales.rows("SELECT DISTINCT state FROM attempts") == [
        {"state": "placed" if what == "create" else "refused"}
    ]


async def test_nobody_waits_to_let_go_of_what_is_being_answered(sales: Sales) -> None:
    locked, other = uuid7(), uuid7()
    await sales.attempt(locked)
    await sales.attempt(other)

    async with sales.holding("attempts", locked), asyncio.timeout(0.5):
        await asyncio.gather(*map(sales.placing._attempts.let_go, [locked, other]))

    assert await sales.rows("SELECT id FROM attempts WHERE lease_until <= now()") == [{"id": other}]


async def test_the_sweep_passes_over_what_is_being_answered(sales: Sales) -> None:
    locked, other = uuid7(), uuid7()
    await sales.attempt(locked)
    await sales.attempt(other)
    await sales.leases_end()

    async with sales.holding("attempts", locked):
        assert await sales.sweep() == 1

    assert await sales.sweep() == 1


async def test_of_many_that_find_it_lapsed_one_takes_it_over(sales: Sales) -> None:
    with sales.product.having(loses_the_answer):
        await sales.order(key="key")
    [attempt] = await sales.rows("SELECT id FROM attempts")

    attempts = sales.placing._attempts
    taken = await asyncio.gather(*(attempts.take_over(attempt["id"]) for _ in range(10)))

    assert taken.count(True) == 1


@pytest.mark.parametrize("state", ["refused", "undoing", "undone"])
async def test_what_is_over_is_never_taken_over(sales: Sales, state: str) -> None:
    with sales.product.having(loses_the_answer):
        await sales.order(key="key")
    [attempt] = await sales.rows("UPDATE attempts SET state = :state RETURNING id", state=state)

    assert not await sales.placing._attempts.take_over(attempt["id"])


async def test_many_stopped_attempts_are_undone_in_one_sweep(sales: Sales) -> None:
    await sales.rows(
        "INSERT INTO attempts (id, customer_id, request_hash, state, lease_until)"
        " SELECT gen_random_uuid(), 'grace', '', 'open', now() - interval '1 minute'"
        " FROM generate_series(1, 450) RETURNING 1"
    )

    assert await sales.sweep() == 450
    assert len(sales.product.reservations) == 450
    await sales.nothing_is_halfway()


async def test_only_what_is_old_and_over_is_forgotten(sales: Sales) -> None:
    states = ["open", "undoing", "placed", "refused", "undone"]
    long_ago = datetime.now(UTC) - timedelta(days=31)
    for age, since in {"old": long_ago, "young": datetime.now(UTC) - timedelta(days=29)}.items():
        for number, state in enumerate(states):
            await sales.rows(
                "INSERT INTO attempts (id, customer_id, idempotency_key, request_hash, state, lease_until, order_id)"
                " VALUES (:id, :age, :key, '', :state, now(), :order_id) RETURNING 1",
                id=UUID(int=first_uuid7_at(since).int + number),
                age=age,
                key=state,
                state=state,
                order_id=UUID(int=number) if state == "placed" else None,
            )

    assert await forget_old_attempts(sales.service.database, timedelta(days=30)) == 3

    left = await sales.rows("SELECT customer_id, state FROM attempts")
    assert sorted((row["customer_id"], row["state"]) for row in left) == sorted(
        [("old", "open"), ("old", "undoing"), *(("young", state) for state in states)]
    )


async def test_many_old_attempts_are_forgotten_in_one_run(sales: Sales) -> None:
    first = first_uuid7_at(datetime.now(UTC) - timedelta(days=40))
    await sales.rows(
        "INSERT INTO attempts (id, customer_id, request_hash, state, lease_until)"
        " SELECT overlay(CAST(:first AS text) placing lpad(to_hex(n), 12, '0') from 25)::uuid, '', '', 'undone', now()"
        " FROM generate_series(1, 450) AS n RETURNING 1",
        first=str(first),
    )

    assert await forget_old_attempts(sales.service.database, timedelta(days=30)) == 450
    assert await sales.count("attempts") == 0


async def test_the_migrations_make_what_the_models_say(sales: Sales) -> None:
    assert await schema_drift(sales.service.database, SalesTable.metadata) == []
