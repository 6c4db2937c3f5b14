"""Product is down, slow, wrong or in two minds: the customer is told to come back, and nothing stays halfway."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from chassis.errors import Unavailable
from contracts.product.inventory import RequestedItem, Reservation, Reserve
from sales.orders import stock
from services.sales.tests.factories import Sales, eventually, running, wanted
from services.sales.tests.fake_product import (
    RELEASED,
    Do,
    FakeProduct,
    Trouble,
    Ware,
    does_it_but,
    does_it_late,
    loses_the_answer,
    says,
)


def first(said: dict[str, Any]) -> Any:
    return said["reservations"][0]


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda said: first(said)["items"][0].pop(name)


def with_item(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda said: first(said)["items"][0].update(values)


TROUBLES: dict[str, Trouble] = {
    "slow": does_it_late(),
    "answer lost": loses_the_answer,
    "500": says(500),
    "503": says(503),
    "502 of a proxy": says(502, "<html>", "text/html"),
    "401": says(401, {"error": {"code": "UNAUTHENTICATED", "message": "Who?"}}),
    "403": says(403),
    "404": says(404, "nothing here", "text/plain"),
    "409": says(409, {"error": {"code": "RESERVATION_MISMATCH"}}),
    "redirect": says(302),
    "204": says(204, ""),
    "empty": says(200, ""),
    "no JSON": says(200, "HELD, I guess"),
    "HTML": says(200, "<html>HELD</html>", "text/html"),
    "JSON of another kind": says(200, "[]"),
    "a number": says(200, "7"),
    "deep": says(200, b"[" * 100_000),
    "a lone surrogate": does_it_but(with_item(name="\ud800")),
    "nothing for us": says(200, {"reservations": []}),
    "an unknown state": does_it_but(lambda said: first(said).update(state="PROBABLY")),
    "of somebody else": does_it_but(lambda said: first(said).update(reservation_id="0" * 32)),
    "other items": does_it_but(with_item(product_id="desk")),
    "another quantity": does_it_but(with_item(requested=2)),
    "fewer items": does_it_but(lambda said: first(said).update(items=[])),
    "no price": does_it_but(without("unit_price")),
    "no name": does_it_but(without("name")),
    "no currency": does_it_but(without("currency")),
    "a price below zero": does_it_but(with_item(unit_price="-1.00")),
    "a price that is a float": does_it_but(with_item(unit_price=19.99)),
    "a name with NUL": does_it_but(with_item(name="A\x00lamp")),
    "held, but not available": does_it_but(with_item(is_available=False)),
    "refused, but available": does_it_but(lambda said: first(said).update(state="REFUSED")),
    "released already": does_it_but(lambda said: first(said).update(state="RELEASED")),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
async def test_the_customer_is_told_in_time_to_come_back_and_nothing_stays_halfway(
    sales: Sales, trouble: Trouble
) -> None:
    with sales.product.having(trouble):
        async with asyncio.timeout(10):
            answer = await sales.order(key="key")

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert await sales.count("orders") == 0
    assert await sales.published() == []

    assert await sales.sweep() == 1
    assert {one.state for one in sales.product.reservations.values()} == {RELEASED}
    await sales.nothing_is_halfway()


async def test_while_product_is_down_nothing_is_ordered_and_nobody_waits(sales: Sales) -> None:
    await sales.product.stop()

    async with asyncio.timeout(20):
        answers = await asyncio.gather(*(sales.order() for _ in range(100)))

    assert {answer.status_code for answer in answers} == {503}
    assert await sales.count("orders") == 0
    await sales.product.start()
    assert await sales.sweep() == 100
    await sales.nothing_is_halfway()


@pytest.mark.parametrize(("trouble", "tries"), [("slow", 2), ("401", 1)])
async def test_those_who_ask_together_are_told_together_and_not_after_one_try_for_each(
    sales: Sales, trouble: str, tries: int
) -> None:
    calls = 0

    async def counting(request: web.Request, do: Do) -> web.Response:
        nonlocal calls
        calls += 1
        return await TROUBLES[trouble](request, do)

    together = [Reservation(reservation_id=uuid4(), items=[RequestedItem(product_id="lamp", quantity=1)])] * 30
    with sales.product.having(counting):
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*map(sales.placing._stock.reserve, together), return_exceptions=True)

    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert calls == tries


@pytest.mark.parametrize("trouble", [says(500), loses_the_answer, says(200, "[]")], ids=["500", "lost", "rubbish"])
async def test_a_retry_goes_on_with_the_same_attempt(sales: Sales, trouble: Trouble) -> None:
    with sales.product.having(trouble):
        failed = await sales.order(wanted(("lamp", 2)), "key")
    [attempt] = await sales.rows("SELECT id, state FROM attempts")

    answer = await sales.order_again_until_answered(wanted(("lamp", 2)), "key")

    assert (failed.status_code, answer.status_code) == (503, 201)
    assert await sales.rows("SELECT reservation_id FROM orders") == [{"reservation_id": attempt["id"]}]
    assert set(sales.product.reservations) == {attempt["id"]}
    assert sales.product.held() == 2
    await sales.nothing_is_halfway()


async def test_a_retry_pays_the_price_that_was_promised_first(sales: Sales) -> None:
    with sales.product.having(loses_the_answer):
        await sales.order(key="key")
    sales.product.wares["lamp"] = Ware(150, 999_999)

    answer = await sales.order_again_until_answered(key="key")

    assert answer.json()["total"] == "19.99"


async def test_after_the_sweep_a_retry_is_a_new_attempt(sales: Sales) -> None:
    with sales.product.having(loses_the_answer):
        await sales.order(wanted(("lamp", 2)), "key")
    [(first_attempt, _)] = sales.product.reservations.items()
    assert sales.product.held() == 2

    assert await sales.sweep() == 1
    assert sales.product.reservations[first_attempt].state == RELEASED
    answer = await sales.order_again_until_answered(wanted(("lamp", 2)), "key")

    assert answer.status_code == 201
    [order] = await sales.rows("SELECT reservation_id FROM orders")
    assert order["reservation_id"] != first_attempt
    assert sales.product.held() == 2
    await sales.nothing_is_halfway()


async def test_a_hold_that_arrives_after_its_release_holds_nothing(sales: Sales) -> None:
    with sales.product.having(does_it_late()):
        answer = await sales.order()
    assert answer.status_code == 503
    assert sales.product.reservations == {}

    assert await sales.sweep() == 1
    await eventually(lambda: sales.product.asked)

    assert {one.state for one in sales.product.reservations.values()} == {RELEASED}
    await sales.nothing_is_halfway()


@pytest.mark.parametrize("trouble", ["409", "500", "JSON of another kind"])
async def test_an_order_that_product_cannot_do_does_not_spoil_those_beside_it(sales: Sales, trouble: str) -> None:
    spoiled = wanted("spoiled")

    async def mood(request: web.Request, do: Do) -> web.Response:
        strange = b"spoiled" in await request.read()
        return await (TROUBLES[trouble](request, do) if strange else do())

    with sales.product.having(mood):
        answers = await asyncio.gather(*(sales.order(spoiled if n == 7 else wanted()) for n in range(20)))

    assert [n for n, answer in enumerate(answers) if answer.status_code == 503] == [7]
    assert sum(answer.status_code == 201 for answer in answers) == 19


async def test_many_large_orders_at_once_stay_within_what_product_reads(
    database_url: str, product: FakeProduct
) -> None:
    names = [f"{n:02d}".ljust(64, "x") for n in range(50)]
    product.wares = {name: Ware(1_000_000) for name in names}
    body = wanted(*((name, 10_000) for name in names))

    async with running(database_url, product, product_timeout=timedelta(minutes=1)) as sales:
        answers = await asyncio.gather(*(sales.order(body) for _ in range(64)))

        assert {answer.status_code for answer in answers} == {201}
        assert max(map(len, product.asked)) == 8
        assert len(product.asked) < 20
        await sales.nothing_is_halfway()


async def test_even_the_longest_lines_of_as_many_attempts_as_go_together_fit_into_one_body() -> None:
    longest = RequestedItem(product_id="x" * 64, variant_id=uuid4(), quantity=10_000)
    together = [Reservation(reservation_id=uuid4(), items=[longest] * 6) for _ in range(63)]
    together.append(Reservation(reservation_id=uuid4(), items=[longest] * (stock._MOST_LINES - 63 * 6)))

    assert sum(len(one.items) for one in together) == stock._MOST_LINES
    assert len(Reserve(reservations=together).model_dump_json()) <= 64 * 1024


async def test_the_sweep_waits_for_product_and_loses_nothing(sales: Sales) -> None:
    with sales.product.having(loses_the_answer):
        await sales.order()
    await sales.product.stop()

    with pytest.raises(Unavailable):
        await sales.sweep()
    assert (await sales.rows("SELECT state FROM attempts"))[0]["state"] == "undoing"
    await sales.product.start()

    assert await sales.sweep() == 1
    await sales.nothing_is_halfway()


@pytest.mark.parametrize("rubbish", ["JSON of another kind", "nothing for us", "500", "401"])
async def test_the_sweep_believes_nothing_but_a_released_hold(sales: Sales, rubbish: str) -> None:
    with sales.product.having(loses_the_answer):
        await sales.order(key="key")

    with sales.product.having(TROUBLES[rubbish]), pytest.raises(Unavailable):
        await sales.sweep()

    assert sales.product.held() == 1
    assert await sales.sweep() == 1
    assert sales.product.held() == 0


async def test_what_cannot_be_undone_is_set_aside_and_the_others_are_undone(sales: Sales) -> None:
    with sales.product.having(loses_the_answer):
        await sales.order()
    [left] = list(sales.product.reservations)
    sales.product.reservations[left] = sales.product.reservations[left].model_copy(update={"state": "DEDUCTED"})
    with sales.product.having(says(500)):
        await sales.order()

    assert await sales.sweep() == 1
    assert await sales.sweep() == 0

    assert await sales.rows(
        "SELECT id, lease_until > now() + interval '50 minutes' AS later FROM attempts WHERE state = 'undoing'"
    ) == [{"id": left, "later": True}]
