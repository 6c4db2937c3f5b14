"""Cancelling an order: before it is shipped, once, with Product's word against a dispatch."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.failpoints import arm, disarm
from chassis.ids import uuid7
from contracts.product.inventory import InventoryReleased, ReservationState
from contracts.sales.orders import OrderStatus

from .factories import Sales, an_order, eventually, news, report
from .fake_product import FakeProduct, loses_the_answer


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    disarm()


CANCEL = ("asked", "released", "finishing", "finished")
OTHERS = {OrderStatus.SHIPPED, OrderStatus.DELIVERED}


async def placed(sales: Sales) -> dict[str, Any]:
    answer = await sales.order_again_until_answered(key=str(uuid7()))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def cancel(
    sales: Sales, order_id: object, body: object = None, customer: str | None = "grace", *roles: Any
) -> httpx.Response:
    async with sales.client(customer, *roles) as client:
        return await client.post(f"/api/v1/orders/{order_id}/cancellation", json=body)


async def standing(sales: Sales, order_id: object) -> dict[str, Any]:
    return dict((await sales.get(f"/{order_id}")).json())


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def leaves(sales: Sales, order_id: object) -> None:
    """The warehouse has the stock deducted."""
    reservations = sales.product.reservations
    [id] = [id for id, one in reservations.items() if one.state == ReservationState.HELD]
    reservations[id] = reservations[id].model_copy(update={"state": ReservationState.DEDUCTED})


async def released(sales: Sales, reservation_id: UUID) -> None:
    """Product's news arrives."""
    await sales.hear(news(InventoryReleased(reservation_id=reservation_id, items=[])))


async def finished(sales: Sales) -> int:
    """The job looks, long after."""
    await sales.rows("UPDATE cancellations SET next_look_at = now() RETURNING 1")
    return await sales.run("finish_cancellations")


@pytest.mark.rule("BR-ORD-009", "AC-ORD-005")
async def test_cancelling_an_order_gives_its_stock_back(sales: Sales) -> None:
    order = await placed(sales)
    assert order["allowed_actions"] == ["cancel"]

    answer = await cancel(sales, order["order_id"], {"reason": "Ordered twice."})

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["cancel_reason"]) == ("CANCELLED", "Ordered twice.")
    assert answer.json()["allowed_actions"] == []
    assert answer.json() == await standing(sales, order["order_id"])
    assert sales.product.held() == 0
    [event] = await sales.published("order.cancelled")
    assert event["data"]["order_id"] == order["order_id"]
    assert event["data"]["cancelled_at"] == answer.json()["cancelled_at"]
    last = (await sales.get(f"/{order['order_id']}/timeline")).json()["entries"][-1]
    assert (last["from_status"], last["to_status"], last["actor"]) == ("PENDING_SHIPMENT", "CANCELLED", "grace")
    assert last["reason"] == "Ordered twice."


async def test_who_cancelled_is_on_record_and_the_customers_words_are_not(sales: Sales) -> None:
    order = await placed(sales)

    await cancel(sales, order["order_id"], {"reason": "My name is Grace."})

    [row] = await sales.rows("SELECT * FROM audit_log WHERE action = 'order.cancelled'")
    assert (row["actor"], row["entity_id"]) == ("grace", order["order_id"])
    assert (row["before"], row["after"]) == ({"status": "PENDING_SHIPMENT"}, {"status": "CANCELLED"})


async def test_an_admin_cancels_anybodys_order(sales: Sales) -> None:
    order = await placed(sales)

    answer = await cancel(sales, order["order_id"], None, "root", "admin")

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    assert (await sales.get(f"/{order['order_id']}/timeline")).json()["entries"][-1]["actor"] == "root"


@pytest.mark.parametrize(
    ("customer", "roles", "status"), [("mallory", (), 404), ("clerk", ("warehouse",), 403), (None, (), 401)]
)
async def test_nobody_else_cancels_it(sales: Sales, customer: str | None, roles: Any, status: int) -> None:
    order = await placed(sales)

    answer = await cancel(sales, order["order_id"], None, customer, *roles)

    assert answer.status_code == status
    assert await standing(sales, order["order_id"]) == order
    assert await sales.count("cancellations") == 0


async def test_an_order_that_is_none_cannot_be_cancelled(sales: Sales) -> None:
    answer = await cancel(sales, uuid7())

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("body", [{"reason": "x" * 1001}, {"reason": 5}, {"refund": "all"}, {"reason": "\x00"}, []])
async def test_what_is_no_reason_is_refused(sales: Sales, body: object) -> None:
    order = await placed(sales)

    answer = await cancel(sales, order["order_id"], body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert (await standing(sales, order["order_id"]))["status"] == "PENDING_SHIPMENT"


async def test_repeating_it_changes_nothing(sales: Sales) -> None:
    order = await placed(sales)
    first = await cancel(sales, order["order_id"], {"reason": "Ordered twice."})

    again = await cancel(sales, order["order_id"], {"reason": "Another reason."})

    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await sales.published("order.cancelled")) == 1
    assert len(await sales.rows("SELECT 1 FROM audit_log WHERE action = 'order.cancelled'")) == 1


async def test_ten_at_once_cancel_it_once(sales: Sales) -> None:
    order = await placed(sales)
    # All of them have heard Product's answer before the first writes it.
    arm("test", "sales.cancel.released=sleep:0.5*10")

    answers = await asyncio.gather(*(cancel(sales, order["order_id"]) for _ in range(10)))

    assert [answer.status_code for answer in answers] == [200] * 10
    assert len(await sales.published("order.cancelled")) == 1
    assert sales.product.held() == 0


