"""What has happened to a parcel, in one list: what was changed, and what carriers have said of it."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from chassis.auth import Role

from .factories import TRACKED, Desk, code
from .factories_parcels import a_large_order, some, split

NUMBER = TRACKED["tracking_number"]


async def timeline(desk: Desk, shipment: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await desk.get(f"/{shipment['shipment_id']}/timeline")
    assert answer.status_code == 200, answer.text
    assert answer.json()["shipment_id"] == shipment["shipment_id"]
    return list(answer.json()["entries"])


def reported(what: str, **data: Any) -> dict[str, Any]:
    return {"type": f"parcel.{what}", "data": {"tracking_number": NUMBER, **data}}


async def test_changes_stand_in_the_order_in_which_they_were_made(desk: Desk) -> None:
    ready = await desk.ready(a_large_order())
    new = (await split(desk, ready, some(product_456=2))).json()
    await desk.dispatch(ready, TRACKED)
    await desk.post(f"/{ready['shipment_id']}/return", {"reason": "Nobody at home."})
    await desk.post(f"/{ready['shipment_id']}/sending-again")

    entries = await timeline(desk, ready)

    assert [(each["kind"], each["action"], each.get("from_status"), each.get("to_status")) for each in entries] == [
        ("changed", "shipment.split", None, None),
        ("changed", "shipment.dispatched", "READY", "SHIPPED"),
        ("changed", "shipment.returned", "SHIPPED", "RETURNED"),
        ("changed", "shipment.sent_again", "RETURNED", "READY"),
    ]
    assert {each["actor"] for each in entries} == {"clerk"}
    assert [each["at"] for each in entries] == sorted(each["at"] for each in entries)
    assert entries[0]["after"]["into"] == new["shipment_id"]
    assert entries[1]["after"]["tracking_number"] == NUMBER
    assert entries[2]["reason"] == "Nobody at home."
    assert [each["action"] for each in await timeline(desk, new)] == ["shipment.split_off"]


async def test_what_carriers_said_stands_there_with_its_effect_or_why_it_was_refused(desk: Desk) -> None:
    shipped = await desk.shipped()
    delivered_at = datetime.now(UTC)

    for number, report in enumerate([reported("delivered", delivered_at=delivered_at.isoformat()), reported("lost")]):
        await desk.reports(report, webhook_id=f"msg_{number}")
        await desk.work()

    dispatched, said, delivered, refused = await timeline(desk, shipped)
    assert dispatched["action"] == "shipment.dispatched"
    assert (said["kind"], said["actor"], said["to_status"]) == ("reported", "carrier:FedEx", "DELIVERED")
    assert datetime.fromisoformat(said["happened_at"]) == delivered_at
    assert (delivered["kind"], delivered["actor"]) == ("changed", "carrier:FedEx")
    assert (delivered["from_status"], delivered["to_status"]) == ("SHIPPED", "DELIVERED")
    assert (refused["kind"], refused["to_status"], refused["code"]) == ("refused", "LOST", "INVALID_STATUS_TRANSITION")
    assert "cannot become LOST" in refused["reason"]
    assert said["report_id"] != refused["report_id"]


async def test_nothing_of_another_parcel_stands_there(desk: Desk) -> None:
    await desk.shipped()
    ready = await desk.ready()

    assert await timeline(desk, ready) == []


async def test_a_report_stands_where_it_came_in_whenever_it_was_worked_on(desk: Desk) -> None:
    shipped = await desk.shipped()
    await desk.reports(reported("delivered"))
    await desk.confirm(shipped)
    await desk.work()

    assert [(each["kind"], each["actor"]) for each in await timeline(desk, shipped)] == [
        ("changed", "clerk"),
        ("reported", "carrier:FedEx"),
        ("changed", "clerk"),
    ]


@pytest.mark.parametrize(("role", "status"), [("warehouse", 200), ("admin", 200), ("customer", 403), (None, 401)])
async def test_it_is_for_the_staff(desk: Desk, role: Role | None, status: int) -> None:
    ready = await desk.ready()

    assert (await desk.get(f"/{ready['shipment_id']}/timeline", role)).status_code == status


async def test_shipments_that_do_not_exist_have_none(desk: Desk) -> None:
    answer = await desk.get(f"/{uuid4()}/timeline")

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")


async def test_no_address_stands_there(desk: Desk) -> None:
    ready = await desk.ready(a_large_order())
    await split(desk, ready, some(product_456=2))
    await desk.dispatch(ready, TRACKED)
    await desk.confirm(ready, {"delivery_location": "Analytical Row", "proof": {"note": "Ada signed"}})

    assert not {"Ada", "Analytical"} & set(str(await timeline(desk, ready)).replace("'", " ").split())
