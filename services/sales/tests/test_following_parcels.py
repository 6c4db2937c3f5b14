"""What Delivery tells of single parcels, as it comes from the broker: twice, in any order, and of unknown orders."""

import asyncio
import json
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.broker import Message
from chassis.consumer import Received
from chassis.tracing import new_traceparent, working_for
from contracts.sales.orders import OrderStatus
from sales.tracking.reactions import follow_parcels
from services.sales.tests.factories import Sales, an_order, on_the_wire, report
from services.sales.tests.following import an_order_in, parked, time_passes_for_parked_events
from services.sales.tests.parcels import FIRST, MONDAY, SECOND, TUESDAY, parcel, parcels, shipment_id, word_on

SHIPPED, DELIVERED = OrderStatus.SHIPPED, OrderStatus.DELIVERED
LAMP = {"lamp": 1}


def a_story_of_two_parcels(order: UUID) -> list[Message]:
    return [
        parcel(order, 1, 2),
        parcel(order, 2, 1),
        report(order, SHIPPED, event_id="s", shipped_at=MONDAY, **FIRST),
        parcel(order, 1, 3, "SHIPPED", is_first_to_leave=True, shipped_at=MONDAY, **FIRST),
        parcel(order, 2, 2, "SHIPPED", shipped_at=TUESDAY, **SECOND),
        parcel(order, 1, 4, "LOST", shipped_at=MONDAY, **FIRST),
        parcel(order, 2, 3, "DELIVERED", shipped_at=TUESDAY, **SECOND),
    ]


async def told_of_parcels(sales: Sales) -> list[dict[str, Any]]:
    return [event["data"] for event in await sales.published("order.parcel_shipped")]


async def all_is_heard(sales: Sales) -> None:
    async with asyncio.timeout(10):
        while await parked(sales):
            await time_passes_for_parked_events(sales)


async def ends_well(sales: Sales, order: UUID) -> None:
    assert await parcels(sales, order) == [(1, "LOST", LAMP, "TRK-1"), (2, "DELIVERED", LAMP, "TRK-2")]
    [told] = await told_of_parcels(sales)
    assert told == {
        "order_id": str(order),
        "customer_id": "grace",
        "shipment_id": str(shipment_id(order, 2)),
        "items": [{"product_id": "lamp", "name": "A lamp", "quantity": 1}],
        **SECOND,
        "shipped_at": "2026-03-03T09:00:00Z",
    }


async def test_in_whichever_order_it_is_heard_the_end_is_the_same(sales: Sales) -> None:
    """One message at a time, and for each way of telling it another order."""
    for number, way in enumerate(list(permutations(range(7)))[::317]):
        id = await an_order_in(sales)
        story = a_story_of_two_parcels(id)
        # Each its own order's: an event is heard of once.
        story[2] = report(id, SHIPPED, event_id=f"s{number}", shipped_at=MONDAY, **FIRST)

        for each in way:
            await sales.hear(story[each])
        await all_is_heard(sales)

        await ends_well(sales, id)
        await sales.rows("DELETE FROM outbox WHERE event_type = 'order.parcel_shipped' RETURNING 1")


@pytest.mark.parametrize("turned", [False, True])
async def test_all_in_one_batch_and_all_of_it_twice_is_the_same(sales: Sales, turned: bool) -> None:
    id = await an_order_in(sales)
    story = a_story_of_two_parcels(id)[:: -1 if turned else 1]

    await sales.hear(*story, *story)
    await sales.hear(*story)
    await all_is_heard(sales)

    await ends_well(sales, id)


async def test_older_news_and_the_same_again_in_another_message_change_nothing(sales: Sales) -> None:
    id = await an_order_in(sales)
    await sales.hear(report(id, SHIPPED, **FIRST))
    await sales.hear(parcel(id, 2, 3, "DELIVERED", **SECOND))
    before = await sales.rows("SELECT * FROM order_parcels")

    await sales.hear(parcel(id, 2, 3, "LOST", {"lamp": 2}, **FIRST), parcel(id, 2, 2, "RETURNED"))

    assert await sales.rows("SELECT * FROM order_parcels") == before


