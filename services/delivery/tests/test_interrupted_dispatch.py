"""A dispatch that stops half-way: wherever that is, it ends as it was written down, and once."""

import asyncio
from collections.abc import Callable

import pytest

from chassis.errors import Unavailable
from chassis.failpoints import FailpointHit

from .factories import TRACKED, Desk, FakeProduct, a_desk, a_message, an_order, code

FailsAt = Callable[[str], None]


@pytest.mark.parametrize("where", ["claimed", "deducted", "shipping"])
async def test_a_dispatch_that_died_is_finished_as_it_was_written_down(
    desk: Desk, fails_at: FailsAt, where: str
) -> None:
    order = an_order()
    ready = await desk.ready(order)
    fails_at(f"delivery.dispatch.{where}")
    assert (await desk.dispatch(ready, TRACKED)).status_code == 500
    assert (await desk.again(ready))["status"] == "READY"
    assert await desk.published() == []

    await desk.end_leases()
    await desk.run("finish_dispatches")

    shipped = await desk.again(ready)
    assert (shipped["status"], shipped["tracking_number"]) == ("SHIPPED", TRACKED["tracking_number"])
    assert [event["data"]["tracking_number"] for event in await desk.published()] == [TRACKED["tracking_number"]]
    assert [(row["actor"], row["action"]) for row in await desk.audited()] == [("clerk", "shipment.dispatched")]
    assert {each for asked in desk.product.asked for each in asked} == {order.reservation_id}


async def test_a_dispatch_that_died_before_it_was_written_down_was_never_begun(desk: Desk, fails_at: FailsAt) -> None:
    ready = await desk.ready()
    fails_at("delivery.dispatch.claiming")
    assert (await desk.dispatch(ready, TRACKED)).status_code == 500

    assert desk.product.asked == []
    assert await desk.again(ready) == ready
    assert (await desk.dispatch(ready, TRACKED)).status_code == 200


async def test_an_answer_that_was_lost_after_shipping_changes_nothing(desk: Desk, fails_at: FailsAt) -> None:
    ready = await desk.ready()
    fails_at("delivery.dispatch.shipped")

    assert (await desk.dispatch(ready, TRACKED)).status_code == 500

    assert (await desk.again(ready))["status"] == "SHIPPED"
    await desk.run("finish_dispatches")
    assert len(await desk.published()) == 1


async def test_what_somebody_is_at_is_left_to_them(desk: Desk, fails_at: FailsAt) -> None:
    ready = await desk.ready()
    fails_at("delivery.dispatch.deducted")
    await desk.dispatch(ready, TRACKED)

    await desk.run("finish_dispatches")
    await desk.run("dispatch_due")

    assert (await desk.again(ready))["status"] == "READY"
    assert code(await desk.dispatch(ready, TRACKED)) == "INVALID_STATUS_TRANSITION"


async def test_a_clerk_may_go_on_with_what_another_left_behind(desk: Desk, fails_at: FailsAt) -> None:
    ready = await desk.ready()
    fails_at("delivery.dispatch.deducted")
    await desk.dispatch(ready, TRACKED)
    await desk.end_leases()

    answer = await desk.dispatch(ready, {"carrier": "UPS", "tracking_number": "1Z-999"})

    assert answer.status_code == 200
    assert [event["data"]["carrier"] for event in await desk.published()] == ["UPS"]


async def test_while_product_is_down_what_died_keeps_its_number_and_waits(
    desk: Desk, database_url: str, fails_at: FailsAt
) -> None:
    ready = await desk.ready()
    fails_at("delivery.dispatch.deducted")
    await desk.dispatch(ready, TRACKED)
    await desk.end_leases()

    async with a_desk(database_url, FakeProduct(url="http://127.0.0.1:9")) as cut_off:
        with pytest.raises(Unavailable):
            await cut_off.run("finish_dispatches")
        assert await cut_off.run("finish_dispatches") == 0  # it waits, and does not spin

    await desk.end_leases()
    assert await desk.run("finish_dispatches") == 1
    assert (await desk.again(ready))["tracking_number"] == TRACKED["tracking_number"]


async def test_what_died_is_stopped_when_its_stock_was_given_back_meanwhile(desk: Desk, fails_at: FailsAt) -> None:
    order = an_order()
    ready = await desk.ready(order)
    fails_at("delivery.dispatch.claimed")
    await desk.dispatch(ready, TRACKED)
    desk.product.states[order.reservation_id] = "RELEASED"
    await desk.end_leases()

    await desk.run("finish_dispatches")

    assert (await desk.again(ready))["status"] == "STOPPED"


async def test_replicas_that_finish_together_ship_each_parcel_once(
    desk: Desk, second_desk: Desk, fails_at: FailsAt
) -> None:
    await desk.hear(*(a_message(an_order()) for _ in range(50)))
    fails_at("delivery.dispatch.deducted")
    with pytest.raises(FailpointHit):
        await desk.run("dispatch_due")
    await desk.end_leases()

    finished = await asyncio.gather(*(each.run("finish_dispatches") for each in (desk, second_desk)))

    assert sorted(finished) == [0, 50]
    assert len({event["data"]["order_id"] for event in await desk.published()}) == 50
    assert len(await desk.published()) == 50
    assert sum(map(len, desk.product.asked)) == 100  # once before they died, once to finish them
