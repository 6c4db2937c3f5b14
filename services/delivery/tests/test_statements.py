"""What an ordinary order, of one parcel, costs in statements: as many for a batch as for one, and none for siblings."""

from uuid import UUID

import pytest

from contracts.delivery.shipments import Dispatch
from contracts.sales.orders import OrderStatus
from delivery.shipments.dispatching import Dispatching
from tests.harness.statements import statements_on

from .factories import TRACKED, Desk, a_message, an_order, paid
from .factories_parcels import in_parcels


@pytest.mark.parametrize("count", [1, 99])
async def test_a_batch_is_shipped_and_delivered_with_the_statements_of_one(desk: Desk, count: int) -> None:
    await desk.hear(*(a_message(an_order()) for _ in range(count)))

    with statements_on(desk.database) as dispatching:
        await desk.run("dispatch_due")
    with statements_on(desk.database) as delivering:
        await desk.run("deliver_due")

    claimed, shipped = ["SELECT shipments.id,", "UPDATE shipments"], ["SELECT shipments.id,", "UPDATE shipments"]
    # With the events: one statement for all that is left behind.
    written = ["WITH audit_log_written"]
    assert dispatching == [*claimed, *shipped, *written]
    assert delivering == [*shipped, *written]


async def test_a_clerk_s_dispatch_and_its_confirmation_cost_what_they_did(desk: Desk) -> None:
    ready = await desk.ready()

    with statements_on(desk.database) as dispatching:
        await desk.dispatch(ready, TRACKED)
    with statements_on(desk.database) as confirming:
        await desk.confirm(ready)

    assert dispatching == [
        *["SELECT shipments.id,", "UPDATE shipments"] * 2,
        "WITH audit_log_written",
    ]
    assert confirming == [
        "SELECT shipments.id,",
        "UPDATE shipments",
        "WITH audit_log_written",
    ]
    assert len(await desk.published()) == 2


@pytest.mark.parametrize("count", [1, 99])
async def test_the_news_of_a_batch_cost_what_those_of_one_do(desk: Desk, count: int) -> None:
    orders = [an_order(status=OrderStatus.PENDING) for _ in range(count)]

    with statements_on(desk.database) as preparing:
        await desk.hear(*map(a_message, orders))
    with statements_on(desk.database) as releasing:
        await desk.hear(*map(paid, orders))

    assert [each for each in preparing if "shipments" in each] == ["INSERT INTO shipments"]
    ours = [each for each in releasing if "shipments" in each]
    assert ours == ["SELECT shipments.id,", "UPDATE shipments"]


async def test_only_orders_of_several_parcels_pay_for_them(desk: Desk) -> None:
    await in_parcels(desk, 2)
    await desk.hear(*(a_message(an_order()) for _ in range(10)))
    await desk.run("dispatch_due")

    with statements_on(desk.database) as delivering:
        await desk.run("deliver_due")

    assert delivering.count("SELECT shipments.id,") == 2


async def test_labels_that_are_known_to_be_wrong_do_not_make_many_dispatches_of_one(desk: Desk) -> None:
    await desk.shipped(**TRACKED)
    ids = [UUID((await desk.ready())["shipment_id"]) for _ in range(4)]
    [dispatching] = [each for each in desk.service.provides if isinstance(each, Dispatching)]
    labels = [TRACKED, {**TRACKED, "tracking_number": "TRK-2"}, {**TRACKED, "tracking_number": "TRK-2"}, {}]

    with statements_on(desk.database) as heard:
        await dispatching.dispatch_many(
            [(id, Dispatch.model_validate(label)) for id, label in zip(ids, labels, strict=True)], by="clerk"
        )

    assert heard.count("UPDATE shipments") == 2
    assert len(await desk.published()) == 3