async def test_a_departure_is_told_once_however_often_it_is_heard_of(sales: Sales) -> None:
    id = await an_order_in(sales)
    await sales.hear(report(id, SHIPPED, **FIRST))

    for version in (2, 2, 3):
        await sales.hear(*(parcel(id, 2, version, "SHIPPED", shipped_at=MONDAY, **SECOND) for _ in range(2)))

    assert len(await told_of_parcels(sales)) == 1


async def test_of_the_first_to_leave_the_order_tells_and_nobody_else(sales: Sales) -> None:
    id = await an_order_in(sales)

    await sales.hear(
        report(id, SHIPPED, shipped_at=MONDAY, **FIRST),
        parcel(id, 1, 3, "SHIPPED", is_first_to_leave=True, shipped_at=MONDAY, **FIRST),
    )
    await sales.hear(parcel(id, 1, 4, "SHIPPED", shipped_at=MONDAY, **FIRST))

    assert await told_of_parcels(sales) == []
    assert len(await sales.published("order.shipped")) == 1


async def test_what_came_back_and_is_sent_again_is_told_again_and_an_old_departure_is_not(sales: Sales) -> None:
    id = await an_order_in(sales)
    await sales.hear(report(id, SHIPPED, **FIRST))

    await sales.hear(parcel(id, 2, 5, "SHIPPED", shipped_at=TUESDAY, **SECOND))
    await sales.hear(parcel(id, 2, 2, "SHIPPED", shipped_at=MONDAY, **FIRST))

    assert [told["tracking_number"] for told in await told_of_parcels(sales)] == ["TRK-2"]
    await sales.hear(parcel(id, 3, 2, "SHIPPED", shipped_at=MONDAY, **FIRST))
    await sales.hear(parcel(id, 3, 5, "SHIPPED", shipped_at=TUESDAY, **SECOND))
    assert [told["tracking_number"] for told in await told_of_parcels(sales)] == ["TRK-2", "TRK-1", "TRK-2"]


async def test_of_two_departures_in_one_batch_the_later_one_is_told(sales: Sales) -> None:
    id = await an_order_in(sales)
    await sales.hear(report(id, SHIPPED, **FIRST))
    again = parcel(id, 2, 5, "SHIPPED", shipped_at=TUESDAY, **SECOND)

    await sales.hear(again, parcel(id, 2, 2, "SHIPPED", shipped_at=MONDAY, **FIRST))

    assert [told["tracking_number"] for told in await told_of_parcels(sales)] == ["TRK-2"]


async def test_a_departure_without_its_time_is_told_with_that_of_the_news(sales: Sales) -> None:
    id = await an_order_in(sales)
    await sales.hear(report(id, SHIPPED, **FIRST))

    await sales.hear(parcel(id, 2, 2, "SHIPPED", event_id="p", **SECOND))

    assert [told["shipped_at"] for told in await told_of_parcels(sales)] == ["2026-03-02T09:00:00Z"]


async def test_customers_do_not_hear_of_a_further_parcel_before_they_hear_of_the_first(sales: Sales) -> None:
    id = await an_order_in(sales)

    await sales.hear(parcel(id, 2, 2, "SHIPPED", event_id="p", **SECOND), parcel(id, 1, 2))
    assert (await parked(sales), await told_of_parcels(sales)) == (["p"], [])
    assert [number for number, *_ in await parcels(sales, id)] == [1, 2]
    await sales.hear(report(id, SHIPPED, **FIRST))
    await time_passes_for_parked_events(sales)

    assert await parked(sales) == []
    assert [event["event_type"] for event in await sales.published()][1:] == ["order.shipped", "order.parcel_shipped"]


