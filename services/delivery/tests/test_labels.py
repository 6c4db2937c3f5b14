"""The label of a parcel that leaves: who carries it, under which number, and where it can be followed."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import text

from chassis.errors import Refused
from contracts.delivery.shipments import Dispatch
from delivery.settings import CarrierSettings
from delivery.shipments.dispatching import Dispatching
from delivery.shipments.model import Shipment

from .factories import TRACKED, Desk, FakeProduct, a_desk, code
from .factories_parcels import a_large_order, in_parcels, order_statuses, told_of, until_somebody_waits

LINKS = {"FedEx": "https://fedex.example/?n={tracking_number}"}
TAKE = text(
    "UPDATE shipments SET carrier = 'fedex', tracking_number = 'TRK-0001', dispatching_until = now() WHERE id = :id"
)


@pytest.fixture
async def linked(database_url: str, product: FakeProduct) -> AsyncIterator[Desk]:
    async with a_desk(database_url, product, carriers=CarrierSettings(links=LINKS)) as running:
        yield running


def dispatching_of(desk: Desk) -> Dispatching:
    [found] = [each for each in desk.service.provides if isinstance(each, Dispatching)]
    return found


async def many(desk: Desk, *wanted: tuple[str, str | None]) -> list[Shipment | Refused]:
    asked = [(UUID(id), Dispatch(carrier="FedEx", tracking_number=number)) for id, number in wanted]
    return await dispatching_of(desk).dispatch_many(asked, by="clerk")


def answers(outcomes: list[Shipment | Refused]) -> list[str]:
    return [each.code if isinstance(each, Refused) else str(each.status) for each in outcomes]


async def test_a_carrier_whose_numbers_are_not_ours_needs_one(desk: Desk) -> None:
    ready = await desk.ready()

    answer = await desk.dispatch(ready, {"carrier": "FedEx"})

    assert (answer.status_code, code(answer)) == (400, "TRACKING_NUMBER_REQUIRED")
    assert answer.json()["error"]["details"] == [
        {"field": "tracking_number", "message": "This is needed.", "carrier": "FedEx"}
    ]
    assert await desk.again(ready) == ready
    assert desk.product.asked == []


async def test_where_a_parcel_can_be_followed_is_written_down_and_told(linked: Desk) -> None:
    url = f"https://fedex.example/?n={TRACKED['tracking_number']}"

    shipped = await linked.shipped(**TRACKED)
    house = (await linked.dispatch(await linked.ready())).json()

    assert shipped["tracking_url"] == url
    assert "tracking_url" not in house
    told = await told_of(linked, "order.status_updated")
    assert [one.get("tracking_url") for one in told] == [url, None]


async def test_the_link_goes_with_the_label(linked: Desk) -> None:
    first, second = await in_parcels(linked, 2)
    shipped = (await linked.dispatch(second, TRACKED)).json()
    await linked.post(f"/{second['shipment_id']}/return", {"reason": "Nobody at home."})

    again = (await linked.post(f"/{second['shipment_id']}/sending-again")).json()

    assert "tracking_url" not in again
    told = [one.get("tracking_url") for one in await told_of(linked, "shipment.updated") if one["number"] == 2]
    assert told == [None, shipped["tracking_url"], shipped["tracking_url"], None]
    assert "tracking_url" not in await linked.again(first)


async def test_while_product_is_down_the_link_does_not_stay_behind(database_url: str) -> None:
    nowhere = FakeProduct(url="http://127.0.0.1:9")
    async with a_desk(database_url, nowhere, carriers=CarrierSettings(links=LINKS)) as desk:
        ready = await desk.ready()

        await desk.dispatch(ready, TRACKED)

        assert await desk.query("SELECT tracking_url FROM shipments") == [{"tracking_url": None}]


async def test_of_many_each_label_is_judged_by_itself(desk: Desk) -> None:
    ids = [(await desk.ready())["shipment_id"] for _ in range(4)]
    await desk.dispatch(await desk.ready(), {"carrier": "FEDEX", "tracking_number": "TRK-0009"})

    outcomes = await many(
        desk, (ids[0], None), (ids[1], "TRK-0001"), (ids[2], "TRK-0001"), (ids[3], "TRK-0009"), (ids[3], "TRK-0002")
    )

    assert answers(outcomes) == [
        "TRACKING_NUMBER_REQUIRED",
        "SHIPPED",
        "DUPLICATE_TRACKING_NUMBER",
        "DUPLICATE_TRACKING_NUMBER",
        "SHIPPED",
    ]
    assert len(desk.product.asked) == 2


async def test_if_none_of_many_can_leave_product_is_not_asked(desk: Desk) -> None:
    ready = await desk.ready()

    outcomes = await many(desk, (ready["shipment_id"], None), (ready["order_id"], "TRK-0001"))

    assert answers(outcomes) == ["TRACKING_NUMBER_REQUIRED", "NOT_FOUND"]
    assert desk.product.asked == []
    assert await many(desk) == []


async def test_parcels_of_one_order_among_many_make_it_shipped_once(desk: Desk) -> None:
    order = a_large_order()
    parcels = await in_parcels(desk, 2, 1, order=order)

    outcomes = await many(desk, *((each["shipment_id"], f"TRK-000{each['number']}") for each in reversed(parcels)))

    assert answers(outcomes) == ["SHIPPED"] * 3
    assert await order_statuses(desk) == ["SHIPPED"]
    assert [one["number"] for one in await told_of(desk, "shipment.updated") if one["is_first_to_leave"]] == [3]


async def test_a_number_that_somebody_takes_at_this_moment_spoils_one_of_many_and_no_other(
    desk: Desk, second_desk: Desk
) -> None:
    theirs, ours, other = [(await desk.ready())["shipment_id"] for _ in range(3)]

    async with desk.database.begin() as session:
        await session.execute(TAKE, {"id": UUID(theirs)})
        dispatching = asyncio.create_task(many(second_desk, (ours, "TRK-0001"), (other, "TRK-0002")))
        await until_somebody_waits(desk)

    assert answers(await dispatching) == ["DUPLICATE_TRACKING_NUMBER", "SHIPPED"]
    assert (await desk.get(f"/{ours}")).json()["status"] == "READY"
    assert [event["tracking_number"] for event in await told_of(desk, "order.status_updated")] == ["TRK-0002"]
