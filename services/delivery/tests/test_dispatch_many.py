"""Many parcels dispatched by one request: what can leave leaves, and each of the others has its own answer."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from .factories import Desk, FakeProduct, a_desk, cancelled, code
from .factories_desk import Clerk, of, wait


@pytest.fixture
def clerk(desk: Desk) -> Clerk:
    return Clerk(desk)


def entry(shipment_id: str, number: int | None = None, carrier: str | None = "FedEx") -> dict[str, Any]:
    tracking = {} if number is None else {"tracking_number": f"TRK-{number:04}"}
    return {"shipment_id": shipment_id} | ({"carrier": carrier} if carrier else {}) | tracking


def results(outcomes: list[dict[str, Any]]) -> list[str]:
    return [outcome.get("error", {}).get("code") or outcome["result"] for outcome in outcomes]


async def test_each_parcel_leaves_with_its_own_label_and_product_is_asked_once(desk: Desk, clerk: Clerk) -> None:
    parcels = await wait(desk, *(of() for _ in range(200)))

    outcomes = await clerk.dispatches(*(entry(parcel, number) for number, parcel in enumerate(parcels)))

    assert results(outcomes) == ["dispatched"] * 200
    assert [outcome["shipment_id"] for outcome in outcomes] == parcels
    assert outcomes[7]["shipment"]["tracking_number"] == "TRK-0007"
    assert outcomes[7]["shipment"]["status"] == "SHIPPED"
    assert len(desk.product.asked) == 1
    assert len(await desk.published()) == 200
    assert {row["actor"] for row in await desk.audited()} == {"clerk"}


async def test_what_cannot_leave_is_refused_by_itself(desk: Desk, clerk: Clerk) -> None:
    ready, stopped, short, other, again = await wait(desk, of(), gone := of(), short_of := of(), of(), of())
    await desk.hear(cancelled(gone))
    desk.product.states[short_of.reservation_id] = "RELEASED"
    unknown = str(uuid4())

    outcomes = await clerk.dispatches(
        entry(ready, 1), entry(stopped, 2), entry(short, 3), entry(other, 1), entry(unknown, 4), entry(again, 5)
    )

    assert results(outcomes) == [
        "dispatched",
        "INVALID_STATUS_TRANSITION",
        "RESERVATION_RELEASED",
        "DUPLICATE_TRACKING_NUMBER",
        "NOT_FOUND",
        "dispatched",
    ]
    assert outcomes[3]["error"]["details"][0]["field"] == "tracking_number"
    assert "shipment" not in outcomes[1]
    assert (await desk.get(f"/{other}")).json()["status"] == "READY"


async def test_to_send_the_same_again_does_no_harm(desk: Desk, clerk: Clerk) -> None:
    named, unnamed = await wait(desk, of(), of())
    body = [entry(named, 1), entry(unnamed, carrier=None)]
    first = await clerk.dispatches(*body)

    again = await clerk.dispatches(*body)

    assert results(again) == ["already_dispatched"] * 2
    assert [outcome["shipment"] for outcome in again] == [outcome["shipment"] for outcome in first]
    assert len(await desk.published()) == 2
    assert results(await clerk.dispatches(entry(named, 1, "fedex"))) == ["already_dispatched"]


@pytest.mark.parametrize("end", ["delivery", "loss"])
async def test_what_has_left_just_so_has_whatever_became_of_it_on_its_way(desk: Desk, clerk: Clerk, end: str) -> None:
    [parcel] = await wait(desk, of())
    await clerk.dispatches(entry(parcel, 1))
    await clerk.post(f"/shipments/{parcel}/{end}", {"reason": "Gone."} if end == "loss" else {})

    assert results(await clerk.dispatches(entry(parcel, 1))) == ["already_dispatched"]


async def test_what_left_with_another_label_did_not_leave_so(desk: Desk, clerk: Clerk) -> None:
    [parcel] = await wait(desk, of())
    await clerk.dispatches(entry(parcel, 1))

    others = [entry(parcel, 2), entry(parcel, 1, "UPS"), entry(parcel, 2, None)]

    assert (
        results([outcome for each in others for outcome in await clerk.dispatches(each)])
        == ["INVALID_STATUS_TRANSITION"] * 3
    )


async def test_what_is_being_dispatched_has_not_left_yet(desk: Desk, clerk: Clerk) -> None:
    [parcel] = await wait(desk, of())
    desk.product.open.clear()
    dispatching = asyncio.create_task(clerk.dispatches(entry(parcel, 1)))
    await desk.product.arrived.acquire()

    meanwhile = await Clerk(desk, "other").dispatches(entry(parcel, 1))

    desk.product.open.set()
    assert results(meanwhile) == ["INVALID_STATUS_TRANSITION"]
    assert results(await dispatching) == ["dispatched"]


async def test_what_came_back_did_not_leave_just_so(desk: Desk, clerk: Clerk) -> None:
    """Whoever dispatches it wants it to leave once more, which it cannot before it is made ready."""
    [parcel] = await wait(desk, of())
    await clerk.dispatches(entry(parcel, 1))
    await desk.query("UPDATE shipments SET status = 'RETURNED'")

    assert results(await clerk.dispatches(entry(parcel, 1))) == ["INVALID_STATUS_TRANSITION"]


async def test_the_same_parcel_twice_leaves_once(desk: Desk, clerk: Clerk) -> None:
    [parcel] = await wait(desk, of())

    outcomes = await clerk.dispatches(entry(parcel, 1), entry(parcel, 1), entry(parcel, 2))

    assert results(outcomes) == ["dispatched", "already_dispatched", "INVALID_STATUS_TRANSITION"]
    assert len(await desk.published()) == 1


async def test_while_product_is_down_none_of_them_leaves(database_url: str) -> None:
    async with a_desk(database_url, FakeProduct(url="http://127.0.0.1:9")) as cut_off:
        parcels = await wait(cut_off, of(), of())
        body = [entry(parcel, number) for number, parcel in enumerate(parcels)] + [entry(str(uuid4()), 9)]

        answer = await Clerk(cut_off).post("/shipments/dispatches", {"shipments": body})

        assert (answer.status_code, code(answer)) == (503, "SERVICE_UNAVAILABLE")
        assert "retry-after" in answer.headers
        assert await Clerk(cut_off).work() == parcels
        assert await cut_off.published() == []
    async with FakeProduct().serving() as product, a_desk(database_url, product) as desk:
        assert results(await Clerk(desk).dispatches(*body)) == ["dispatched", "dispatched", "NOT_FOUND"]


async def test_a_product_that_fails_half_way_leaves_nothing_half_done(desk: Desk, clerk: Clerk) -> None:
    parcels = await wait(desk, of(), of())
    desk.product.script = [web.Response(status=500) for _ in range(4)]

    answer = await clerk.post(
        "/shipments/dispatches", {"shipments": [entry(parcel, carrier=None) for parcel in parcels]}
    )

    assert answer.status_code == 503
    assert await clerk.work() == parcels
    assert await desk.query("SELECT 1 FROM shipments WHERE carrier IS NOT NULL") == []


async def test_two_clerks_with_the_same_file_dispatch_each_parcel_once(desk: Desk, second_desk: Desk) -> None:
    parcels = await wait(desk, *(of() for _ in range(20)))
    body = [entry(parcel, number) for number, parcel in enumerate(parcels)]

    both = await asyncio.gather(Clerk(desk).dispatches(*body), Clerk(second_desk, "other").dispatches(*reversed(body)))

    assert sum(results(outcomes).count("dispatched") for outcomes in both) == 20
    assert len(await desk.published()) == 20
    assert results(await Clerk(desk).dispatches(*body)) == ["already_dispatched"] * 20


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"shipments": []},
        {"shipments": [{"carrier": "FedEx"}]},
        {"shipments": [{"shipment_id": "1"}]},
        {"shipments": [{"shipment_id": str(uuid4()), "tracking_number": "a b"}]},
        {"shipments": [{"shipment_id": str(uuid4()), "status": "SHIPPED"}]},
        {"shipments": [{"shipment_id": str(uuid4())}] * 201},
        {"shipments": {"0": 1}},
    ],
)
async def test_strange_bodies_are_refused_politely(clerk: Clerk, body: object) -> None:
    answer = await clerk.post("/shipments/dispatches", body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
