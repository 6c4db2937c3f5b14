"""Carriers, or the staff, say that a parcel has arrived."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chassis import failpoints
from delivery.settings import CarrierSettings, ReportSettings

from .cast import Cast
from .parcels import dispatches, parcel, places_order, ships_order, status


@pytest.mark.sequence("SEQ-ORD-004")
async def test_what_the_carrier_has_delivered_is_delivered_and_its_customer_told(cast: Cast) -> None:
    shipped = await ships_order(cast)

    heard = await cast.carrier.reports(shipped["tracking_number"])
    await cast.is_told(f"Delivered: your order {shipped['order_id']}")

    assert (heard.status, heard["result"]) == (200, "accepted")
    assert await status(cast, shipped["order_id"]) == "DELIVERED"


@pytest.mark.sequence("SEQ-ORD-004", exception="REPEATED")
async def test_a_webhook_that_comes_again_counts_once(cast: Cast) -> None:
    shipped = await ships_order(cast)
    await cast.carrier.reports(shipped["tracking_number"], "msg_1")
    await cast.is_told(f"Delivered: your order {shipped['order_id']}")

    again = await cast.carrier.reports(shipped["tracking_number"], "msg_1")

    assert (again.status, again["result"]) == (200, "repeated")


@pytest.mark.sequence("SEQ-ORD-004", exception="BY_HAND")
async def test_the_staff_may_say_that_a_parcel_has_arrived(cast: Cast) -> None:
    shipped = await ships_order(cast)

    confirmed = await cast.staff.post("delivery", f"/shipments/{shipped['shipment_id']}/delivery")
    await cast.is_told(f"Delivered: your order {shipped['order_id']}")

    assert (confirmed.status, confirmed["status"]) == (200, "DELIVERED")
    assert await status(cast, shipped["order_id"]) == "DELIVERED"


@pytest.mark.sequence("SEQ-ORD-004", exception="INVALID_STATUS_TRANSITION")
async def test_a_parcel_that_has_come_back_is_not_delivered(cast: Cast) -> None:
    shipped = await ships_order(cast)
    came_back = {"reason": "Nobody was there."}
    await cast.staff.post("delivery", f"/shipments/{shipped['shipment_id']}/return", came_back)

    refused = await cast.carrier.reports(shipped["tracking_number"])

    assert (refused.status, refused.code) == (409, "INVALID_STATUS_TRANSITION")
    assert (await parcel(cast, shipped["order_id"]))["status"] == "RETURNED"
    assert await status(cast, shipped["order_id"]) == "SHIPPED"


def impatient() -> dict[str, dict[str, Any]]:
    reports = ReportSettings(first_retry=timedelta(milliseconds=100), told_after=timedelta(milliseconds=300))
    return {"delivery": {"carriers": CarrierSettings(reports=reports)}}


@pytest.fixture
def slow_dispatch() -> Iterator[None]:
    """Between what is written down and what is done."""
    failpoints.arm("test", "delivery.dispatch.claimed=sleep:3*1")
    yield
    failpoints.disarm()


@pytest.mark.usefixtures("slow_dispatch")
@pytest.mark.parametrize("settings", [impatient()], ids=["impatient"])
@pytest.mark.sequence("SEQ-ORD-004", exception="TOO_EARLY")
async def test_a_carrier_may_be_faster_than_the_dispatch(cast: Cast) -> None:
    order_id = await places_order(cast)
    dispatching = asyncio.create_task(dispatches(cast, order_id))

    async def is_labelled() -> bool:
        return "tracking_number" in await parcel(cast, order_id)

    await cast.eventually(is_labelled)

    heard = await cast.carrier.reports((await parcel(cast, order_id))["tracking_number"])
    shipped = await dispatching
    await cast.is_told(f"Delivered: your order {order_id}")

    assert (heard.status, shipped.status) == (200, 200)
    assert await status(cast, order_id) == "DELIVERED"


@pytest.mark.parametrize("settings", [impatient()], ids=["impatient"])
@pytest.mark.sequence("SEQ-ORD-004", exception="UNMATCHED_TRACKING")
async def test_operations_are_told_of_a_parcel_that_nobody_knows(cast: Cast) -> None:
    heard = await cast.carrier.reports("TRK000000000")
    await cast.is_told("TRK000000000")

    [report] = (await cast.staff.get("delivery", "/carrier-reports"))["items"]
    assert (heard.status, heard["result"], report["state"]) == (200, "accepted", "UNMATCHED")
