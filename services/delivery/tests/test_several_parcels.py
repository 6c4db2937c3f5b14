"""An order in several parcels: it is SHIPPED with the first that leaves, and DELIVERED with the last that arrives."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from chassis.steps import record

from .factories import Desk, cancelled, code, statuses
from .factories_parcels import a_large_order, in_parcels, order_statuses, parcels_of, told_of

LOCKED = text("SELECT 1 FROM shipments WHERE id = :id FOR UPDATE")


def tracked(n: int) -> dict[str, str]:
    return {"carrier": "FedEx", "tracking_number": f"TRK-{n:04}"}


async def all_shipped(desk: Desk, *quantities: int) -> list[dict[str, Any]]:
    parcels = await in_parcels(desk, *quantities)
    for parcel in parcels:
        assert (await desk.dispatch(parcel, tracked(parcel["number"]))).status_code == 200
    return await parcels_of(desk, parcels[0])


async def news_of(desk: Desk) -> list[tuple[Any, ...]]:
    """What was told since the splits: of the order its status, of parcels which and how."""
    return [
        (data["current_status"],)
        if event["event_type"] == "order.status_updated"
        else (data["number"], data["status"], data["is_first_to_leave"])
        for event in await desk.published()
        if (data := event["data"]).get("status") != "READY"
    ]


@pytest.mark.rule("BR-ORD-008")
async def test_with_the_first_that_leaves_the_order_is_shipped_and_with_the_last_that_arrives_delivered(
    desk: Desk,
) -> None:
    first, second, third = await in_parcels(desk, 2, 1)

    for parcel in (second, first, third):
        await desk.dispatch(parcel, tracked(parcel["number"]))
    for parcel in (first, third, second):
        assert (await desk.confirm(parcel, {"delivery_location": f"Door {parcel['number']}"})).status_code == 200

    assert await news_of(desk) == [
        ("SHIPPED",),
        (2, "SHIPPED", True),
        (1, "SHIPPED", False),
        (3, "SHIPPED", False),
        (1, "DELIVERED", False),
        (3, "DELIVERED", False),
        ("DELIVERED",),
        (2, "DELIVERED", False),
    ]
    shipped, delivered = await told_of(desk, "order.status_updated")
    assert (shipped["previous_status"], shipped["tracking_number"]) == ("PENDING_SHIPMENT", "TRK-0002")
    assert (delivered["previous_status"], delivered["delivery_location"]) == ("SHIPPED", "Door 2")


async def test_each_parcel_is_told_with_its_own_tracking_and_counts_its_versions(desk: Desk) -> None:
    first, second = await all_shipped(desk, 2)
    delivered = (await desk.confirm(second, {"delivery_location": "Garage"})).json()

    told = [one for one in await told_of(desk, "shipment.updated") if one["number"] == 2]

    assert [(one["version"], one["status"]) for one in told] == [(1, "READY"), (2, "SHIPPED"), (3, "DELIVERED")]
    assert (told[-1]["carrier"], told[-1]["tracking_number"]) == ("FedEx", "TRK-0002")
    assert told[-1]["items"] == second["items"]
    assert (told[-1]["shipped_at"], told[-1]["delivered_at"]) == (second["shipped_at"], delivered["delivered_at"])
    assert told[-1]["delivery_location"] == "Garage"
    assert (await desk.again(first))["tracking_number"] == "TRK-0001"


async def test_every_parcel_asks_product_for_the_same_stock(desk: Desk) -> None:
    order = a_large_order()
    parcels = await in_parcels(desk, 2, order=order)

    for parcel in parcels:
        await desk.dispatch(parcel, tracked(parcel["number"]))

    assert desk.product.asked == [[order.reservation_id]] * 2


async def test_the_steps_of_a_later_parcel_are_those_of_the_sequence(desk: Desk) -> None:
    first, second = await in_parcels(desk, 2)
    await desk.dispatch(first, tracked(1))

    with record() as recording:
        answer = await desk.dispatch(second, tracked(2))

    steps = recording.of(answer.headers["x-trace-id"])
    assert [(step.participant, step.action, step.emits) for step in steps] == [
        ("OrderService", "shipOrder", ()),
        ("OrderAggregate", "ship", ("ShipmentUpdated",)),
        ("AuditLog", "logAuditEvent", ()),
    ]


async def test_two_clerks_who_dispatch_two_parcels_of_an_order_at_once_ship_it_once(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    first, second = await in_parcels(desk, 2)
    lingers_at("delivery.dispatch.shipping")

    answers = await asyncio.gather(desk.dispatch(first, tracked(1)), second_desk.dispatch(second, tracked(2)))

    assert statuses(answers) == [200, 200]
    assert await order_statuses(desk) == ["SHIPPED"]
    left = [one for one in await told_of(desk, "shipment.updated") if one["status"] == "SHIPPED"]
    assert sorted(one["is_first_to_leave"] for one in left) == [False, True]


async def test_many_clerks_at_all_parcels_of_an_order_do_not_block_each_other(desk: Desk, second_desk: Desk) -> None:
    parcels = await in_parcels(desk, 1, 1, 1, 1)

    dispatched = await asyncio.gather(
        *(
            each.dispatch(parcel, tracked(10 * parcel["number"] + n))
            for n, each in enumerate((desk, second_desk, desk))
            for parcel in (parcels if n % 2 else reversed(parcels))
        )
    )
    confirmed = await asyncio.gather(
        *(each.confirm(parcel) for each in (desk, second_desk) for parcel in reversed(parcels))
    )

    assert statuses(dispatched) == [200] * 5 + [409] * 10
    assert statuses(confirmed) == [200] * 10
    assert await order_statuses(desk) == ["SHIPPED", "DELIVERED"]


@pytest.mark.rule("BR-ORD-008")
async def test_of_the_last_two_that_arrive_at_once_one_is_the_last(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    first, second = await all_shipped(desk, 2)
    lingers_at("delivery.confirm.delivered")

    answers = await asyncio.gather(desk.confirm(first), second_desk.confirm(second))

    assert statuses(answers) == [200, 200]
    assert await order_statuses(desk) == ["SHIPPED", "DELIVERED"]


async def test_if_product_gives_no_stock_that_parcel_is_stopped_and_the_others_by_the_order_s_end(desk: Desk) -> None:
    order = a_large_order()
    first, second = await in_parcels(desk, 2, order=order)
    desk.product.states[order.reservation_id] = "RELEASED"

    answer = await desk.dispatch(second, tracked(2))

    assert (answer.status_code, code(answer)) == (409, "RESERVATION_RELEASED")
    assert [parcel["status"] for parcel in await parcels_of(desk, first)] == ["READY", "STOPPED"]
    await desk.hear(cancelled(order))
    assert [parcel["status"] for parcel in await parcels_of(desk, first)] == ["STOPPED", "STOPPED"]
    assert await order_statuses(desk) == []


@pytest.mark.parametrize("number", [1, 2])
async def test_a_cancelling_that_meets_the_dispatch_of_one_parcel_stops_all(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None], number: int
) -> None:
    order = a_large_order()
    parcels = await in_parcels(desk, 2, order=order)
    desk.product.states[order.reservation_id] = "RELEASED"
    lingers_at("delivery.dispatch.shipping")

    answer, _ = await asyncio.gather(desk.dispatch(parcels[number - 1], tracked(1)), second_desk.hear(cancelled(order)))

    assert answer.status_code == 409
    assert code(answer) in {"RESERVATION_RELEASED", "INVALID_STATUS_TRANSITION"}
    assert [parcel["status"] for parcel in await parcels_of(desk, parcels[0])] == ["STOPPED", "STOPPED"]


async def test_the_autopilot_ships_and_delivers_all_parcels_and_tells_of_the_order_once(
    desk: Desk, second_desk: Desk
) -> None:
    for _ in range(5):
        await in_parcels(desk, 2, 1)
        await desk.ready()

    await asyncio.gather(desk.run("dispatch_due"), second_desk.run("dispatch_due"))
    # What one of them holds of an order, the other leaves alone until the next time.
    while await desk.query("SELECT 1 FROM shipments WHERE status = 'SHIPPED'"):
        await asyncio.gather(desk.run("deliver_due"), second_desk.run("deliver_due"))

    assert await desk.query("SELECT DISTINCT status FROM shipments") == [{"status": "DELIVERED"}]
    assert sorted(await order_statuses(desk)) == ["DELIVERED"] * 10 + ["SHIPPED"] * 10
    assert len([one for one in await told_of(desk, "shipment.updated") if one["is_first_to_leave"]]) == 5


async def test_the_autopilot_waits_for_nobody_who_is_at_another_parcel_of_the_order(desk: Desk) -> None:
    first, second = await all_shipped(desk, 2)
    alone = (await desk.dispatch(await desk.ready(), tracked(3))).json()

    async with desk.database.begin() as session:
        await session.execute(LOCKED, {"id": UUID(first["shipment_id"])})
        async with asyncio.timeout(5):
            await desk.run("deliver_due")

    assert (await desk.again(second))["status"] == "SHIPPED"
    assert (await desk.again(alone))["status"] == "DELIVERED"
    await desk.run("deliver_due")
    assert (await desk.again(second))["status"] == "DELIVERED"
    assert sorted(await order_statuses(desk)) == ["DELIVERED"] * 2 + ["SHIPPED"] * 2


async def test_what_has_died_of_several_dispatches_is_finished_and_told_once(
    desk: Desk, fails_at: Callable[[str], None]
) -> None:
    first, second = await in_parcels(desk, 2)
    for parcel in (first, second):
        fails_at("delivery.dispatch.deducted")
        assert (await desk.dispatch(parcel, tracked(parcel["number"]))).status_code == 500
    await desk.end_leases()

    assert await desk.run("finish_dispatches") == 2

    assert [parcel["status"] for parcel in await parcels_of(desk, first)] == ["SHIPPED", "SHIPPED"]
    assert await order_statuses(desk) == ["SHIPPED"]
