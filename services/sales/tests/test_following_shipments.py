"""What Delivery reports of orders, as it comes from the broker: in order, twice, and of many at once."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from chassis import steps
from chassis.consumer import Received
from chassis.ids import uuid7
from chassis.tracing import new_traceparent, working_for
from contracts.delivery.shipments import OrderStatusUpdated
from contracts.sales.orders import OrderStatus
from sales.orders.reactions import follow_shipments
from services.sales.tests.factories import Sales, an_order, on_the_wire, report
from services.sales.tests.following import (
    CREATED,
    WAS_DELIVERED,
    WAS_SHIPPED,
    an_order_in,
    parked,
    status_of,
    timeline_of,
    told,
)

SHIPPED, DELIVERED = OrderStatus.SHIPPED, OrderStatus.DELIVERED
PARCEL: dict[str, Any] = {"tracking_number": "TRK123456789", "carrier": "FedEx"}

EXAMPLE_SHIPPED: dict[str, Any] = {
    "event_id": "evt_shipped_123",
    "event_type": "order.status_updated",
    "timestamp": "2024-01-15T14:30:00Z",
    "source": "delivery-service",
    "data": {
        "order_id": "550e8400-e29b-41d4-a716-446655440000",
        "previous_status": "PENDING_SHIPMENT",
        "current_status": "SHIPPED",
        "tracking_number": "TRK123456789",
        "carrier": "FedEx",
    },
}
EXAMPLE_DELIVERED: dict[str, Any] = {
    "event_id": "evt_delivered_123",
    "event_type": "order.status_updated",
    "timestamp": "2024-01-17T16:45:00Z",
    "source": "delivery-service",
    "data": {
        "order_id": "550e8400-e29b-41d4-a716-446655440000",
        "previous_status": "SHIPPED",
        "current_status": "DELIVERED",
        "delivered_at": "2024-01-17T16:45:00Z",
        "delivery_location": "Front door",
    },
}


@pytest.mark.rule("AC-ORD-003", "AC-ORD-004")
async def test_a_parcel_that_leaves_and_arrives_makes_the_order_shipped_and_delivered(sales: Sales) -> None:
    id = await an_order_in(sales)

    await sales.service.consumer.handle([report(id, SHIPPED, event_id="s", **PARCEL)])
    assert await status_of(sales, id) == "SHIPPED"
    await sales.service.consumer.handle([report(id, DELIVERED, event_id="d", delivery_location="Front door")])

    assert await status_of(sales, id) == "DELIVERED"
    assert await timeline_of(sales, id) == [CREATED, WAS_SHIPPED, WAS_DELIVERED]
    assert await told(sales) == ["order.shipped", "order.delivered"]


async def test_the_examples_of_the_specification_are_understood(sales: Sales) -> None:
    id = await an_order_in(sales, order_id=UUID("550e8400-e29b-41d4-a716-446655440000"))

    await sales.service.consumer.handle([on_the_wire(json.dumps(EXAMPLE_SHIPPED).encode())])
    await sales.service.consumer.handle([on_the_wire(json.dumps(EXAMPLE_DELIVERED).encode())])

    order = (await sales.get(f"/{id}")).json()
    assert {name: order[name] for name in ("status", "tracking_number", "carrier", "delivery_location")} == {
        "status": "DELIVERED",
        "tracking_number": "TRK123456789",
        "carrier": "FedEx",
        "delivery_location": "Front door",
    }
    assert order["shipped_at"] == "2024-01-15T14:30:00Z"
    assert order["delivered_at"] == "2024-01-17T16:45:00Z"
    [shipped] = await sales.published("order.shipped")
    [delivered] = await sales.published("order.delivered")
    assert shipped["data"] == {
        "order_id": str(id),
        "customer_id": "grace",
        "tracking_number": "TRK123456789",
        "carrier": "FedEx",
        "shipped_at": "2024-01-15T14:30:00Z",
    }
    assert delivered["data"] == {
        "order_id": str(id),
        "customer_id": "grace",
        "delivered_at": "2024-01-17T16:45:00Z",
        "delivery_location": "Front door",
    }
    assert await timeline_of(sales, id) == [
        CREATED,
        ("changed", "PENDING_SHIPMENT", "SHIPPED", "evt_shipped_123"),
        ("changed", "SHIPPED", "DELIVERED", "evt_delivered_123"),
    ]


async def test_the_same_message_again_changes_nothing(sales: Sales) -> None:
    id = await an_order_in(sales)
    shipped, delivered = report(id, SHIPPED, event_id="s", **PARCEL), report(id, DELIVERED, event_id="d")

    for batch in ([shipped], [shipped, shipped], [delivered], [shipped, delivered, delivered], [delivered]):
        await sales.service.consumer.handle(batch)

    assert await timeline_of(sales, id) == [CREATED, WAS_SHIPPED, WAS_DELIVERED]
    assert await told(sales) == ["order.shipped", "order.delivered"]
    assert await parked(sales) == []


@pytest.mark.rule("BR-ORD-006")
async def test_the_same_status_in_another_message_changes_nothing(sales: Sales) -> None:
    id = await an_order_in(sales)

    await sales.service.consumer.handle([report(id, SHIPPED, event_id="s", **PARCEL)])
    await sales.service.consumer.handle([report(id, SHIPPED, tracking_number="OTHER-1", carrier="Pigeon")])

    order = (await sales.get(f"/{id}")).json()
    assert (order["tracking_number"], order["carrier"]) == ("TRK123456789", "FedEx")
    assert await timeline_of(sales, id) == [CREATED, WAS_SHIPPED]
    assert await told(sales) == ["order.shipped"]


async def test_the_same_message_to_two_consumers_at_once_counts_once(sales: Sales) -> None:
    id = await an_order_in(sales)
    message = report(id, SHIPPED, event_id="s")

    await asyncio.gather(*(sales.service.consumer.handle([message]) for _ in range(5)))

    assert await timeline_of(sales, id) == [CREATED, WAS_SHIPPED]
    assert await told(sales) == ["order.shipped"]


def received(order_id: UUID, event_id: str) -> Received[OrderStatusUpdated]:
    said = json.loads(report(order_id, SHIPPED).body)
    return Received(OrderStatusUpdated.model_validate(said["data"]), event_id, datetime.now(UTC), None)


async def test_of_two_reports_of_the_same_status_at_once_one_waits_and_then_changes_nothing(sales: Sales) -> None:
    id = await an_order_in(sales)
    database = sales.service.database

    async def follow(event_id: str) -> None:
        async with database.begin() as session:
            with working_for([new_traceparent()]):
                await follow_shipments(session, [received(id, event_id)])

    async with database.begin() as session:
        with working_for([new_traceparent()]):
            await follow_shipments(session, [received(id, "s")])
        second = asyncio.create_task(follow("t"))
        assert await sales.waits(second)
    await second

    assert await timeline_of(sales, id) == [CREATED, WAS_SHIPPED]
    assert await told(sales) == ["order.shipped"]


async def test_orders_are_locked_in_the_order_of_their_ids(sales: Sales) -> None:
    low, high = sorted([uuid7(), uuid7()])
    await an_order_in(sales, order_id=high)
    await an_order_in(sales, order_id=low)

    async with sales.holding("orders", low):
        following = asyncio.create_task(sales.service.consumer.handle([report(high, SHIPPED), report(low, SHIPPED)]))
        assert await sales.waits(following)
        assert await sales.is_free("orders", high)
    await following

    assert (await status_of(sales, low), await status_of(sales, high)) == ("SHIPPED", "SHIPPED")


async def test_many_reports_on_many_orders_are_one_transaction(sales: Sales) -> None:
    orders = [an_order() for _ in range(60)]
    await sales.write(*orders)
    batch = [report(order.id, status) for order in orders for status in (SHIPPED, DELIVERED)]

    await sales.service.consumer.handle(batch)

    assert await sales.rows("SELECT status, count(*) FROM orders GROUP BY status") == [
        {"status": "DELIVERED", "count": 60}
    ]
    assert len(await sales.rows("SELECT DISTINCT xmin::text FROM order_history WHERE event_id IS NOT NULL")) == 1
    assert sorted(await told(sales)) == ["order.delivered"] * 60 + ["order.shipped"] * 60


async def test_batches_that_share_orders_in_another_order_wait_for_each_other(sales: Sales) -> None:
    orders = [an_order() for _ in range(40)]
    await sales.write(*orders)
    batches = [[report(order.id, SHIPPED) for order in orders[:: (1, -1)[n % 2]]] for n in range(6)]

    await asyncio.gather(*(sales.service.consumer.handle(batch) for batch in batches))

    assert await told(sales) == ["order.shipped"] * 40
    assert await parked(sales) == []


async def test_the_steps_are_those_of_the_sequence_design(sales: Sales) -> None:
    id = await an_order_in(sales)

    with steps.record() as recording:
        await sales.service.consumer.handle([report(id, SHIPPED)])
        await sales.service.consumer.handle([report(id, DELIVERED)])

    assert [(step.participant, step.action, step.emits) for step in recording.steps] == [
        ("OrderAggregate", "ship", ("OrderShipped",)),
        ("OrderAggregate", "deliver", ("OrderDelivered",)),
    ]


async def test_when_it_happened_is_what_delivery_says_and_when_we_heard_of_it_is_in_the_timeline(sales: Sales) -> None:
    id = await an_order_in(sales)
    then = datetime(2026, 1, 15, 14, 30, tzinfo=UTC)

    await sales.service.consumer.handle([report(id, SHIPPED, shipped_at=then)])

    order = (await sales.get(f"/{id}")).json()
    entry = (await sales.get(f"/{id}/timeline")).json()["entries"][-1]
    assert datetime.fromisoformat(order["shipped_at"]) == then
    assert datetime.fromisoformat(entry["at"]) == datetime.fromisoformat(order["updated_at"]) > then
