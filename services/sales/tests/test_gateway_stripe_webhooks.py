"""How Stripe reports: its signature over the very bytes, and its events as what they say of a payment here."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from chassis.db import Database
from chassis.errors import Invalid
from chassis.ids import uuid7
from chassis.signature import NotVerified
from contracts.sales.payments import PaymentState
from sales.payments.gateway import Irrelevant, News, Reason
from sales.payments.making import PaymentDesk, make_payments
from sales.payments.paying import Authorised, Charge, Declined, Unsure
from sales.payments.stripe_webhooks import StripeReports, sign_stripe
from sales.settings import PaymentSettings
from services.sales.tests.factories import Sales, running
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.fake_stripe import SECRET_KEY, FakeStripe, hangs_up, loses_the_answer
from services.sales.tests.till import Till

SECRET, OTHER_SECRET = "whsec_of_the_endpoint", "whsec_that_comes_after"
NOW = datetime(2026, 1, 15, 14, 30, tzinfo=UTC)
PAYMENT, KEY = UUID(int=1), UUID(int=2)
INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 1999,
    "amount_capturable": 1999,
    "amount_received": 0,
    "currency": "usd",
    "status": "requires_capture",
    "metadata": {"payment_id": str(PAYMENT), "operation": str(KEY)},
}
REFUND: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "amount": 500,
    "currency": "usd",
    "payment_intent": "pi_1",
    "status": "succeeded",
    "metadata": {"payment_id": str(PAYMENT), "operation": str(KEY)},
}


def event(kind: str, thing: dict[str, Any], event_id: str = "evt_1") -> bytes:
    return json.dumps({"id": event_id, "type": kind, "data": {"object": thing}, "livemode": False}).encode()


def read(body: bytes, header: str | None = None, now: datetime = NOW) -> News | Irrelevant:
    reports = StripeReports(SecretStr(f"{OTHER_SECRET} {SECRET}"))
    return reports.read({"stripe-signature": sign_stripe(SECRET, NOW, body) if header is None else header}, body, now)


BODY = event("payment_intent.succeeded", {**INTENT, "status": "succeeded", "amount_received": 1500})
GOOD = sign_stripe(SECRET, NOW, BODY)
MAC = GOOD.partition("v1=")[2]


def test_it_is_signed_as_the_documents_have_it() -> None:
    signed = hmac.new(SECRET.encode(), b"1768487400." + BODY, hashlib.sha256).hexdigest()

    assert sign_stripe(SECRET, NOW, BODY) == f"t=1768487400,v1={signed}"


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        f"t=1768487400,v1={'0' * 64},v1={MAC}",
        f"t=1768487400,v0=abc,v1={MAC}",
        sign_stripe(OTHER_SECRET, NOW, BODY),
    ],
)
def test_one_good_signature_is_enough(header: str) -> None:
    assert isinstance(read(BODY, header), News)


@pytest.mark.parametrize("off", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_five_minutes_are_tolerated(off: timedelta) -> None:
    assert isinstance(read(BODY, GOOD, NOW + off), News)


@pytest.mark.parametrize(
    ("header", "off"),
    [
        (GOOD, timedelta(minutes=5, seconds=1)),
        (GOOD, timedelta(minutes=-5, seconds=-1)),
        *(
            (header, timedelta(0))
            for header in (
                "",
                ",,,",
                "t=1768487400",
                f"v1={MAC}",
                f"t=,v1={MAC}",
                f"t=1768487401,v1={MAC}",
                f"t=1768487400,t=1768487400,v1={MAC}",
                f"t=-1768487400,v1={MAC}",
                f"t=1768487400.0,v1={MAC}",
                f"t=١٧٦٨٤٨٧٤٠٠,v1={MAC}",
                f"t=1768487400,v0={MAC}",
                f"t=1768487400,v1={MAC[:-1]}",
                f"t=1768487400,v1={MAC.upper()}",
                "t=1768487400,v1=é\ud800",
                "t=1768487400," + ",".join(["v1=0"] * 20) + f",v1={MAC}",
                sign_stripe("whsec_of_somebody", NOW, BODY),
            )
        ),
    ],
)
def test_everything_else_is_not_believed(header: str, off: timedelta) -> None:
    with pytest.raises(NotVerified):
        read(BODY, header, NOW + off)


def test_nobody_can_change_the_body() -> None:
    with pytest.raises(NotVerified):
        read(BODY + b" ", GOOD)


@pytest.mark.parametrize(
    ("kind", "thing", "state", "amount"),
    [
        ("payment_intent.amount_capturable_updated", INTENT, PaymentState.AUTHORISED, 1999),
        ("payment_intent.succeeded", {**INTENT, "amount_received": 1500}, PaymentState.CAPTURED, 1500),
        ("payment_intent.succeeded", {**INTENT, "amount_received": 15, "currency": "jpy"}, PaymentState.CAPTURED, 1500),
        ("payment_intent.canceled", {**INTENT, "status": "canceled"}, PaymentState.VOIDED, None),
        ("payment_intent.payment_failed", INTENT, PaymentState.FAILED, None),
        ("refund.created", REFUND, PaymentState.REFUNDED, 500),
        ("refund.updated", REFUND, PaymentState.REFUNDED, 500),
        ("refund.failed", {**REFUND, "status": "failed"}, PaymentState.REFUND_DUE, 500),
        ("refund.updated", {**REFUND, "status": "canceled"}, PaymentState.REFUND_DUE, 500),
    ],
)
def test_an_event_says_how_a_payment_stands(
    kind: str, thing: dict[str, Any], state: PaymentState, amount: int | None
) -> None:
    news = read(event(kind, thing))

    assert isinstance(news, News)
    assert (news.event_id, news.state, news.amount) == ("evt_1", state, amount)
    assert (news.payment_id, news.payment_reference) == (PAYMENT, "pi_1")
    assert news.key == (KEY if kind.startswith("refund") else None)


def test_a_failure_is_told_in_our_words() -> None:
    why = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "Ada"}

    news = read(event("payment_intent.payment_failed", {**INTENT, "last_payment_error": why}))

    assert isinstance(news, News)
    assert news.reason == Reason.INSUFFICIENT_FUNDS
    assert "Ada" not in repr(news)


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        ("charge.dispute.created", {"id": "dp_1"}),
        ("refund.created", {**REFUND, "status": "pending"}),
        ("refund.created", {**REFUND, "payment_intent": None}),
        ("payment_intent.canceled", {**INTENT, "metadata": {"forestalled": "true"}}),
    ],
)
def test_some_events_are_nothing_to_us(kind: str, thing: dict[str, Any]) -> None:
    assert read(event(kind, thing)) == Irrelevant("evt_1", kind)


@pytest.mark.parametrize("metadata", [{}, {"payment_id": "1", "operation": "?"}])
def test_what_was_made_by_hand_is_known_by_its_reference_alone(metadata: dict[str, str]) -> None:
    news = read(event("payment_intent.succeeded", {**INTENT, "metadata": metadata}))

    assert isinstance(news, News)
    assert (news.payment_id, news.key, news.payment_reference) == (None, None, "pi_1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        event("payment_intent.succeeded", {}),
        event("payment_intent.succeeded", {**INTENT, "amount": "1999"}),
        event("payment_intent.succeeded", {**INTENT, "amount_received": -1}),
        event("payment_intent.succeeded", {**INTENT, "id": "\u0000"}),
        event("payment_intent.succeeded", INTENT, "evt 1"),
        event("payment_intent.succeeded", INTENT, "x" * 300),
        event("refund.created", {**REFUND, "amount": 1.5}),
    ],
)
def test_signed_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        read(body)


# The whole way, from the attempt to the report.


@pytest.fixture
async def stripe() -> AsyncIterator[FakeStripe]:
    fake = FakeStripe()
    await fake.start()
    yield fake
    await fake.stop()


def settings(stripe: FakeStripe) -> PaymentSettings:
    return PaymentSettings.model_validate(
        {"gateway": "stripe", "stripe_key": SECRET_KEY, "stripe_url": stripe.url, "webhook_secret": SECRET}
    )


@pytest.fixture
async def desk(database_url: str, stripe: FakeStripe) -> AsyncIterator[PaymentDesk]:
    database = Database(database_url, application_name="desk")
    made = make_payments(settings(stripe), database)
    yield made
    await made.pursuit.close()
    await database.close()


@pytest.fixture
async def sales(database_url: str, product: FakeProduct, stripe: FakeStripe) -> AsyncIterator[Sales]:
    async with running(database_url, product, payments=settings(stripe).model_dump()) as one:
        yield one


def charge() -> Charge:
    return Charge(uuid7(), "grace", 1999, "USD")


async def test_at_stripe_an_answer_that_was_lost_is_found_by_the_job(
    desk: PaymentDesk, till: Till, stripe: FakeStripe
) -> None:
    wanted = charge()
    with stripe.having(loses_the_answer):
        assert await desk.payments.authorise(wanted, "pm_card_visa") == Unsure(wanted.id)

    await _time_passes(desk, till)

    assert await desk.payments.authorise(wanted, "pm_card_visa") == Authorised(wanted.id, "pi_0")
    assert len(stripe.intents) == 1


async def test_at_stripe_what_did_not_arrive_is_forestalled(desk: PaymentDesk, till: Till, stripe: FakeStripe) -> None:
    wanted = charge()
    with stripe.having(hangs_up):
        await desk.payments.authorise(wanted, "pm_card_visa")

    await _time_passes(desk, till)

    assert await desk.payments.authorise(wanted, "pm_card_visa") == Declined(wanted.id, "never_asked")
    assert [each["status"] for each in stripe.intents.values()] == ["canceled"]


async def test_at_stripe_a_capture_and_a_refund_whose_answers_were_lost_happen_once(
    desk: PaymentDesk, till: Till, stripe: FakeStripe
) -> None:
    wanted = charge()
    await desk.payments.authorise(wanted, "pm_card_visa")
    with stripe.having(loses_the_answer):
        await desk.payments.capture(wanted.id, "admin")
    await _time_passes(desk, till)
    assert await till.state(wanted.id) == "CAPTURED"
    with stripe.having(loses_the_answer):
        await desk.payments.refund(wanted.id, 500, "return-1", "admin")
    await _time_passes(desk, till)

    payment = await till.payment(wanted.id)
    assert (payment["state"], payment["refunded"], len(stripe.refunds)) == ("CAPTURED", 500, 1)


async def test_stripe_s_word_on_a_capture_counts_over_http(sales: Sales, desk: PaymentDesk, till: Till) -> None:
    wanted = charge()
    await desk.payments.authorise(wanted, "pm_card_visa")
    thing = {**INTENT, "id": "pi_0", "status": "succeeded", "amount_received": 1999, "metadata": {}}
    body = event("payment_intent.succeeded", thing)

    good = await _post(sales, body, sign_stripe(SECRET, datetime.now(UTC), body))
    again = await _post(sales, body, sign_stripe(SECRET, datetime.now(UTC), body))
    bad = await _post(sales, body, sign_stripe(OTHER_SECRET, datetime.now(UTC), body))

    assert [(each.status_code, each.json().get("result")) for each in (good, again, bad)] == [
        (200, "accepted"),
        (200, "repeated"),
        (401, None),
    ]
    assert (await till.payment(wanted.id))["captured"] == 1999


async def _post(sales: Sales, body: bytes, signature: str) -> httpx.Response:
    async with sales.client(None, **{"stripe-signature": signature}) as client:
        return await client.post("/api/v1/payment-webhooks/stripe", content=body)


async def _time_passes(desk: PaymentDesk, till: Till) -> None:
    await till.rows("UPDATE payment_operations SET next_try_at = now() WHERE next_try_at IS NOT NULL RETURNING 1")
    assert await desk.pursuit.take_up() == 1