async def test_a_parcel_of_an_unknown_order_waits_and_does_not_disturb_the_others(sales: Sales) -> None:
    known, unknown = await an_order_in(sales), uuid4()

    await sales.hear(parcel(unknown, 2, 1, event_id="u"), parcel(known, 2, 1))

    assert await parked(sales) == ["u"]
    assert len(await parcels(sales, known)) == 2
    await sales.write(an_order(order_id=unknown))
    await time_passes_for_parked_events(sales)
    assert (await parked(sales), len(await parcels(sales, unknown))) == ([], 2)


async def test_many_parcels_of_many_orders_are_one_transaction(sales: Sales) -> None:
    orders = [an_order() for _ in range(40)]
    await sales.write(*orders)
    await sales.hear(*(report(order.id, SHIPPED) for order in orders))

    await sales.hear(
        *(
            parcel(order.id, number, 2, "SHIPPED", shipped_at=MONDAY, tracking_number=f"T-{n}-{number}")
            for n, order in enumerate(orders)
            for number in (2, 3)
        )
    )

    assert len(await sales.rows("SELECT DISTINCT xmin::text FROM order_parcels")) == 1
    told = await told_of_parcels(sales)
    assert len({(each["order_id"], each["shipment_id"]) for each in told}) == len(told) == 80
    assert {tuple(item["name"] for item in each["items"]) for each in told} == {("A lamp",)}


async def test_of_two_that_tell_of_a_departure_at_once_one_waits_and_then_tells_nothing(sales: Sales) -> None:
    id = await an_order_in(sales)
    await sales.hear(report(id, SHIPPED, **FIRST))

    async def follow(session: AsyncSession, version: int) -> None:
        told = word_on(id, 2, version, "SHIPPED", shipped_at=MONDAY, **SECOND)
        with working_for([new_traceparent()]):
            await follow_parcels(session, [Received(told, str(uuid4()), MONDAY, None)])

    async def follow_alone(version: int) -> None:
        async with sales.service.database.begin() as session:
            await follow(session, version)

    async with sales.service.database.begin() as session:
        await follow(session, 2)
        second = asyncio.create_task(follow_alone(3))
        assert await sales.waits(second)
    await second

    assert len(await told_of_parcels(sales)) == 1
    assert await sales.rows("SELECT version FROM order_parcels") == [{"version": 3}]


async def test_parcels_are_locked_in_the_order_of_their_orders_and_numbers(sales: Sales) -> None:
    low, high = sorted([await an_order_in(sales), await an_order_in(sales)])
    await sales.hear(parcel(low, 2, 1), parcel(high, 2, 1))

    async with sales.service.database.begin() as session:
        await session.execute(text("SELECT FROM order_parcels WHERE order_id = :low FOR UPDATE"), {"low": low})
        following = asyncio.create_task(sales.service.consumer.handle([parcel(high, 2, 2), parcel(low, 2, 2)]))
        assert await sales.waits(following)
        assert await sales.rows("SELECT 1 FROM order_parcels WHERE order_id = :high FOR UPDATE SKIP LOCKED", high=high)
    await following

    assert await sales.rows("SELECT DISTINCT version FROM order_parcels") == [{"version": 2}]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "STOLEN"},
        {"version": "latest"},
        {"order_id": "nonsense"},
        {"items": [{"product_id": "lamp"}]},
        {"tracking_url": "javascript:alert(1)"},
        {"carrier": "Fed\x00Ex"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_what_is_not_in_the_documented_form_is_kept_for_a_human(sales: Sales, change: dict[str, Any]) -> None:
    id = await an_order_in(sales)
    said = json.loads(parcel(id, 2, 1, event_id="p").body)
    wrong = {**said, "data": {**said["data"], **change}}

    await sales.hear(on_the_wire(json.dumps(wrong).encode()))

    assert await sales.count("order_parcels") == 0
    assert await sales.rows("SELECT event_id, next_attempt_at FROM parked_events") == [
        {"event_id": "p", "next_attempt_at": None}
    ]
