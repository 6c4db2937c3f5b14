"""Reports as EasyPost writes them, in bodies made by hand after its documentation (`easypost/*.json`)."""

import hashlib
import hmac
import json
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from pydantic import SecretStr

from delivery.settings import CarrierSettings, EasyPostSettings

from .factories import TRACKED, Desk, FakeProduct, a_desk, code

# With a letter that Unicode's NFKD takes apart.
SECRET, NEXT_SECRET = "s\u00e9cret", "another"
UPS_SECRET = "whsec_dXBzIGhhcyBhIHNlY3JldCBvZiBpdHMgb3du"


@pytest.fixture
async def desk(database_url: str, product: FakeProduct) -> AsyncIterator[Desk]:
    easypost = EasyPostSettings(secret=SecretStr(f"{SECRET} {NEXT_SECRET}"), carriers={"FedExGround": "FedEx"})
    carriers = CarrierSettings(easypost=easypost, secrets={"UPS": SecretStr(UPS_SECRET)})
    async with a_desk(database_url, product, carriers=carriers) as running:
        yield running


def recorded(name: str, at: datetime | None = None, **result: Any) -> bytes:
    """As it was sent at that time, with these differences in its tracker."""
    now = (at or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
    body = json.loads((Path(__file__).parent / "easypost" / f"{name}.json").read_text().replace("{now}", now))
    return json.dumps({**body, "result": {**body["result"], **result}}).encode()


def signature(body: bytes, secret: str = SECRET) -> str:
    key = unicodedata.normalize("NFKD", secret).encode()
    return f"hmac-sha256-hex={hmac.new(key, body, hashlib.sha256).hexdigest()}"


async def sent(desk: Desk, body: bytes, signed: str | None = None, *, to: str = "easypost") -> Response:
    headers = {"x-hmac-signature": (signature(body) if signed is None else signed).encode("latin-1")}
    answer = await desk.http.post(f"/api/v1/carrier-webhooks/{to}", content=body, headers=headers)  # type: ignore[arg-type]
    await desk.work()
    return answer


async def report_of(desk: Desk) -> dict[str, Any]:
    [report] = (await desk.heard()).json()["items"]
    return dict(report)


async def test_a_delivery_is_believed_with_its_time_its_place_and_who_signed(desk: Desk) -> None:
    shipped = await desk.shipped()

    answer = await sent(desk, recorded("delivered"))

    assert (answer.status_code, answer.json()) == (200, {"result": "accepted"})
    parcel = await desk.again(shipped)
    assert (parcel["status"], parcel["delivery_location"], parcel["proof"]) == (
        "DELIVERED",
        "Springfield, IL, 62701, US",
        {"note": "Signed by A Green"},
    )
    assert [row["actor"] for row in await desk.audited()] == ["clerk", "carrier:FedEx"]


async def test_a_parcel_that_goes_back_to_its_sender_is_returned(desk: Desk) -> None:
    shipped = await desk.shipped()

    await sent(desk, recorded("return_to_sender"))

    assert (await desk.again(shipped))["status"] == "RETURNED"
    report = await report_of(desk)
    assert (report["reason"], report["location"], report["occurred_at"]) == (
        "Returning package to shipper",
        "Joliet, IL",
        "2026-01-07T16:20:00Z",
    )


async def test_a_failure_is_a_loss_until_it_is_found(desk: Desk) -> None:
    shipped = await desk.shipped()

    await sent(desk, recorded("failure"))
    lost = await desk.again(shipped)
    await sent(desk, recorded("delivered"))

    assert (lost["status"], (await desk.again(shipped))["status"]) == ("LOST", "DELIVERED")


@pytest.mark.parametrize(
    "status",
    [
        "unknown",
        "pre_transit",
        "in_transit",
        "out_for_delivery",
        "available_for_pickup",
        "cancelled",
        "error",
        None,
        [],
    ],
)
async def test_other_statuses_change_nothing(desk: Desk, status: object) -> None:
    shipped = await desk.shipped()

    answer = await sent(desk, recorded("delivered", status=status))

    assert (answer.status_code, answer.json()) == (202, {"result": "ignored"})
    assert await desk.again(shipped) == shipped


async def test_events_of_other_things_than_trackers_change_nothing(desk: Desk) -> None:
    body = json.dumps({**json.loads(recorded("delivered")), "description": "batch.updated"}).encode()

    assert (await sent(desk, body)).status_code == 202


async def test_a_carrier_may_have_another_name_with_us(desk: Desk) -> None:
    shipped = await desk.shipped()

    await sent(desk, recorded("delivered", carrier="FedExGround"))

    assert (await desk.again(shipped))["status"] == "DELIVERED"


@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET, unicodedata.normalize("NFKD", SECRET)])
async def test_both_secrets_are_believed_while_one_replaces_the_other(desk: Desk, secret: str) -> None:
    body = recorded("delivered")

    assert (await sent(desk, body, signature(body, secret))).status_code == 200


