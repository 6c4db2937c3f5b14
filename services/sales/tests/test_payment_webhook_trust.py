"""A gateway is believed when it has signed, and what makes no sense is refused politely."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from chassis.ids import uuid7
from contracts.sales.payments import OperationKind
from sales.payments.hearing import forget_old_webhooks
from services.sales.tests.factories import Sales, running
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.reports import OTHER_SECRET, Desk, code
from services.sales.tests.till import SECRET, Till, report

CAPTURE, VOID, REFUND = OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND


@pytest.fixture
async def desk(database_url: str, product: FakeProduct, till: Till) -> AsyncIterator[Desk]:
    async with running(database_url, product, payments={"webhook_secret": f"{OTHER_SECRET} {SECRET}"}) as sales:
        yield Desk(sales, till)


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "whsec_" + base64.b64encode(b"nobody's secret at all").decode()},
        {"at": datetime.now(UTC) - timedelta(hours=1)},
        {"at": datetime.now(UTC) + timedelta(hours=1)},
        {"webhook_signature": ""},
        {"webhook_timestamp": ""},
        {"webhook_id": "evt_other"},
        {"authorization": "Bearer x", "webhook_signature": "v1,AAAA"},
    ],
)
async def test_what_is_not_signed_as_it_should_be_is_not_believed(desk: Desk, wrong: dict[str, Any]) -> None:
    held = await desk.till.authorised()

    answer = await desk.hear(report("capture.done", held, uuid7()), **wrong)

    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
    assert answer.json()["error"]["message"] == "The webhook's signature could not be verified."
    assert answer.json()["error"]["details"] == []
    assert await desk.till.state(held) == "AUTHORISED"
    assert await desk.till.count("payment_webhooks") == 0


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
async def test_while_one_secret_replaces_another_both_are_good(desk: Desk, secret: str) -> None:
    held = await desk.till.authorised()

    assert (await desk.hear(await desk.till.by_hand(held, CAPTURE), secret=secret)).status_code == 200


async def test_reports_of_other_types_are_taken_and_ignored(desk: Desk) -> None:
    with capture_logs() as logs:
        answer = await desk.hear({"type": "dispute.opened", "data": {"payment_id": "?"}})

    assert (answer.status_code, answer.json()) == (202, {"result": "ignored"})
    assert [each["type"] for each in logs if each["event"] == "webhook_ignored"] == ["dispute.opened"]


@pytest.mark.parametrize("payment_reference", ["sbx_1", "sbx_other"])
async def test_reports_of_payments_that_are_not_ours_are_taken_and_ignored(desk: Desk, payment_reference: str) -> None:
    held = await desk.till.authorised()
    payment_id = uuid7() if payment_reference == "sbx_1" else held

    answer = await desk.hear(report("capture.done", payment_id, uuid7(), payment_reference=payment_reference))

    assert (answer.status_code, answer.json()) == (202, {"result": "ignored"})
    assert await desk.till.state(held) == "AUTHORISED"


@pytest.mark.parametrize("gateway", ["stripe", "nobody", "SANDBOX", "%00", "a%2Fb", "x" * 41])
async def test_other_gateways_do_not_exist(desk: Desk, gateway: str) -> None:
    assert (await desk.hear({}, gateway=gateway)).status_code in (400, 404)


async def test_without_a_secret_nobody_can_report(sales: Sales, till: Till) -> None:
    held = await till.authorised()

    answer = await Desk(sales, till).hear(await till.by_hand(held, CAPTURE))

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")


async def test_a_body_of_more_than_64_kb_is_refused_before_it_is_looked_at(desk: Desk) -> None:
    answers = [await desk.hear(b"{" + b" " * size, secret=OTHER_SECRET) for size in (64_001, 70_000)]

    assert {(answer.status_code, code(answer)) for answer in answers} == {(413, "PAYLOAD_TOO_LARGE")}


def _with(**data: Any) -> bytes:
    event = report("capture.done", UUID(int=1), UUID(int=2))
    event["data"] |= data
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"type": "capture.done"}',
        b'{"type": 1, "data": {}}',
        b'{"type": "a\\u0000", "data": {}}',
        b'{"type": "capture.done", "data": []}',
        b'{"type": "capture.done", "data": {}}',
        _with(payment_id="1"),
        _with(key=None),
        _with(amount=0),
        _with(amount=-1),
        _with(amount=1.5),
        _with(amount="1999"),
        _with(amount=10**13),
        _with(reference=""),
        _with(reference="x" * 201),
        _with(payment_reference="\ud800"),
        _with(reason="because"),
        b'{"type": "capture.done", "data": ' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}",
    ],
)
async def test_signed_nonsense_is_refused_politely(desk: Desk, body: bytes) -> None:
    answer = await desk.hear(body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


async def test_old_webhooks_are_forgotten_and_young_ones_are_not(desk: Desk) -> None:
    held = await desk.till.authorised()
    event = await desk.till.by_hand(held, CAPTURE)
    await desk.hear(event)
    await desk.till.rows(
        "INSERT INTO payment_webhooks SELECT 'sandbox', 'old_' || n, now() - interval '31 days'"
        " FROM generate_series(1, 6000) n RETURNING 1"
    )

    assert await forget_old_webhooks(desk.till.database) == 6000

    assert (await desk.hear(event)).json() == {"result": "repeated"}
