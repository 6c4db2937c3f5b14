"""The same Idempotency-Key and body have one outcome, however often, at once, and wherever they arrive."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from sales.seed import DEMO_CUSTOMER, seed
from services.sales.tests.factories import Sales, running, wanted
from services.sales.tests.fake_product import FakeProduct, Ware, does_it_late


@pytest.mark.rule("BR-IDEM-001")
async def test_a_repeated_order_gets_the_first_answer_byte_for_byte(sales: Sales) -> None:
    first = await sales.order(key="key")

    again = await sales.order(key="key")

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert await sales.count("orders") == 1
    await sales.nothing_is_halfway()


@pytest.mark.rule("BR-IDEM-001")
async def test_a_repeated_refusal_is_the_first_one_even_when_the_stock_has_come(sales: Sales) -> None:
    first = await sales.order(wanted(("desk", 51)), "key")
    sales.product.wares["desk"] = Ware(51)

    again = await sales.order(wanted(("desk", 51)), "key")
    anew = await sales.order(wanted(("desk", 51)), "another")

    assert (again.status_code, again.content) == (400, first.content)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert anew.status_code == 201


async def test_twenty_at_once_are_one_order(sales: Sales) -> None:
    answers = await asyncio.gather(*(sales.order(key="key") for _ in range(20)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await sales.count("orders") == 1
    assert sales.product.held() == 1
    await sales.nothing_is_halfway()


@pytest.mark.rule("BR-IDEM-001")
async def test_twenty_at_once_through_two_processes_are_one_order(
    database_url: str, product: FakeProduct, sales: Sales
) -> None:
    async with running(database_url, product) as other:
        answers = await asyncio.gather(*((sales, other)[n % 2].order(key="key") for n in range(20)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await sales.count("orders") == 1
    await sales.nothing_is_halfway()


async def test_many_keys_many_times_through_two_processes_are_one_order_each(
    database_url: str, product: FakeProduct, sales: Sales
) -> None:
    async with running(database_url, product) as other:
        answers = await asyncio.gather(*((sales, other)[n % 2].order(key=f"key-{n // 2 % 25}") for n in range(150)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 25
    assert await sales.count("orders") == 25
    await sales.nothing_is_halfway()


async def test_a_twin_waits_for_the_one_who_is_being_served(sales: Sales) -> None:
    with sales.product.having(does_it_late(0.2)):
        first, second = await asyncio.gather(sales.order(key="key"), sales.order(key="key"))

    assert first.content == second.content
    assert await sales.count("attempts") == 1
    assert [len(call) for call in sales.product.asked] == [1]


@pytest.mark.rule("BR-IDEM-002")
@pytest.mark.parametrize(
    "other",
    [
        wanted(("lamp", 2)),
        wanted("desk"),
        wanted("lamp", "lamp"),
        wanted(note="please"),
        wanted(address=None),
        wanted(address={**wanted()["shipping_address"], "line1": "2 Compiler Street"}),
    ],
)
async def test_a_key_is_good_for_one_body_only(sales: Sales, other: dict[str, object]) -> None:
    async with sales.service.database.begin() as session:
        await seed(session)
    await sales.order(key="key", customer=DEMO_CUSTOMER)

    answer = await sales.order(other, "key", DEMO_CUSTOMER)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await sales.count("orders") == 1


async def test_another_body_is_refused_also_while_the_first_is_being_served(sales: Sales) -> None:
    with sales.product.having(does_it_late(0.2)):
        answers = await asyncio.gather(sales.order(key="key"), sales.order(wanted("desk"), "key"))

    assert sorted(answer.status_code for answer in answers) == [201, 422]


@pytest.mark.rule("BR-IDEM-002")
async def test_the_same_key_of_another_customer_is_another_key(sales: Sales) -> None:
    graces = await sales.order(key="key")

    adas = await sales.order(wanted("desk"), key="key", customer="ada")
    adas_again = await sales.order(wanted("desk"), key="key", customer="ada")

    assert (graces.status_code, adas.status_code) == (201, 201)
    assert adas.json()["customer_id"] == "ada"
    assert adas_again.content == adas.content != graces.content
    assert await sales.count("orders") == 2


async def test_how_the_same_body_is_written_does_not_matter(sales: Sales) -> None:
    body = wanted(("lamp", 1), note="hello")
    turned = {name: body[name] for name in reversed(body)}
    turned["items"] = [{name: item[name] for name in reversed(item)} for item in body["items"]]
    turned["note"] = "  hello "
    turned["items"][0]["variant_id"] = None
    ways = [
        json.dumps(body),
        json.dumps(turned, indent=4),
        json.dumps(body, separators=(",", ":")).replace("h", "\\u0068"),
    ]

    async with sales.client() as client:
        headers = {"Idempotency-Key": "key", "Content-Type": "application/json"}
        answers = [await client.post("/api/v1/orders", content=way, headers=headers) for way in ways]

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert await sales.count("orders") == 1


async def test_without_a_key_each_request_is_an_order(sales: Sales) -> None:
    answers = await asyncio.gather(*(sales.order() for _ in range(3)))

    assert len({answer.json()["order_id"] for answer in answers}) == 3
    await sales.nothing_is_halfway()


@pytest.mark.rule("BR-ORD-001")
async def test_of_two_hundred_orders_for_fifty_desks_fifty_are_taken(
    database_url: str, product: FakeProduct, sales: Sales
) -> None:
    async with running(database_url, product) as other:
        answers = await asyncio.gather(*((sales, other)[n % 2].order(wanted("desk"), f"{n}") for n in range(200)))

    codes = [answer.status_code for answer in answers]
    assert (codes.count(201), codes.count(400)) == (50, 150)
    assert {answer.json()["error"]["code"] for answer in answers if answer.status_code == 400} == {"INSUFFICIENT_STOCK"}
    assert await sales.count("orders") == 50
    assert sales.product.held("desk") == 50
    await sales.nothing_is_halfway()


async def test_orders_that_come_together_are_held_and_written_together(sales: Sales) -> None:
    await asyncio.gather(*(sales.order() for _ in range(100)))

    transactions = await sales.rows("SELECT DISTINCT xmin::text FROM orders")
    assert len(transactions) < 10
    assert len(sales.product.asked) < 10


async def test_orders_that_come_together_share_their_transactions(
    sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sales.service.database.begin() as session:
        await seed(session)
    begin, transactions = sales.service.database.begin, 0

    def counting() -> AbstractAsyncContextManager[AsyncSession]:
        nonlocal transactions
        transactions += 1
        return begin()

    monkeypatch.setattr(sales.service.database, "begin", counting)
    body = wanted(address=None)
    answers = await asyncio.gather(*(sales.order(body, customer=DEMO_CUSTOMER) for _ in range(100)))

    # To look up the address, to claim the attempt, to write the order: some batches each, and not a hundred.
    assert {answer.status_code for answer in answers} == {201}
    assert transactions < 60