@pytest.mark.parametrize(
    "signed", ["", "hmac-sha256-hex=", "x" * 64, "\u00e9", signature(b"{}"), signature(b"{}", "guessed")]
)
async def test_what_is_not_signed_as_it_should_be_is_not_believed(desk: Desk, signed: str) -> None:
    shipped = await desk.shipped()

    answer = await sent(desk, recorded("delivered"), signed)

    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
    assert await desk.again(shipped) == shipped


async def test_a_replay_is_answered_as_a_repetition_and_changes_nothing(desk: Desk) -> None:
    await desk.shipped()
    body = recorded("delivered")
    await sent(desk, body)

    answer = await sent(desk, body)

    assert answer.json() == {"result": "repeated"}
    assert len(await desk.published()) == 2


@pytest.mark.parametrize("age", [timedelta(days=3, minutes=1), -timedelta(minutes=6)])
async def test_an_event_that_is_too_old_or_of_tomorrow_is_not_believed(desk: Desk, age: timedelta) -> None:
    answer = await sent(desk, recorded("delivered", at=datetime.now(UTC) - age))

    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")


async def test_one_that_is_sent_again_after_two_days_still_counts(desk: Desk) -> None:
    body = json.loads(recorded("failure", at=datetime.now(UTC) - timedelta(days=2)))

    assert (await sent(desk, json.dumps(body).encode())).status_code == 200


@pytest.mark.parametrize("carrier", ["UPS", "ups", "OrderFlow Express", "Simulator"])
async def test_it_cannot_speak_for_those_who_report_themselves(desk: Desk, carrier: str) -> None:
    shipped = await desk.shipped(carrier=carrier, tracking_number=TRACKED["tracking_number"])

    answer = await sent(desk, recorded("delivered", carrier=carrier))

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
    assert await desk.again(shipped) == shipped
    assert (await desk.heard()).json()["items"] == []


async def test_its_signature_is_good_at_its_own_address_only(desk: Desk) -> None:
    body = recorded("delivered")

    answers = [
        await sent(desk, body, to="FedEx"),
        await desk.reports({"type": "parcel.delivered", "data": TRACKED}, carrier="easypost"),
    ]

    assert {answer.status_code for answer in answers} == {401}


@pytest.mark.parametrize(
    "result",
    [
        {"tracking_code": None},
        {"tracking_code": "with space"},
        {"carrier": ""},
        {"carrier": "x" * 41},
        {"carrier": 7},
        {"signed_by": "\ud800"},
        {"signed_by": ["A"]},
        {"tracking_details": "none"},
        {"tracking_details": [{"datetime": "yesterday"}]},
        {"tracking_details": [{"datetime": "0001-01-01T00:00:00+14:00"}]},
        {"tracking_details": [{"datetime": 1e300}]},
        {"tracking_details": [{"tracking_location": {"city": "\x00"}}]},
        {"tracking_details": [{}] * 201},
    ],
)
async def test_signed_nonsense_is_refused_politely(desk: Desk, result: dict[str, Any]) -> None:
    shipped = await desk.shipped()

    answer = await sent(desk, recorded("delivered", **result))

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await desk.again(shipped) == shipped


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id": "evt"}', b'{"id": ' + b"[" * 1000 + b"]" * 1000 + b"}"])
async def test_other_signed_nonsense_is_refused_politely_too(desk: Desk, body: bytes) -> None:
    answer = await sent(desk, body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


async def test_long_words_are_cut_to_what_we_keep(desk: Desk) -> None:
    await desk.shipped()
    place = {"city": "C" * 300, "state": None, "zip": "  ", "country": "US"}
    details = [{"status": "failure", "message": "m" * 300, "tracking_location": place}]

    await sent(desk, recorded("failure", tracking_details=details))

    report = await report_of(desk)
    assert (report["state"], report["reason"], report["location"]) == ("APPLIED", "m" * 200, "C" * 200)


async def test_without_a_secret_it_is_a_carrier_like_any_other(database_url: str, product: FakeProduct) -> None:
    async with a_desk(database_url, product) as desk:
        body = recorded("delivered")

        assert (await sent(desk, body, signature(body, ""))).status_code == 401
