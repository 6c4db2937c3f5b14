"""A parcel waits until its order is paid for, and does not leave when its order is cancelled."""

import asyncio
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from contracts.sales.orders import OrderCreated, OrderStatus

from .factories import TRACKED, Desk, a_message, an_order, cancelled, code, paid


def unpaid() -> OrderCreated:
    return an_order(status=OrderStatus.PENDING)


async def parked(desk: Desk) -> list[str]:
    rows = await desk.query("SELECT event_type FROM parked_events WHERE resolved_at IS NULL ORDER BY event_id")
    return [row["event_type"] for row in rows]


async def retried(desk: Desk) -> None:
    """As when the parked events' time has come."""
    await desk.query("UPDATE parked_events SET next_attempt_at = now()")
    await desk.service.consumer.retry_due()


@pytest.mark.rule("BR-PARC-002")
async def test_the_parcel_of_an_order_that_is_not_paid_for_waits(desk: Desk) -> None:
    shipment = await desk.ready(unpaid())

    by_hand = await desk.dispatch(shipment, TRACKED)
    by_itself = await desk.run("dispatch_due")

    assert (shipment["status"], shipment["allowed_actions"]) == ("ON_HOLD", ["split"])
    assert (by_hand.status_code, code(by_hand)) == (409, "INVALID_STATUS_TRANSITION")
    assert by_itself == 0
    assert await desk.again(shipment) == shipment
    assert desk.product.asked == []


async def test_once_it_is_paid_for_it_may_leave(desk: Desk) -> None:
    order = unpaid()
    shipment = await desk.ready(order)

    await desk.hear(paid(order))
    released = await desk.again(shipment)
    dispatched = await desk.dispatch(shipment, TRACKED)

    assert (released["status"], released["allowed_actions"]) == ("READY", ["dispatch", "split"])
    assert dispatched.json()["status"] == "SHIPPED"
    [event] = await desk.published()
    assert event["data"]["previous_status"] == "CONFIRMED"
    released_by = (await desk.audited())[0]
    assert (released_by["actor"], released_by["action"]) == ("sales", "shipment.released")
    assert (released_by["before"], released_by["after"]) == ({"status": "ON_HOLD"}, {"status": "READY"})


async def test_that_it_is_paid_for_is_news_once(desk: Desk) -> None:
    order = unpaid()
    shipment = await desk.ready(order)
    await desk.hear(paid(order))
    await desk.dispatch(shipment, TRACKED)

    await desk.hear(paid(order), paid(order))

    assert (await desk.again(shipment))["status"] == "SHIPPED"
    assert [row["action"] for row in await desk.audited()] == ["shipment.released", "shipment.dispatched"]


@pytest.mark.rule("BR-PARC-002")
@pytest.mark.parametrize("status", [OrderStatus.PENDING, OrderStatus.PENDING_SHIPMENT])
async def test_the_parcel_of_a_cancelled_order_is_stopped(desk: Desk, status: OrderStatus) -> None:
    order = an_order(status=status)
    shipment = await desk.ready(order)

    await desk.hear(cancelled(order))
    stopped = await desk.again(shipment)
    dispatched = await desk.dispatch(shipment, TRACKED)

    assert (stopped["status"], stopped["stop_reason"]) == ("STOPPED", "The order was cancelled.")
    assert (dispatched.status_code, code(dispatched)) == (409, "INVALID_STATUS_TRANSITION")
    assert await desk.run("dispatch_due") == 0
    [row] = await desk.audited()
    assert (row["actor"], row["action"]) == ("sales", "shipment.stopped")
    assert (row["before"], row["after"]["status"]) == ({"status": shipment["status"]}, "STOPPED")


async def test_that_it_is_cancelled_is_news_once(desk: Desk) -> None:
    order = an_order()
    shipment = await desk.ready(order)

    await desk.hear(cancelled(order), cancelled(order))
    with capture_logs() as logs:
        await desk.hear(cancelled(order))

    assert (await desk.again(shipment))["status"] == "STOPPED"
    assert len(await desk.audited()) == 1
    assert logs == []


async def test_a_payment_that_is_told_after_the_cancelling_frees_nothing(desk: Desk) -> None:
    order = unpaid()
    shipment = await desk.ready(order)

    await desk.hear(cancelled(order))
    await desk.hear(paid(order))

    assert (await desk.again(shipment))["status"] == "STOPPED"


@pytest.mark.parametrize(("news", "then"), [(paid, "READY"), (cancelled, "STOPPED")])
async def test_what_is_told_before_the_orders_creation_waits_for_it(desk: Desk, news: object, then: str) -> None:
    assert callable(news)
    order, other = unpaid(), unpaid()
    known = await desk.ready(other)

    await desk.hear(news(order), news(other))
    waiting = await parked(desk)
    shipment = await desk.ready(order)
    await retried(desk)

    assert len(waiting) == 1
    assert (await desk.again(known))["status"] == then
    assert (await desk.again(shipment))["status"] == then
    assert await parked(desk) == []


async def test_a_dispatch_that_a_cancelling_overtakes_ends_with_a_clear_answer(desk: Desk) -> None:
    order = an_order()
    shipment = await desk.ready(order)
    desk.product.states[order.reservation_id] = "RELEASED"
    desk.product.open.clear()

    dispatching = asyncio.create_task(desk.dispatch(shipment, TRACKED))
    await desk.product.arrived.acquire()
    await desk.hear(cancelled(order))
    desk.product.open.set()
    answer = await dispatching

    assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")
    stopped = await desk.again(shipment)
    assert (stopped["status"], stopped["stop_reason"]) == ("STOPPED", "The order was cancelled.")
    assert "carrier" not in stopped
    assert await desk.published() == []


async def test_a_parcel_that_has_left_is_not_called_back(desk: Desk) -> None:
    order = an_order()
    shipment = await desk.ready(order)
    await desk.dispatch(shipment, TRACKED)

    with capture_logs() as logs:
        await desk.hear(cancelled(order))

    assert (await desk.again(shipment))["status"] == "SHIPPED"
    assert [entry["event"] for entry in logs] == ["cancelled_after_dispatch"]


async def test_a_whole_batch_is_released_and_stopped_together(desk: Desk) -> None:
    orders = [unpaid() for _ in range(300)]
    await desk.hear(*map(a_message, orders))

    started = datetime.now(UTC)
    await desk.hear(*map(paid, orders[:200]), *map(cancelled, orders[200:]))

    counted = await desk.query("SELECT status, count(*) FROM shipments GROUP BY status ORDER BY status")
    assert {row["status"]: row["count"] for row in counted} == {"READY": 200, "STOPPED": 100}
    audited = await desk.query("SELECT count(*) FROM audit_log WHERE at >= :started", started=started)
    assert audited == [{"count": 300}]
