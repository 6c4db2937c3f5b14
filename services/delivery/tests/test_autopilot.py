"""Without people: what is due is dispatched and delivered, in batches, by however many replicas there are."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from chassis.errors import Unavailable
from chassis.tracing import new_traceparent
from delivery.settings import DispatchingSettings

from .factories import Desk, FakeProduct, UnhurriedProduct, a_desk, a_message, an_order


async def _prepare(desk: Desk, count: int) -> None:
    await desk.hear(*(a_message(an_order()) for _ in range(count)))


async def _statuses(desk: Desk) -> Counter[str]:
    return Counter(row["status"] for row in await desk.query("SELECT status FROM shipments"))


async def test_two_replicas_dispatch_and_deliver_a_thousand_parcels_once_each(desk: Desk, second_desk: Desk) -> None:
    await _prepare(desk, 1_000)

    await asyncio.gather(desk.run("dispatch_due"), second_desk.run("dispatch_due"))
    assert await _statuses(desk) == {"SHIPPED": 1_000}
    await asyncio.gather(desk.run("deliver_due"), second_desk.run("deliver_due"))
    assert await _statuses(desk) == {"DELIVERED": 1_000}

    asked = Counter(each for batch in desk.product.asked for each in batch)
    assert (len(asked), set(asked.values())) == (1_000, {1})
    assert max(map(len, desk.product.asked)) == 100
    told = Counter((event["data"]["order_id"], event["data"]["current_status"]) for event in await desk.published())
    assert (len(told), set(told.values())) == (2_000, {1})
    audited = Counter((row["entity_id"], row["action"]) for row in await desk.audited())
    assert (len(audited), set(audited.values())) == (2_000, {1})
    numbers = await desk.query("SELECT DISTINCT tracking_number FROM shipments")
    assert len(numbers) == 1_000


async def test_it_leaves_parcels_at_the_front_door(desk: Desk) -> None:
    await _prepare(desk, 1)

    await desk.run("dispatch_due")
    await desk.run("deliver_due")

    shipped, delivered = [event["data"] for event in await desk.published()]
    assert (shipped["carrier"], shipped["previous_status"]) == ("OrderFlow Express", "PENDING_SHIPMENT")
    assert delivered["delivery_location"] == "Front door"
    assert [row["actor"] for row in await desk.audited()] == ["autopilot", "autopilot"]


async def test_what_it_does_belongs_to_the_order_s_trace(desk: Desk) -> None:
    traces = [new_traceparent() for _ in range(3)]
    orders = {str(order.order_id): trace for trace in traces for order in [an_order()]}
    await desk.hear(*(a_message(an_order(order_id), traceparent=trace) for order_id, trace in orders.items()))  # type: ignore[arg-type]

    await desk.run("dispatch_due")
    await desk.run("deliver_due")

    told = await desk.query("SELECT body::jsonb #>> '{data,order_id}' AS order_id, traceparent FROM outbox")
    assert len(told) == 6
    assert all(row["traceparent"] == orders[row["order_id"]] for row in told)
    assert Counter(row["trace_id"] for row in await desk.audited()) == {trace[3:35]: 2 for trace in traces}


async def test_it_waits_until_parcels_are_due(database_url: str, product: FakeProduct) -> None:
    async with a_desk(database_url, product, dispatch_after=timedelta(hours=1)) as patient:
        await _prepare(patient, 3)
        assert await patient.run("dispatch_due") == 0
    async with a_desk(database_url, product, deliver_after=timedelta(hours=1)) as patient:
        assert await patient.run("dispatch_due") == 3
        assert await patient.run("deliver_due") == 0
        assert await _statuses(patient) == {"SHIPPED": 3}


async def test_without_it_nothing_moves_by_itself(database_url: str, product: FakeProduct) -> None:
    async with a_desk(database_url, product, autopilot=False) as manual:
        assert not {job.name for job in manual.service.jobs} & {"dispatch_due", "deliver_due"}


async def test_while_product_is_down_it_waits_and_does_not_spin(database_url: str, product: FakeProduct) -> None:
    async with a_desk(database_url, FakeProduct(url="http://127.0.0.1:9")) as cut_off:
        await _prepare(cut_off, 5)
        with pytest.raises(Unavailable):
            await cut_off.run("dispatch_due")
        assert await cut_off.run("dispatch_due") == 0
        assert await _statuses(cut_off) == {"READY": 5}
        assert await cut_off.query("SELECT 1 FROM shipments WHERE tracking_number IS NOT NULL") == []
    async with a_desk(database_url, product) as desk:
        assert await desk.run("dispatch_due") == 5


async def test_between_two_batches_as_much_time_is_left_to_others_as_the_first_one_took(database_url: str) -> None:
    batches_of_two = DispatchingSettings(autopilot_batch=2)
    product = UnhurriedProduct(takes=0.2)
    async with product.serving(), a_desk(database_url, product, dispatching=batches_of_two) as desk:
        await _prepare(desk, 6)

        await desk.run("dispatch_due")

    first, second, third = zip(product.asked_at, product.answered_at, strict=True)
    for (asked, answered), (asked_next, _) in ((first, second), (second, third)):
        assert asked_next - answered >= answered - asked


async def test_parcels_that_cannot_be_dispatched_do_not_keep_the_others_waiting(
    database_url: str, product: FakeProduct
) -> None:
    hopeless = [an_order() for _ in range(25)]
    product.states.update({order.reservation_id: None for order in hopeless})
    async with a_desk(database_url, product, dispatching=DispatchingSettings(autopilot_batch=10)) as desk:
        await desk.hear(*map(a_message, hopeless))
        await _prepare(desk, 15)

        await desk.run("dispatch_due")

        assert await _statuses(desk) == {"READY": 25, "SHIPPED": 15}


async def test_a_clerk_and_the_autopilot_do_not_dispatch_the_same_parcel(desk: Desk, second_desk: Desk) -> None:
    ready = [await desk.ready() for _ in range(10)]

    by_hand = [desk.dispatch(each, {"carrier": "UPS", "tracking_number": f"1Z-{n:03}"}) for n, each in enumerate(ready)]
    await asyncio.gather(second_desk.run("dispatch_due"), *by_hand)

    assert await _statuses(desk) == {"SHIPPED": 10}
    told = Counter(event["data"]["order_id"] for event in await desk.published())
    assert set(told.values()) == {1}
    assert sum(map(len, desk.product.asked)) == 10
