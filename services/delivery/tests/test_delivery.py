"""A parcel is delivered, says the staff: what happens, what is told, and what is refused."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from chassis.steps import record

from .factories import Desk, code, statuses


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


async def test_a_confirmed_delivery_is_told_as_the_specification_has_it(desk: Desk) -> None:
    shipped = await desk.shipped()
    delivered_at = _now()

    answer = await desk.confirm(shipped, {"delivered_at": delivered_at, "delivery_location": "Front door"})

    assert answer.status_code == 200
    delivered = answer.json()
    assert delivered == await desk.again(shipped)
    assert (delivered["status"], delivered["allowed_actions"]) == ("DELIVERED", [])
    assert (delivered["delivered_at"], delivered["delivery_location"]) == (delivered_at, "Front door")
    _, event = await desk.published()
    assert (event["event_type"], event["source"]) == ("order.status_updated", "delivery-service")
    assert event["data"] == {
        "order_id": shipped["order_id"],
        "previous_status": "SHIPPED",
        "current_status": "DELIVERED",
        "delivered_at": delivered_at,
        "delivery_location": "Front door",
    }


async def test_without_a_time_it_is_now(desk: Desk) -> None:
    before = datetime.now(UTC)

    delivered = (await desk.confirm(await desk.shipped())).json()

    assert before <= datetime.fromisoformat(delivered["delivered_at"]) <= datetime.now(UTC)
    assert "delivery_location" not in delivered


async def test_who_confirmed_is_on_record(desk: Desk) -> None:
    shipped = await desk.shipped()

    answer = await desk.confirm(shipped, {"delivery_location": "Front door"})

    _, row = await desk.audited()
    assert (row["actor"], row["action"], row["entity_id"]) == ("clerk", "shipment.delivered", shipped["shipment_id"])
    assert row["before"] == {"status": "SHIPPED"}
    assert row["after"]["status"] == "DELIVERED"
    assert datetime.fromisoformat(row["after"]["delivered_at"]) == datetime.fromisoformat(answer.json()["delivered_at"])


async def test_the_steps_are_those_of_the_sequence(desk: Desk) -> None:
    shipped = await desk.shipped()

    with record() as recording:
        answer = await desk.confirm(shipped)

    steps = recording.of(answer.headers["x-trace-id"])
    assert [(step.caller, step.participant, step.action, step.emits) for step in steps] == [
        (None, "OrderService", "deliveryConfirmation", ()),
        ("OrderService", "OrderAggregate", "deliver", ("OrderStatusUpdated",)),
        ("OrderService", "AuditLog", "logAuditEvent", ()),
    ]


async def test_confirming_again_changes_nothing_and_tells_nobody(desk: Desk) -> None:
    shipped = await desk.shipped()
    first = (await desk.confirm(shipped, {"delivery_location": "Front door"})).json()

    again = await desk.confirm(shipped, {"delivered_at": _now(), "delivery_location": "Garage"})

    assert (again.status_code, again.json()) == (200, first)
    assert len(await desk.published()) == 2
    assert len(await desk.audited()) == 2


async def test_of_many_confirmations_at_once_one_counts(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    shipped = await desk.shipped()
    lingers_at("delivery.confirm.delivered")

    answers = await asyncio.gather(
        *(each.confirm(shipped, {"delivery_location": f"Door {n}"}) for n in range(6) for each in (desk, second_desk))
    )

    assert statuses(answers) == [200] * 12
    assert len({answer.text for answer in answers}) == 1
    assert len(await desk.published()) == 2


async def test_what_was_not_shipped_cannot_be_delivered(desk: Desk) -> None:
    ready = await desk.ready()

    answer = await desk.confirm(ready)

    assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")
    assert await desk.again(ready) == ready


@pytest.mark.parametrize("hours", [-1, 1, -800_000, 800_000])
async def test_a_delivery_before_the_dispatch_or_in_the_future_is_refused(desk: Desk, hours: int) -> None:
    shipped = await desk.shipped()

    answer = await desk.confirm(shipped, {"delivered_at": (datetime.now(UTC) + timedelta(hours=hours)).isoformat()})

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["delivered_at"]
    assert await desk.again(shipped) == shipped


async def test_a_delivery_that_could_not_be_written_down_did_not_happen(
    desk: Desk, fails_at: Callable[[str], None]
) -> None:
    shipped = await desk.shipped()
    fails_at("delivery.confirm.delivered")

    assert (await desk.confirm(shipped)).status_code == 500

    assert await desk.again(shipped) == shipped
    assert len(await desk.published()) == len(await desk.audited()) == 1
    assert (await desk.confirm(shipped)).status_code == 200


async def test_shipments_that_do_not_exist_cannot_be_delivered(desk: Desk) -> None:
    answer = await desk.post(f"/{uuid4()}/delivery", {})

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
