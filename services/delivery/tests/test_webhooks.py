"""A carrier reports over HTTP: believed when it is signed, kept once, and acted on once, soon after."""

from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis.steps import record

from .factories import TRACKED, Desk, code


def delivered(**data: Any) -> dict[str, Any]:
    return {"type": "parcel.delivered", "data": {"tracking_number": TRACKED["tracking_number"], **data}}


def astray(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": f"parcel.{kind}", "data": {"tracking_number": TRACKED["tracking_number"], **data}}


@pytest.mark.rule("AC-ORD-004")
async def test_a_reported_delivery_is_told_as_the_specification_has_it(desk: Desk) -> None:
    shipped = await desk.shipped()
    delivered_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    answer = await desk.reports(delivered(delivered_at=delivered_at, delivery_location="Front door", driver="Max"))
    await desk.work()

    assert (answer.status_code, answer.json()) == (200, {"result": "accepted"})
    assert (await desk.again(shipped))["status"] == "DELIVERED"
    _, event = await desk.published()
    assert event["data"] == {
        "order_id": shipped["order_id"],
        "previous_status": "SHIPPED",
        "current_status": "DELIVERED",
        "delivered_at": delivered_at,
        "delivery_location": "Front door",
    }
    assert [row["actor"] for row in await desk.audited()] == ["clerk", "carrier:FedEx"]


async def test_it_is_answered_before_anything_is_done_about_it(desk: Desk) -> None:
    shipped = await desk.shipped()

    await desk.reports(delivered())

    assert await desk.again(shipped) == shipped
    [report] = (await desk.heard()).json()["items"]
    assert (report["state"], report["attempts"], report["reported"]) == ("WAITING", 0, "delivered")


async def test_the_steps_are_those_of_the_sequence_in_the_webhook_s_own_trace(desk: Desk) -> None:
    await desk.shipped()

    with record() as recording:
        answer = await desk.reports(delivered())
        await desk.work()

    steps = recording.of(answer.headers["x-trace-id"])
    assert [(step.caller, step.participant, step.action, step.emits) for step in steps] == [
        (None, "OrderService", "deliveryConfirmation", ()),
        ("OrderService", "OrderAggregate", "validateTransition", ()),
        ("OrderService", "OrderAggregate", "findOrderByTracking", ()),
        ("OrderService", "OrderAggregate", "deliver", ("OrderStatusUpdated",)),
        ("OrderService", "AuditLog", "logAuditEvent", ()),
    ]


@pytest.mark.parametrize("carrier", ["FedEx", "fedex", "FEDEX"])
async def test_a_carrier_s_name_may_be_written_in_any_case(desk: Desk, carrier: str) -> None:
    shipped = await desk.shipped()

    await desk.reports(delivered(), carrier=carrier)
    await desk.work()

    assert (await desk.again(shipped))["status"] == "DELIVERED"


async def test_the_house_s_carrier_has_a_space_in_its_name(desk: Desk) -> None:
    shipped = (await desk.dispatch(await desk.ready())).json()

    answer = await desk.reports(delivered(tracking_number=shipped["tracking_number"]), carrier="OrderFlow%20Express")
    await desk.work()

    assert answer.status_code == 200
    assert (await desk.again(shipped))["status"] == "DELIVERED"


async def test_what_proves_the_delivery_is_kept_with_the_parcel(desk: Desk) -> None:
    shipped = await desk.shipped()
    proof = {"note": "Left with Mr Green", "image": "s3://proofs/7.jpg", "camera": "front"}

    await desk.reports(delivered(proof=proof))
    await desk.work()

    assert (await desk.again(shipped))["proof"] == {"note": "Left with Mr Green", "image": "s3://proofs/7.jpg"}
    [report] = (await desk.heard()).json()["items"]
    assert report["proof"] == {"note": "Left with Mr Green", "image": "s3://proofs/7.jpg"}


@pytest.mark.parametrize(
    ("reports", "becomes"),
    [
        (["lost"], "LOST"),
        (["returned"], "RETURNED"),
        (["lost", "delivered"], "DELIVERED"),
        (["lost", "returned"], "RETURNED"),
        (["lost", "lost"], "LOST"),
    ],
)
async def test_a_parcel_may_be_lost_and_found_or_come_back(desk: Desk, reports: list[str], becomes: str) -> None:
    shipped = await desk.shipped()

    for number, kind in enumerate(reports):
        await desk.reports(astray(kind, reason="It fell off the van", location="Depot 7"), webhook_id=f"msg_{number}")
    await desk.work()

    assert (await desk.again(shipped))["status"] == becomes
    assert {report["state"] for report in (await desk.heard()).json()["items"]} == {"APPLIED"}


@pytest.mark.rule("BR-PARC-003")
async def test_a_replay_changes_nothing(desk: Desk) -> None:
    shipped = await desk.shipped()
    await desk.reports(delivered(delivery_location="Front door"))
    await desk.work()
    after = await desk.again(shipped)

    for report in (delivered(delivery_location="Front door"), delivered(tracking_number="TRK-OTHER")):
        answer = await desk.reports(report)
        await desk.work()
        assert (answer.status_code, answer.json()) == (200, {"result": "repeated"})

    assert await desk.again(shipped) == after
    assert len(await desk.published()) == len(await desk.audited()) == 2


async def test_a_replay_of_what_had_its_effect_is_none_to_refuse_when_the_parcel_has_moved_on(desk: Desk) -> None:
    shipped = await desk.shipped()
    for number, kind in enumerate(["lost", "delivered"]):
        await desk.reports(astray(kind), webhook_id=f"msg_{number}")
        await desk.work()

    answer = await desk.reports(astray("lost"), webhook_id="msg_0")
    await desk.work()

    assert (answer.status_code, answer.json()) == (200, {"result": "repeated"})
    assert (await desk.again(shipped))["status"] == "DELIVERED"
    assert [report["state"] for report in (await desk.heard()).json()["items"]] == ["APPLIED", "APPLIED"]


async def test_what_was_refused_is_refused_again_though_the_parcel_could_take_it_by_now(desk: Desk) -> None:
    shipped = await desk.shipped(**TRACKED)
    await desk.reports(astray("returned"), webhook_id="msg_0")
    await desk.work()
    await desk.reports(delivered(), webhook_id="msg_1")
    await desk.post(f"/{shipped['shipment_id']}/sending-again")
    await desk.dispatch(shipped, TRACKED)

    again = await desk.reports(delivered(), webhook_id="msg_1")
    await desk.work()

    assert (again.status_code, code(again)) == (409, "INVALID_STATUS_TRANSITION")
    assert (await desk.again(shipped))["status"] == "SHIPPED"


async def test_the_same_report_under_another_id_changes_nothing_either(desk: Desk) -> None:
    shipped = await desk.shipped()
    await desk.reports(delivered(delivery_location="Front door"))
    await desk.work()
    after = await desk.again(shipped)

    answer = await desk.reports(delivered(delivery_location="Garage"), webhook_id="msg_2")
    await desk.work()

    assert answer.json() == {"result": "accepted"}
    assert await desk.again(shipped) == after
    assert len(await desk.published()) == 2


async def test_the_same_id_under_the_same_name_written_otherwise_is_a_replay(desk: Desk) -> None:
    await desk.shipped()

    answers = [await desk.reports(delivered(), carrier=carrier) for carrier in ("FedEx", "FEDEX", "%20fedex")]

    assert [answer.json()["result"] for answer in answers] == ["accepted", "repeated", "repeated"]


async def test_another_carrier_may_use_the_same_id(desk: Desk) -> None:
    await desk.shipped()
    await desk.shipped(carrier="UPS", tracking_number="1Z-999")

    answers = [
        await desk.reports(delivered(), carrier="FedEx"),
        await desk.reports(delivered(tracking_number="1Z-999"), carrier="UPS"),
    ]

    assert [answer.json()["result"] for answer in answers] == ["accepted", "accepted"]


async def test_a_parcel_that_came_back_cannot_be_delivered_and_its_carrier_is_told_so_each_time(desk: Desk) -> None:
    shipped = await desk.shipped()
    await desk.reports(astray("returned"), webhook_id="msg_0")
    await desk.work()
    back = await desk.again(shipped)

    answers = [await desk.reports(delivered()) for _ in range(2)]
    await desk.work()

    assert [(answer.status_code, code(answer)) for answer in answers] == [(409, "INVALID_STATUS_TRANSITION")] * 2
    assert {answer.json()["error"]["message"] for answer in answers} == {
        "A shipment that is RETURNED cannot become DELIVERED."
    }
    assert await desk.again(shipped) == back
    refused, _ = (await desk.heard()).json()["items"]
    assert (refused["state"], refused["code"], refused["shipment_id"]) == (
        "REFUSED",
        "INVALID_STATUS_TRANSITION",
        shipped["shipment_id"],
    )


async def test_what_is_refused_is_seen_in_the_parcel_s_timeline(desk: Desk) -> None:
    shipped = await desk.shipped()
    for number, kind in enumerate(["delivered", "lost"]):
        await desk.reports(astray(kind), webhook_id=f"msg_{number}")
        await desk.work()

    entries = (await desk.get(f"/{shipped['shipment_id']}/timeline")).json()["entries"]

    assert [(entry["kind"], entry.get("to_status"), entry.get("code")) for entry in entries] == [
        ("changed", "SHIPPED", None),
        ("reported", "DELIVERED", None),
        ("changed", "DELIVERED", None),
        ("refused", "LOST", "INVALID_STATUS_TRANSITION"),
    ]


async def test_what_was_reported_under_an_old_label_stays_in_the_timeline(desk: Desk) -> None:
    shipped = await desk.shipped()
    await desk.reports(astray("returned"))
    await desk.work()

    await desk.post(f"/{shipped['shipment_id']}/sending-again")
    await desk.dispatch(shipped, {"carrier": "UPS", "tracking_number": "1Z-999"})

    entries = (await desk.get(f"/{shipped['shipment_id']}/timeline")).json()["entries"]
    assert [entry["actor"] for entry in entries if entry["kind"] == "reported"] == ["carrier:FedEx"]


async def test_an_implausible_time_is_refused(desk: Desk) -> None:
    await desk.shipped()

    answers = [
        await desk.reports(delivered(delivered_at="2001-01-01T00:00:00Z"), webhook_id="msg_0"),
        await desk.reports(delivered(delivered_at="2101-01-01T00:00:00Z"), webhook_id="msg_1"),
        await desk.reports(delivered(delivered_at="2001-01-01T00:00:00Z"), webhook_id="msg_0"),
    ]

    assert {(answer.status_code, code(answer)) for answer in answers} == {(400, "VALIDATION_ERROR")}
    [kept] = (await desk.heard()).json()["items"]
    assert kept["state"] == "REFUSED"
    assert kept["message"].endswith("This is before the parcel was shipped.")


async def test_reports_that_we_do_nothing_about_are_taken_and_ignored(desk: Desk) -> None:
    shipped = await desk.shipped()

    with capture_logs() as logs:
        answer = await desk.reports({"type": "parcel.in_transit", "data": {"tracking_number": "TRK123456789"}})

    assert (answer.status_code, answer.json()) == (202, {"result": "ignored"})
    assert [log["type"] for log in logs if log["event"] == "webhook_ignored"] == ["parcel.in_transit"]
    assert await desk.again(shipped) == shipped
    assert (await desk.heard()).json()["items"] == []
