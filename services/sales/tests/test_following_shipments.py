"""What Delivery reports, as it comes from the broker: in order, twice, late, early, and on orders that nobody knows."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from chassis import steps
from chassis.consumer import Received
from chassis.ids import uuid7
from chassis.tracing import new_traceparent, working_for
from contracts.delivery import OrderStatusUpdated
from contracts.sales.orders import OrderStatus
from sales.orders.reactions import follow_shipments
from services.sales.tests.factories import Sales, an_order, on_the_wire, report

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


async def an_order_in(sales: Sales, **more: Any) -> UUID:
    order = an_order(**more)
    await sales.write(order)
    return order.id


async def status_of(sales: Sales, order_id: UUID) -> str:
    return str((await sales.get(f"/{order_id}")).json()["status"])


async def timeline_of(sales: Sales, order_id: UUID) -> list[tuple[str, str | None, str, str | None]]:
    entries = (await sales.get(f"/{order_id}/timeline")).json()["entries"]
    return [(entry["kind"], entry["from_status"], entry["to_status"], entry["event_id"]) for entry in entries]


async def parked(sales: Sales) -> list[str]:
    rows = await sales.rows("SELECT event_id FROM parked_events WHERE resolved_at IS NULL ORDER BY event_id")
    return [row["event_id"] for row in rows]


async def time_passes_for_parked_events(sales: Sales) -> None:
    await sales.rows("UPDATE parked_events SET next_attempt_at = now() RETURNING 1")
    await sales.service.consumer.retry_due()


async def told(sales: Sales) -> list[str]:
    return [event["event_type"] for event in await sales.published() if event["event_type"] != "order.created"]


CREATED = ("changed", None, "PENDING_SHIPMENT", None)
WAS_SHIPPED = ("changed", "PENDING_SHIPMENT", "SHIPPED", "s")
WAS_DELIVERED = ("changed", "SHIPPED", "DELIVERED", "d")


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


async def test_a_delivery_that_is_heard_of_first_waits_for_its_shipping(sales: Sales) -> None:
    id = await an_order_in(sales)

    await sales.service.consumer.handle([report(id, DELIVERED, event_id="d")])
    assert await parked(sales) == ["d"]
    await time_passes_for_parked_events(sales)
    assert (await status_of(sales, id), await parked(sales)) == ("PENDING_SHIPMENT", ["d"])
    await sales.service.consumer.handle([report(id, SHIPPED, event_id="s")])
    await time_passes_for_parked_events(sales)

    assert (await status_of(sales, id), await parked(sales)) == ("DELIVERED", [])
    assert await timeline_of(sales, id) == [CREATED, WAS_SHIPPED, WAS_DELIVERED]
    assert await told(sales) == ["order.shipped", "order.delivered"]


@pytest.mark.parametrize("turned", [False, True])
async def test_both_in_one_batch_count_in_either_order(sales: Sales, turned: bool) -> None:
    id = await an_order_in(sales)
    batch = [report(id, SHIPPED, event_id="s"), report(id, DELIVERED, event_id="d")]

    await sales.service.consumer.handle(batch[::-1] if turned else batch)
    await time_passes_for_parked_events(sales)

    assert await timeline_of(sales, id) == [CREATED, WAS_SHIPPED, WAS_DELIVERED]
    assert await told(sales) == ["order.shipped", "order.delivered"]
    assert await parked(sales) == []


async def test_a_shipping_that_is_heard_of_late_is_refused_and_can_be_seen(sales: Sales) -> None:
    id = await an_order_in(sales)
    await sales.service.consumer.handle([report(id, SHIPPED, event_id="s"), report(id, DELIVERED, event_id="d")])

    await sales.service.consumer.handle([report(id, SHIPPED, event_id="late")])

    entries = (await sales.get(f"/{id}/timeline")).json()["entries"]
    assert await status_of(sales, id) == "DELIVERED"
    assert {name: entries[-1][name] for name in entries[-1] if name != "at"} == {
        "kind": "refused",
        "from_status": "DELIVERED",
        "to_status": "SHIPPED",
        "actor": "delivery-service",
        "event_id": "late",
        "reason": "The order is DELIVERED already.",
    }
    assert await told(sales) == ["order.shipped", "order.delivered"]
    assert await parked(sales) == []


@pytest.mark.parametrize("status", [status for status in OrderStatus if status not in (SHIPPED, DELIVERED)])
async def test_what_is_not_for_a_shipment_to_say_is_refused_and_does_not_disturb_the_others(
    sales: Sales, status: OrderStatus
) -> None:
    strange, other = await an_order_in(sales, status=OrderStatus.PENDING), await an_order_in(sales)

    await sales.service.consumer.handle([report(strange, status), report(other, SHIPPED)])

    assert (await status_of(sales, strange), await status_of(sales, other)) == ("PENDING", "SHIPPED")
    assert [kind for kind, *_ in await timeline_of(sales, strange)] == ["changed", "refused"][
        : 1 + (status != "PENDING")
    ]
    assert await parked(sales) == []


async def test_a_report_on_an_unknown_order_waits_and_does_not_disturb_the_others(sales: Sales) -> None:
    known, unknown = await an_order_in(sales), uuid4()

    await sales.service.consumer.handle([report(unknown, SHIPPED, event_id="u"), report(known, SHIPPED)])

    assert await status_of(sales, known) == "SHIPPED"
    assert await parked(sales) == ["u"]
    await sales.write(an_order(order_id=unknown))
    await time_passes_for_parked_events(sales)
    assert (await status_of(sales, unknown), await parked(sales)) == ("SHIPPED", [])


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


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": "nonsense"},
        {"current_status": "LOST"},
        {"tracking_number": "x'; DROP TABLE orders; --"},
        {"delivered_at": "yesterday"},
        {"carrier": "Fed\x00Ex"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_what_is_not_in_the_documented_form_is_kept_for_a_human(sales: Sales, change: Mapping[str, str]) -> None:
    id = await an_order_in(sales, order_id=UUID(EXAMPLE_SHIPPED["data"]["order_id"]))
    wrong = {**EXAMPLE_SHIPPED, "data": {**EXAMPLE_SHIPPED["data"], **change}}

    await sales.service.consumer.handle([on_the_wire(json.dumps(wrong).encode())])

    assert await status_of(sales, id) == "PENDING_SHIPMENT"
    assert await sales.rows("SELECT event_id, next_attempt_at FROM parked_events") == [
        {"event_id": "evt_shipped_123", "next_attempt_at": None}
    ]


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
