"""What Delivery makes of the news of an order."""

import asyncio
from datetime import UTC, datetime

from structlog.testing import capture_logs

from chassis.consumer import Received
from chassis.ids import uuid7
from chassis.tracing import new_traceparent, working_for
from contracts.sales.orders import OrderStatus
from delivery.shipments.reactions import prepare_shipments

from .factories import Desk, a_message, an_order


async def test_a_created_order_has_a_shipment_that_waits(desk: Desk) -> None:
    order = an_order()

    await desk.hear(a_message(order))

    [shipment] = (await desk.get()).json()["items"]
    assert shipment["order_id"] == str(order.order_id)
    assert (shipment["status"], shipment["allowed_actions"]) == ("READY", ["dispatch", "split"])
    assert shipment["items"] == [
        {"product_id": "product_456", "quantity": 2},
        {"product_id": "product_789", "variant_id": str(order.items[1].variant_id), "quantity": 1},
    ]
    assert shipment["shipping_address"] == order.shipping_address.model_dump(exclude_none=True)
    assert await desk.published() == []


async def test_the_same_news_twice_make_one_shipment(desk: Desk) -> None:
    order, event_id = an_order(), str(uuid7())

    await desk.hear(a_message(order, event_id), a_message(order, event_id))
    await desk.hear(a_message(order, event_id))

    assert len(await desk.query("SELECT id FROM shipments")) == 1
    assert len(await desk.query("SELECT event_id FROM inbox")) == 1


async def test_an_order_that_is_told_of_under_another_event_id_keeps_its_shipment(desk: Desk) -> None:
    order = an_order()
    ready = await desk.ready(order)

    await desk.hear(a_message(order), a_message(an_order()), a_message(order))

    assert await desk.again(ready) == ready
    assert len(await desk.query("SELECT id FROM shipments")) == 2
    assert await desk.query("SELECT * FROM parked_events") == []


async def test_replicas_that_hear_of_the_same_orders_at_once_make_one_shipment_each(
    desk: Desk, second_desk: Desk
) -> None:
    orders = [an_order() for _ in range(9)]

    # The one in the middle is held back, until both replicas have done their half and meet there.
    async with desk.database.begin() as session:
        with working_for([new_traceparent()]):
            await prepare_shipments(session, [Received(orders[4], "held back", datetime.now(UTC), None)])
        hearing = asyncio.gather(
            desk.hear(*map(a_message, orders)), second_desk.hear(*map(a_message, reversed(orders)))
        )
        await _two_wait_for_a_lock(desk)
    with capture_logs() as logs:
        await hearing

    assert len(await desk.query("SELECT id FROM shipments")) == 9
    assert logs == []  # nobody died of a deadlock and had to start again


async def test_a_thousand_orders_are_one_statement(desk: Desk) -> None:
    await desk.hear(*(a_message(an_order()) for _ in range(1_000)))

    assert len(await desk.query("SELECT DISTINCT order_id FROM shipments")) == 1_000


async def test_what_the_order_was_is_told_when_the_parcel_is_shipped(desk: Desk) -> None:
    ready = await desk.ready(an_order(status=OrderStatus.CONFIRMED))

    await desk.dispatch(ready)

    [event] = await desk.published()
    assert event["data"]["previous_status"] == "CONFIRMED"


async def _two_wait_for_a_lock(desk: Desk) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(5):
        while len(await desk.query(waiting)) < 2:  # noqa: ASYNC110 (the database tells nobody)
            await asyncio.sleep(0.01)