@pytest.mark.rule("BR-ORD-009")
@pytest.mark.parametrize("status", sorted(OTHERS))
async def test_what_is_on_its_way_is_not_cancelled(sales: Sales, status: OrderStatus) -> None:
    order = an_order(status=status)
    await sales.write(order)

    answer = await cancel(sales, order.id)

    assert (answer.status_code, code(answer)) == (409, "CANCELLATION_NOT_ALLOWED")
    assert (await standing(sales, order.id))["allowed_actions"] == []
    assert await sales.count("cancellations") == 0


@pytest.mark.rule("BR-ORD-007")
async def test_a_dispatch_that_was_faster_wins(sales: Sales) -> None:
    order = await placed(sales)
    leaves(sales, order["order_id"])

    answer = await cancel(sales, order["order_id"])
    again = await cancel(sales, order["order_id"])

    assert (answer.status_code, code(answer)) == (409, "CANCELLATION_NOT_ALLOWED")
    assert (again.status_code, code(again)) == (409, "CANCELLATION_NOT_ALLOWED")
    assert (await standing(sales, order["order_id"]))["status"] == "PENDING_SHIPMENT"
    refused = (await sales.get(f"/{order['order_id']}/timeline")).json()["entries"][-1]
    assert (refused["kind"], refused["to_status"]) == ("refused", "CANCELLED")
    assert await sales.published("order.cancelled") == []

    await sales.hear(report(UUID(order["order_id"]), OrderStatus.SHIPPED))
    assert (await standing(sales, order["order_id"]))["status"] == "SHIPPED"


async def test_while_product_is_away_the_wish_waits_and_is_carried_out_later(sales: Sales) -> None:
    order = await placed(sales)
    await sales.product.stop()

    answer = await cancel(sales, order["order_id"], {"reason": "Ordered twice."})
    before = await standing(sales, order["order_id"])
    await sales.product.start()
    await eventually_finished(sales)

    assert (answer.status_code, code(answer)) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"]
    assert before["status"] == "PENDING_SHIPMENT"
    after = await standing(sales, order["order_id"])
    assert (after["status"], after["cancel_reason"]) == ("CANCELLED", "Ordered twice.")
    assert sales.product.held() == 0


async def eventually_finished(sales: Sales) -> None:
    """The circuit breaker lets nobody through for a while."""
    done: list[int] = []

    async def look() -> None:
        while not done:
            try:
                done.append(await finished(sales))
            except Exception:
                await asyncio.sleep(0.1)

    looking = asyncio.create_task(look())
    try:
        await eventually(lambda: bool(done), within=20)
    finally:
        looking.cancel()


async def test_an_answer_of_products_that_is_lost_does_no_harm(sales: Sales) -> None:
    order = await placed(sales)

    with sales.product.having(loses_the_answer):
        answer = await cancel(sales, order["order_id"])
    again = await cancel(sales, order["order_id"])

    assert {answer.status_code, again.status_code} <= {200, 503}
    await eventually_finished(sales)
    assert (await standing(sales, order["order_id"]))["status"] == "CANCELLED"
    assert len(await sales.published("order.cancelled")) == 1


async def test_products_own_news_finishes_what_was_begun(sales: Sales) -> None:
    order = await placed(sales)
    await sales.product.stop()
    await cancel(sales, order["order_id"], {"reason": "Ordered twice."})
    [row] = await sales.rows("SELECT reservation_id FROM cancellations")

    await released(sales, row["reservation_id"])

    assert (await standing(sales, order["order_id"]))["cancel_reason"] == "Ordered twice."
    [event] = await sales.published("order.cancelled")
    assert event["data"]["reason"] == "Ordered twice."


async def test_news_of_stock_that_nobody_wanted_back_for_a_cancelling_touches_no_order(sales: Sales) -> None:
    order = await placed(sales)
    [row] = await sales.rows("SELECT reservation_id FROM orders")

    await released(sales, row["reservation_id"])
    await released(sales, uuid7())

    assert await standing(sales, order["order_id"]) == order
    assert await sales.rows("SELECT 1 FROM parked_events") == []


async def test_the_job_takes_up_nothing_that_is_being_done(sales: Sales) -> None:
    order = await placed(sales)
    await sales.product.stop()
    await cancel(sales, order["order_id"])

    assert await sales.run("finish_cancellations") == 0


@pytest.mark.parametrize("where", CANCEL)
async def test_whatever_step_it_dies_after_it_is_cancelled_once(sales: Sales, where: str) -> None:
    order = await placed(sales)

    arm("test", f"sales.cancel.{where}=raise*1")
    died = await cancel(sales, order["order_id"])
    await finished(sales)

    assert died.status_code == 500
    assert (await standing(sales, order["order_id"]))["status"] == "CANCELLED"
    assert len(await sales.published("order.cancelled")) == 1
    assert len(await sales.rows("SELECT 1 FROM order_history WHERE to_status = 'CANCELLED'")) == 1
    assert sales.product.held() == 0


async def test_two_replicas_of_the_job_share_the_work(sales: Sales, product: FakeProduct) -> None:
    orders = [await placed(sales) for _ in range(5)]
    await sales.product.stop()
    await asyncio.gather(*(cancel(sales, order["order_id"]) for order in orders))
    await sales.product.start()

    await eventually_finished(sales)
    await asyncio.gather(finished(sales), finished(sales))

    assert len(await sales.published("order.cancelled")) == 5
    assert product.held() == 0
