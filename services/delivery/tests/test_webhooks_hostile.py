"""Webhooks of those who are not our carriers, or wish us ill: nothing is believed, nothing fails, nothing is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .factories import CARRIER_SECRET, Desk, FakeProduct, code, settings
from .test_webhooks import delivered

OTHER_SECRET = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA=="


@pytest.mark.rule("BR-PARC-003")
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
        {"webhook_id": "", "webhook_timestamp": "", "webhook_signature": ""},
    ],
)
async def test_what_is_not_signed_as_it_should_be_is_not_believed(desk: Desk, wrong: dict[str, Any]) -> None:
    shipped = await desk.shipped()

    answer = await desk.reports(delivered(), **wrong)
    await desk.work()

    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
    assert answer.json()["error"]["message"] == "The webhook's signature could not be verified."
    assert answer.json()["error"]["details"] == []
    assert await desk.again(shipped) == shipped
    assert (await desk.heard()).json()["items"] == []


async def test_a_replay_after_an_hour_under_a_new_time_that_nobody_signed_is_not_believed(desk: Desk) -> None:
    await desk.shipped()
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)

    answer = await desk.reports(delivered(), at=an_hour_ago, webhook_timestamp=str(int(datetime.now(UTC).timestamp())))

    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")


async def test_another_id_than_the_signed_one_is_not_believed(desk: Desk) -> None:
    good = (await desk.reports(delivered())).request

    answer = await desk.http.post(
        "/api/v1/carrier-webhooks/FedEx", content=good.content, headers={**good.headers, "webhook-id": "msg_2"}
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
    good = (await desk.reports(delivered(), webhook_id="msg_0")).request

    answer = await desk.http.post(
        "/api/v1/carrier-webhooks/FedEx",
        content=good.content,
        headers={**good.headers, "webhook-signature": f"v1,AAAA {good.headers['webhook-signature']}"},
    )

    assert answer.json() == {"result": "repeated"}


async def test_a_body_of_more_than_20_kb_is_refused_before_it_is_looked_at(desk: Desk) -> None:
    answers = [
        await desk.reports(b"{" + b" " * 20_000, secret=OTHER_SECRET),
        await desk.reports(b"{" + b" " * 70_000),
    ]

    assert {(answer.status_code, code(answer)) for answer in answers} == {(413, "PAYLOAD_TOO_LARGE")}


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
        b'{"type": "parcel.lost", "data": {"tracking_number": 7}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": null}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "\' OR 1=1"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK\\ud800"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "tracking_number": "TRK1"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "delivered_at": "today"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "delivered_at": 1e400}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "delivered_at":'
        b' "0001-01-01T00:00:00+14:00"}}',
        b'{"type": "parcel.lost", "data": {"tracking_number": "TRK123456789", "occurred_at":'
        b' "9999-12-31T23:59:59-14:00"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "delivery_location": "\\u0000"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "proof": "a photo"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "proof": {"image": "a b"}}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "proof": {"note": "\\ud800"}}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "proof": {"note": "'
        + b"x" * 1001
        + b'"}}}',
        b'{"type": "parcel.returned", "data": {"tracking_number": "TRK123456789", "reason": "' + b"x" * 201 + b'"}}',
        b'{"type": "parcel.delivered", "data": {"tracking_number": "TRK123456789", "n": NaN}}',
        b'{"type": "parcel.delivered", "data": ' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}",
    ],
)
async def test_signed_nonsense_is_refused_politely(desk: Desk, body: bytes) -> None:
    shipped = await desk.shipped()

    answer = await desk.reports(body)
    await desk.work()

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await desk.again(shipped) == shipped
    assert (await desk.heard()).json()["items"] == []


@pytest.mark.parametrize("carrier", ["%00", "%FF", "x" * 41, "%20", "a%2Fb", "'; DROP TABLE shipments"])
async def test_strange_carriers_are_refused_or_unknown_and_never_a_failure(desk: Desk, carrier: str) -> None:
    answer = await desk.reports(delivered(), carrier=carrier)

    assert answer.status_code in (200, 400, 404)
    if answer.status_code == 200:
        # Somebody who knows the common secret may carry under any name; no parcel is theirs.
        await desk.work()
        assert [each["state"] for each in (await desk.heard()).json()["items"]] == ["UNMATCHED"]


@pytest.mark.rule("BR-PARC-003")
async def test_a_carrier_cannot_deliver_another_s_parcel(desk: Desk) -> None:
    shipped = await desk.shipped()

    answer = await desk.reports(delivered(), carrier="UPS")
    await desk.work()

    assert answer.json() == {"result": "accepted"}
    assert await desk.again(shipped) == shipped
    [report] = (await desk.heard()).json()["items"]
    assert (report["state"], report["carrier"]) == ("UNMATCHED", "UPS")


@pytest.mark.parametrize(
    "query",
    [
        "state=DONE",
        "carrier=",
        "carrier=%00",
        "tracking_number=x",
        "tracking_number=%27%20OR%201",
        "cursor=x",
        "limit=0",
    ],
)
async def test_strange_questions_about_reports_are_refused_politely(desk: Desk, query: str) -> None:
    answer = await desk.heard(f"?{query}")

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("report_id", ["x", "%00", "018f0000-0000-7000-8000-000000000000"])
async def test_reports_that_do_not_exist_are_not_found(desk: Desk, report_id: str) -> None:
    answers = [await desk.heard(f"/{report_id}"), await desk.retry({"report_id": report_id})]

    assert {answer.status_code for answer in answers} <= {400, 404}


def test_the_secret_does_not_show_in_the_settings() -> None:
    assert CARRIER_SECRET not in repr(settings("postgresql+asyncpg://x", FakeProduct()))
