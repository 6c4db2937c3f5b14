"""A clerk dispatches a parcel: what happens, what is told, and what is refused."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from pydantic import SecretStr

from chassis.steps import record
from chassis.tracing import new_traceparent
from contracts.delivery.shipments import Dispatch
from delivery.carriers.book import Carriers
from delivery.settings import CarrierSettings
from delivery.shipments.claiming import Claiming
from delivery.shipments.dispatching import Dispatching

from .factories import CARRIER_SECRET, TRACKED, Desk, FakeProduct, a_desk, a_message, an_order, code, statuses


@pytest.mark.rule("AC-ORD-003")
async def test_a_dispatched_parcel_is_shipped_and_the_event_is_the_one_of_the_specification(desk: Desk) -> None:
    order = an_order()
    ready = await desk.ready(order)

    answer = await desk.dispatch(ready, TRACKED)

    assert answer.status_code == 200
    shipped = answer.json()
    assert (shipped["status"], shipped["carrier"], shipped["tracking_number"]) == ("SHIPPED", "FedEx", "TRK123456789")
    assert shipped["allowed_actions"] == ["confirm_delivery", "report_loss", "report_return"]
    assert shipped == await desk.again(ready)
    [event] = await desk.published()
    assert (event["event_type"], event["source"]) == ("order.status_updated", "delivery-service")
    assert event["data"] == {
        "order_id": str(order.order_id),
        "previous_status": "PENDING_SHIPMENT",
        "current_status": "SHIPPED",
        "tracking_number": "TRK123456789",
        "carrier": "FedEx",
    }


@pytest.mark.rule("BR-ORD-007")
async def test_stock_is_deducted_before_the_parcel_leaves(desk: Desk) -> None:
    order = an_order()

    await desk.dispatch(await desk.ready(order))

    assert desk.product.asked == [[order.reservation_id]]


async def test_without_a_carrier_the_house_carries_and_makes_up_the_number(desk: Desk) -> None:
    numbers = set()
    for _ in range(3):
        shipped = (await desk.dispatch(await desk.ready())).json()
        assert shipped["carrier"] == "OrderFlow Express"
        assert re.fullmatch("TRK[A-Z2-7]{12}", shipped["tracking_number"])
        numbers.add(shipped["tracking_number"])

    assert len(numbers) == 3


async def test_who_dispatched_is_on_record(desk: Desk) -> None:
    ready = await desk.ready()

    answer = await desk.dispatch(ready, TRACKED)

    assert await desk.audited() == [
        {
            "actor": "clerk",
            "action": "shipment.dispatched",
            "entity_id": ready["shipment_id"],
            "before": {"status": "READY"},
            "after": {"status": "SHIPPED", **TRACKED},
            "trace_id": answer.headers["x-trace-id"],
        }
    ]


async def test_the_steps_are_those_of_the_sequence(desk: Desk) -> None:
    ready = await desk.ready()

    with record() as recording:
        answer = await desk.dispatch(ready, TRACKED)

    steps = recording.of(answer.headers["x-trace-id"])
    assert [(step.caller, step.participant, step.action, step.emits) for step in steps] == [
        (None, "OrderService", "shipOrder", ()),
        ("OrderService", "OrderAggregate", "ship", ("OrderStatusUpdated",)),
        ("OrderService", "AuditLog", "logAuditEvent", ()),
    ]


async def test_a_parcel_cannot_be_dispatched_twice(desk: Desk) -> None:
    shipped = await desk.shipped()

    for body in (TRACKED, None, {"carrier": "UPS"}):
        answer = await desk.dispatch(shipped, body)
        assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")

    assert len(await desk.published()) == 1
    assert await desk.again(shipped) == shipped


async def test_two_parcels_of_a_carrier_cannot_have_the_same_number(desk: Desk) -> None:
    await desk.shipped(**TRACKED)
    other = await desk.ready()

    for carrier in ("FedEx", "fedex", " FEDEX "):
        answer = await desk.dispatch(other, {**TRACKED, "carrier": carrier})
        assert (answer.status_code, code(answer)) == (409, "DUPLICATE_TRACKING_NUMBER")
    assert len(desk.product.asked) == 1
    assert (await desk.again(other))["status"] == "READY"

    assert (await desk.dispatch(other, {**TRACKED, "carrier": "UPS"})).status_code == 200


async def test_of_many_clerks_with_the_same_number_one_gets_it(desk: Desk) -> None:
    parcels = [await desk.ready() for _ in range(8)]

    answers = await asyncio.gather(*(desk.dispatch(parcel, TRACKED) for parcel in parcels))

    assert statuses(answers) == [200] + [409] * 7
    assert {code(answer) for answer in answers if answer.status_code == 409} == {"DUPLICATE_TRACKING_NUMBER"}
    assert len(await desk.published()) == 1


async def test_of_many_clerks_at_one_parcel_one_dispatches_it(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    ready = await desk.ready()
    lingers_at("delivery.dispatch.claiming")

    answers = await asyncio.gather(
        *(each.dispatch(ready, {"tracking_number": f"TRK-{n}"}) for n in range(6) for each in (desk, second_desk))
    )

    assert statuses(answers) == [200] + [409] * 11
    assert {code(answer) for answer in answers if answer.status_code == 409} == {"INVALID_STATUS_TRANSITION"}
    assert len(desk.product.asked) == 1
    [event] = await desk.published()
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    assert event["data"]["tracking_number"] == winner["tracking_number"] == (await desk.again(ready))["tracking_number"]


async def test_while_one_clerk_waits_for_product_no_other_can_dispatch(desk: Desk) -> None:
    ready = await desk.ready()
    desk.product.open.clear()
    first = asyncio.create_task(desk.dispatch(ready, TRACKED))
    await desk.product.arrived.acquire()

    second = await desk.dispatch(ready)

    assert (second.status_code, code(second)) == (409, "INVALID_STATUS_TRANSITION")
    desk.product.open.set()
    assert (await first).status_code == 200


@pytest.mark.rule("BR-ORD-007")
async def test_a_parcel_whose_stock_was_given_back_is_stopped(desk: Desk) -> None:
    order = an_order()
    ready = await desk.ready(order)
    desk.product.states[order.reservation_id] = "RELEASED"

    answer = await desk.dispatch(ready, TRACKED)

    assert (answer.status_code, code(answer)) == (409, "RESERVATION_RELEASED")
    stopped = await desk.again(ready)
    assert (stopped["status"], stopped["allowed_actions"]) == ("STOPPED", [])
    assert "given back" in stopped["stop_reason"]
    assert "tracking_number" not in stopped
    assert await desk.published() == []
    assert [row["action"] for row in await desk.audited()] == ["shipment.stopped"]
    assert code(await desk.dispatch(ready, TRACKED)) == "INVALID_STATUS_TRANSITION"


@pytest.mark.parametrize("state", [None, "HELD"])
async def test_a_parcel_without_a_reservation_stays_where_it_is(desk: Desk, state: str | None) -> None:
    order = an_order()
    ready = await desk.ready(order)
    desk.product.states[order.reservation_id] = state

    answer = await desk.dispatch(ready, TRACKED)

    assert (answer.status_code, code(answer)) == (409, "CONFLICT")
    assert "no stock" in answer.json()["error"]["message"]
    assert await desk.again(ready) == ready
    assert await desk.published() == []
    assert await desk.audited() == []


async def test_in_a_list_each_parcel_has_its_own_outcome(desk: Desk) -> None:
    orders = [an_order() for _ in range(4)]
    await desk.hear(*map(a_message, orders))
    desk.product.states.update({orders[1].reservation_id: "RELEASED", orders[2].reservation_id: None})

    await desk.run("dispatch_due")

    rows = await desk.query("SELECT order_id, status FROM shipments")
    status = {row["order_id"]: row["status"] for row in rows}
    assert [status[order.order_id] for order in orders] == ["SHIPPED", "STOPPED", "READY", "SHIPPED"]
    assert len(await desk.published()) == 2


_SPOILT = {
    "it fails": web.Response(status=500),
    "it is overloaded": web.Response(status=503),
    "it refuses us": web.Response(status=403, text='{"error": {"code": "FORBIDDEN"}}', content_type="application/json"),
    "it does not know the address": web.Response(status=404),
    "it answers something else": web.Response(text="[]", content_type="application/json"),
    "it answers no JSON": web.Response(text="<html>"),
}


@pytest.mark.parametrize("trouble", _SPOILT)
async def test_while_product_is_in_trouble_nothing_is_done(desk: Desk, trouble: str) -> None:
    ready = await desk.ready()
    spoilt = _SPOILT[trouble]
    desk.product.script = [
        web.Response(status=spoilt.status, text=spoilt.text, content_type=spoilt.content_type) for _ in range(4)
    ]

    answer = await desk.dispatch(ready, TRACKED)

    assert (answer.status_code, code(answer)) == (503, "SERVICE_UNAVAILABLE")
    assert "retry-after" in answer.headers
    assert await desk.again(ready) == ready
    assert await desk.published() == []
    desk.product.script = []
    assert (await desk.dispatch(ready, TRACKED)).status_code == 200


async def test_while_product_is_down_the_parcel_waits_and_can_be_dispatched_afterwards(database_url: str) -> None:
    nowhere = FakeProduct(url="http://127.0.0.1:9")
    async with a_desk(database_url, nowhere) as desk:
        ready = await desk.ready()

        answer = await desk.dispatch(ready, TRACKED)

        assert (answer.status_code, code(answer)) == (503, "SERVICE_UNAVAILABLE")
        assert await desk.again(ready) == ready
        assert await desk.query("SELECT 1 FROM shipments WHERE dispatching_until IS NOT NULL") == []
    async with FakeProduct().serving() as product, a_desk(database_url, product) as desk:
        assert (await desk.dispatch(ready, TRACKED)).status_code == 200


async def test_a_product_that_does_not_answer_in_time_is_a_product_that_is_down(desk: Desk) -> None:
    ready = await desk.ready()
    desk.product.open.clear()

    answer = await desk.dispatch(ready, TRACKED)

    assert answer.status_code == 503
    assert await desk.again(ready) == ready
    desk.product.open.set()


async def test_a_clerk_who_was_overtaken_ships_nothing(desk: Desk) -> None:
    ready = await desk.ready()
    desk.product.open.clear()
    slow = asyncio.create_task(desk.dispatch(ready, {"carrier": "Slow", "tracking_number": "SLOW-1"}))
    await desk.product.arrived.acquire()
    await desk.end_leases()
    fast = asyncio.create_task(desk.dispatch(ready, {"carrier": "Fast", "tracking_number": "FAST-1"}))
    await desk.product.arrived.acquire()

    desk.product.open.set()
    answers = [await slow, await fast]

    assert [answer.status_code for answer in answers] == [409, 200]
    assert code(answers[0]) == "INVALID_STATUS_TRANSITION"
    assert [event["data"]["tracking_number"] for event in await desk.published()] == ["FAST-1"]


async def test_a_clerk_who_was_overtaken_gives_nothing_back(desk: Desk) -> None:
    ready = await desk.ready()
    book = Carriers(SecretStr(CARRIER_SECRET), CarrierSettings())
    claiming = Claiming(desk.database, book, timedelta(seconds=20))
    wanted = Dispatch(carrier="Slow", tracking_number="SLOW-1")
    slow = await claiming.claim(UUID(ready["shipment_id"]), wanted, "slow")
    await desk.end_leases()
    shipped = (await desk.dispatch(ready, {"carrier": "Fast", "tracking_number": "FAST-1"})).json()

    await claiming.give_back([slow])

    assert await desk.again(ready) == shipped


async def test_shipments_that_do_not_exist_cannot_be_dispatched(desk: Desk) -> None:
    answer = await desk.post(f"/{uuid4()}/dispatch", TRACKED)

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")


async def test_a_dispatch_that_nobody_traces_belongs_to_the_trace_of_its_order(desk: Desk) -> None:
    order = an_order()
    trace = new_traceparent()
    await desk.hear(a_message(order, traceparent=trace))
    ready = await desk.ready(order)
    [dispatching] = [each for each in desk.service.provides if isinstance(each, Dispatching)]

    shipped = await dispatching.dispatch(UUID(ready["shipment_id"]), Dispatch(), by="clerk")

    assert shipped.status == "SHIPPED"
    assert await desk.query("SELECT traceparent FROM outbox") == [{"traceparent": trace}]
