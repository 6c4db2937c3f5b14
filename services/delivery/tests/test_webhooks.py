"""A carrier reports over HTTP: believed when it is signed, acted on once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis.steps import record

from .factories import CARRIER_SECRET, TRACKED, Desk, code, statuses

OTHER_SECRET = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA=="


def delivered(**data: Any) -> dict[str, Any]:
    return {"type": "parcel.delivered", "data": {"tracking_number": TRACKED["tracking_number"], **data}}


@pytest.mark.sequence("SEQ-ORD-004")
async def test_a_reported_delivery_is_told_as_the_specification_has_it(desk: Desk) -> None:
    shipped = await desk.shipped()
    delivered_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    answer = await desk.reports(delivered(delivered_at=delivered_at, delivery_location="Front door", driver="Max"))

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


async def test_the_steps_are_those_of_the_sequence(desk: Desk) -> None:
    await desk.shipped()

    with record() as recording:
        answer = await desk.reports(delivered())

    steps = recording.of(answer.headers["x-trace-id"])
    assert [(step.caller, step.participant, step.action, step.emits) for step in steps] == [
        (None, "OrderService", "deliveryConfirmation", ()),
        ("OrderService", "OrderAggregate", "findOrderByTracking", ()),
        ("OrderService", "OrderAggregate", "deliver", ("OrderStatusUpdated",)),
        ("OrderService", "AuditLog", "logAuditEvent", ()),
    ]


@pytest.mark.parametrize("carrier", ["FedEx", "fedex", "FEDEX"])
async def test_a_carrier_s_name_may_be_written_in_any_case(desk: Desk, carrier: str) -> None:
    await desk.shipped()

    assert (await desk.reports(delivered(), carrier=carrier)).status_code == 200


async def test_the_house_s_carrier_has_a_space_in_its_name(desk: Desk) -> None:
    shipped = (await desk.dispatch(await desk.ready())).json()

    answer = await desk.reports(delivered(tracking_number=shipped["tracking_number"]), carrier="OrderFlow%20Express")

    assert answer.status_code == 200


async def test_a_replay_changes_nothing(desk: Desk) -> None:
    shipped = await desk.shipped()
    await desk.reports(delivered(delivery_location="Front door"))
    after = await desk.again(shipped)

    for report in (delivered(delivery_location="Front door"), delivered(tracking_number="TRK-OTHER")):
        answer = await desk.reports(report)
        assert (answer.status_code, answer.json()) == (200, {"result": "repeated"})

    assert await desk.again(shipped) == after
    assert len(await desk.published()) == len(await desk.audited()) == 2


async def test_the_same_report_under_another_id_changes_nothing_either(desk: Desk) -> None:
    shipped = await desk.shipped()
    await desk.reports(delivered(delivery_location="Front door"))
    after = await desk.again(shipped)

    answer = await desk.reports(delivered(delivery_location="Garage"), webhook_id="msg_2")

    assert answer.status_code == 200
    assert await desk.again(shipped) == after
    assert len(await desk.published()) == 2


async def test_another_carrier_may_use_the_same_id(desk: Desk) -> None:
    await desk.shipped()
    await desk.shipped(carrier="UPS", tracking_number="1Z-999")

    answers = [
        await desk.reports(delivered(), carrier="FedEx"),
        await desk.reports(delivered(tracking_number="1Z-999"), carrier="UPS"),
    ]

    assert [answer.json()["result"] for answer in answers] == ["accepted", "accepted"]


async def test_of_many_copies_at_once_one_counts(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    await desk.shipped()
    lingers_at("delivery.confirm.delivered")

    answers = await asyncio.gather(*(each.reports(delivered()) for _ in range(6) for each in (desk, second_desk)))

    assert statuses(answers) == [200] * 12
    assert sorted(answer.json()["result"] for answer in answers) == ["accepted"] + ["repeated"] * 11
    assert len(await desk.published()) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": OTHER_SECRET},
        {"at": datetime.now(UTC) - timedelta(hours=1)},
        {"at": datetime.now(UTC) + timedelta(hours=1)},
        {"webhook_signature": ""},
        {"webhook_signature": "v1,"},
        {"webhook_timestamp": ""},
        {"webhook_timestamp": str(int(datetime.now(UTC).timestamp()) + 1)},
    ],
)
async def test_what_is_not_signed_as_it_should_be_is_not_believed(desk: Desk, wrong: dict[str, Any]) -> None:
    shipped = await desk.shipped()

    answer = await desk.reports(delivered(), **wrong)

    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
    assert answer.json()["error"]["message"] == "The webhook's signature could not be verified."
    assert answer.json()["error"]["details"] == []
    assert await desk.again(shipped) == shipped
    assert await desk.query("SELECT * FROM carrier_webhooks") == []


async def test_another_id_than_the_signed_one_is_not_believed(desk: Desk) -> None:
    answer = await desk.http.post(
        "/api/v1/carrier-webhooks/FedEx", json=delivered(), headers={"webhook-id": "msg_2", "webhook-timestamp": "1"}
    )

    assert answer.status_code == 401


async def test_without_any_of_the_headers_nobody_is_told_which_are_missing(desk: Desk) -> None:
    answer = await desk.http.post("/api/v1/carrier-webhooks/FedEx", json=delivered())

    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
    assert "webhook-id" not in answer.text


async def test_a_token_does_not_replace_a_signature(desk: Desk) -> None:
    answer = await desk.http.post(
        "/api/v1/carrier-webhooks/FedEx", json=delivered(), headers={"authorization": "Bearer x"}
    )

    assert answer.status_code == 401


async def test_one_good_signature_of_several_is_enough(desk: Desk) -> None:
    await desk.shipped()
    good = (await desk.reports(delivered(), webhook_id="msg_0")).request.headers

    answer = await desk.http.post(
        "/api/v1/carrier-webhooks/FedEx",
        content=(await desk.reports(delivered(), webhook_id="msg_0")).request.content,
        headers={**good, "webhook-signature": f"v1,AAAA {good['webhook-signature']}"},
    )

    assert answer.status_code == 200


async def test_a_body_of_more_than_20_kb_is_refused_before_it_is_looked_at(desk: Desk) -> None:
    answers = [
        await desk.reports(b"{" + b" " * 20_000, secret=OTHER_SECRET),
        await desk.reports(b"{" + b" " * 70_000),
    ]

    assert {(answer.status_code, code(answer)) for answer in answers} == {(413, "PAYLOAD_TOO_LARGE")}


@pytest.mark.sequence("SEQ-ORD-004", exception="NOT_FOUND")
async def test_a_parcel_that_is_not_ours_is_logged_and_may_be_reported_again(desk: Desk) -> None:
    await desk.ready()

    with capture_logs() as logs:
        answer = await desk.reports(delivered())

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
    [warning] = [log for log in logs if log["event"] == "unknown_parcel"]
    assert (warning["log_level"], warning["carrier"], warning["tracking_number"]) == (
        "warning",
        "FedEx",
        TRACKED["tracking_number"],
    )
    await desk.shipped()
    assert (await desk.reports(delivered())).json() == {"result": "accepted"}


async def test_a_carrier_cannot_deliver_another_s_parcel(desk: Desk) -> None:
    shipped = await desk.shipped()

    answer = await desk.reports(delivered(), carrier="UPS")

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
    assert await desk.again(shipped) == shipped


@pytest.mark.sequence("SEQ-ORD-004", exception="INVALID_STATUS_TRANSITION")
async def test_a_parcel_that_has_not_left_yet_cannot_be_delivered(desk: Desk) -> None:
    ready = await desk.ready()
    desk.product.open.clear()
    dispatching = asyncio.create_task(desk.dispatch(ready, TRACKED))
    await desk.product.arrived.acquire()

    answer = await desk.reports(delivered())

    assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")
    desk.product.open.set()
    await dispatching
    assert (await desk.reports(delivered())).json() == {"result": "accepted"}


async def test_an_implausible_time_is_refused(desk: Desk) -> None:
    await desk.shipped()

    answer = await desk.reports(delivered(delivered_at="2001-01-01T00:00:00Z"))

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


async def test_reports_that_we_do_nothing_about_are_taken_and_ignored(desk: Desk) -> None:
    shipped = await desk.shipped()

    with capture_logs() as logs:
        answer = await desk.reports({"type": "parcel.in_transit", "data": {"tracking_number": "TRK123456789"}})

    assert (answer.status_code, answer.json()) == (202, {"result": "ignored"})
    assert [log["type"] for log in logs if log["event"] == "webhook_ignored"] == ["parcel.in_transit"]
    assert await desk.again(shipped) == shipped


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"type": "parcel.delivered"}',
        b'{"type": 1, "data": {}}',
        b'{"type": "a\\u0000", "data": {}}',
        b'{"type": "parcel.delivered", "data": []}',
        b'{"type": "parcel.delivered", "data": {}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": null}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "\' OR 1=1"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK\\ud800"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "tracking_number": "TRK1"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "delivered_at": "today"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "delivered_at": 1e400}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "delivery_location": "\\u0000"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "n": NaN}}',
        b'{"type": "parcel.delivered", "data": ' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}",
    ],
)
async def test_signed_nonsense_is_refused_politely(desk: Desk, body: bytes) -> None:
    shipped = await desk.shipped()

    answer = await desk.reports(body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await desk.again(shipped) == shipped


@pytest.mark.parametrize("carrier", ["%00", "%FF", "x" * 41, "%20", "a%2Fb", "'; DROP TABLE shipments"])
async def test_strange_carriers_are_refused_politely(desk: Desk, carrier: str) -> None:
    assert (await desk.reports(delivered(), carrier=carrier)).status_code in (400, 404)


async def test_old_webhooks_are_forgotten_and_young_ones_are_not(desk: Desk) -> None:
    await desk.shipped()
    await desk.reports(delivered())
    await desk.query(
        "INSERT INTO carrier_webhooks SELECT 'fedex', 'old_' || n, now() - interval '31 days' "
        "FROM generate_series(1, 6000) n"
    )

    assert await desk.run("forget_old_webhooks") == 6000

    assert (await desk.reports(delivered())).json() == {"result": "repeated"}


def test_the_secret_does_not_show_in_the_settings() -> None:
    from .factories import FakeProduct, settings

    assert CARRIER_SECRET not in repr(settings("postgresql+asyncpg://x", FakeProduct()))
