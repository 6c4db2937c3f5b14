"""What Delivery reports too late, too early, of orders that nobody knows, and what makes no sense."""

import json
from collections.abc import Mapping
from uuid import UUID, uuid4

import pytest

from contracts.sales.orders import OrderStatus
from services.sales.tests.factories import Sales, an_order, on_the_wire, report
from services.sales.tests.following import (
    CREATED,
    WAS_DELIVERED,
    WAS_SHIPPED,
    an_order_in,
    parked,
    status_of,
    time_passes_for_parked_events,
    timeline_of,
    told,
)
from services.sales.tests.test_following_shipments import EXAMPLE_SHIPPED

SHIPPED, DELIVERED = OrderStatus.SHIPPED, OrderStatus.DELIVERED


@pytest.mark.rule("BR-ORD-006")
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


@pytest.mark.rule("BR-ORD-006")
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
