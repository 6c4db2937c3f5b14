"""Stripe is slow, down, wrong or not Stripe at all: then nothing is known, and nothing is taken for a refusal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from contracts.sales.payments import OperationKind
from sales.payments.asking import Asking
from sales.payments.gateway import Done, Question, Unanswered
from sales.payments.stripe import StripeGateway
from sales.payments.stripe_http import check_url
from sales.settings import PaymentSettings
from services.sales.tests.fake_stripe import (
    SECRET_KEY,
    FakeStripe,
    Trouble,
    does_it_and_fails,
    does_it_but,
    drips,
    hangs_up,
    loses_the_answer,
    never_ends,
    pads,
    says,
    sends_elsewhere,
)
from services.sales.tests.test_gateway_stripe import held, question, taken

AUTHORISE, CAPTURE, VOID, REFUND = OperationKind


@pytest.fixture
async def stripe() -> AsyncIterator[FakeStripe]:
    fake = FakeStripe()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def gateway(stripe: FakeStripe) -> AsyncIterator[StripeGateway]:
    one = StripeGateway(stripe.url, SecretStr(SECRET_KEY), timeout=timedelta(seconds=0.5))
    yield one
    await one.close()


TROUBLES: dict[str, Trouble] = {
    "answer lost": loses_the_answer,
    "hangs up": hangs_up,
    "done, and a 500": does_it_and_fails,
    "500": says(500, {"error": {"type": "api_error"}}),
    "502 of a proxy": says(502, b"<html>"),
    "503": says(503),
    "429": says(429, {"error": {"type": "invalid_request_error", "code": "rate_limit"}}),
    "409": says(409, {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}),
    "401": says(401, {"error": {"type": "invalid_request_error"}}),
    "403": says(403, {"error": {"type": "invalid_request_error"}}),
    "424": says(424),
    "another key's": says(400, {"error": {"type": "idempotency_error"}}),
    "redirect": says(302, Location="http://169.254.169.254/latest/meta-data"),
    "308": says(308, Location="https://example.org/v1/payment_intents"),
    "204": says(204, b""),
    "201": says(201),
    "empty": says(200, b""),
    "no JSON": says(200, b"succeeded, I guess"),
    "a list": says(200, b"[]"),
    "an object of nothing": says(200, b"{}"),
    "deep": says(200, b"[" * 100_000),
    "drips": drips,
    "never ends": never_ends,
    "redirect to what would do it": sends_elsewhere,
    "too large": says(200, b" " * 2_000_000),
    "padded": pads,
    "packed": says(200, b"\x1f\x8b\x08\x00", **{"Content-Encoding": "gzip"}),
    "another object": does_it_but(lambda said: said.update(object="charge")),
    "another id": does_it_but(lambda said: said.update(id="../../v1/accounts")),
    "no status": does_it_but(lambda said: said.pop("status")),
    "an unknown status": does_it_but(lambda said: said.update(status="perhaps")),
    "an amount that is text": does_it_but(lambda said: said.update(amount="1999")),
    "an amount below zero": does_it_but(lambda said: said.update(amount=-1)),
}


async def _asked(gateway: StripeGateway, kind: OperationKind) -> Question:
    if kind == AUTHORISE:
        return question()
    return question(kind, await (taken(gateway) if kind == REFUND else held(gateway)), 500)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
@pytest.mark.parametrize("kind", [*OperationKind])
async def test_not_knowing_is_never_a_refusal(
    gateway: StripeGateway, stripe: FakeStripe, kind: OperationKind, trouble: Trouble
) -> None:
    asked = await _asked(gateway, kind)
    asking = Asking(gateway, timedelta(minutes=1))

    with stripe.having(trouble):
        async with asyncio.timeout(20):
            with pytest.raises(Unanswered):
                await asking.ask(asked, "pm_card_visa")

    # Asked again with the same key it is done, once.
    assert isinstance(await asking.ask(asked, "pm_card_visa"), Done)
    assert len(stripe.refunds) == (kind == REFUND)
    assert len(stripe.intents) == 1


@pytest.mark.parametrize("trouble", ["500", "429", "404", "hangs up", "no JSON", "a list", "an object of nothing"])
@pytest.mark.parametrize("kind", [*OperationKind])
async def test_what_cannot_be_looked_up_is_not_taken_for_undone(
    gateway: StripeGateway, stripe: FakeStripe, kind: OperationKind, trouble: str
) -> None:
    asked = await _asked(gateway, kind)
    mood = {**TROUBLES, "404": says(404, {"error": {"code": "resource_missing"}})}[trouble]

    with stripe.having(mood), pytest.raises(Unanswered):
        await gateway.look_up(asked)


async def test_an_intent_of_another_amount_is_not_our_authorisation(gateway: StripeGateway, stripe: FakeStripe) -> None:
    with stripe.having(does_it_but(lambda said: said.update(amount=1))), pytest.raises(Unanswered):
        await gateway.authorise(question(), "pm_card_visa")


async def test_two_at_once_with_one_key_do_it_once(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asked = question()

    answers = await asyncio.gather(
        *(gateway.authorise(asked, "pm_card_visa") for _ in range(6)), return_exceptions=True
    )

    assert all(isinstance(each, Done | Unanswered) for each in answers)
    assert any(isinstance(each, Done) for each in answers)
    assert len(stripe.intents) == 1


async def test_while_stripe_is_down_it_is_not_asked_any_more(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asking = Asking(gateway, timedelta(seconds=2))
    calls = 0

    async def down(request: Any, do: Any) -> Any:
        nonlocal calls
        calls += 1
        return await says(503)(request, do)

    with stripe.having(down):
        for _ in range(20):
            with pytest.raises(Exception, match="does not answer at the moment"):
                await asking.ask(question(), "pm_card_visa")

    assert calls == 5


async def test_nothing_that_is_secret_or_a_customer_s_is_logged(gateway: StripeGateway, stripe: FakeStripe) -> None:
    said = {"error": {"type": "api_error", "message": "Ada's card 4242 says no."}}
    asking = Asking(gateway, timedelta(seconds=2))

    with capture_logs() as logs, stripe.having(says(500, said)), pytest.raises(Unanswered) as error:
        await asking.ask(question(), "pm_card_visa")

    for word in ("Ada", "4242", SECRET_KEY, "pm_card_visa"):
        assert word not in f"{logs} {error.value!r} {error.value.__cause__!r}"


@pytest.mark.parametrize(
    "url", ["http://api.stripe.com", "ftp://127.0.0.1", "//127.0.0.1", "http://127.0.0.1.example.org"]
)
def test_payments_are_sent_over_tls_only(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["https://api.stripe.com/", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"]
)
def test_unless_they_stay_on_this_machine(url: str) -> None:
    assert check_url(url) == url.rstrip("/")


@pytest.mark.parametrize("missing", ["stripe_key", "webhook_secret"])
def test_stripe_needs_its_secrets(missing: str) -> None:
    given = {"stripe_key": "sk", "webhook_secret": "whsec_x", missing: None}

    with pytest.raises(ValidationError, match="Stripe needs"):
        PaymentSettings.model_validate({"gateway": "stripe", **given})


def test_the_sandbox_needs_nothing_and_secrets_do_not_show() -> None:
    assert PaymentSettings().gateway == "sandbox"
    shown = repr(PaymentSettings.model_validate({"gateway": "stripe", "stripe_key": "sk", "webhook_secret": "whsec_x"}))
    assert "sk" not in shown.replace("stripe_key", "").replace("whsec", "")
    assert "whsec_x" not in shown


def test_a_lease_outlives_every_request() -> None:
    with pytest.raises(ValidationError, match="lease"):
        PaymentSettings.model_validate({"timeout": "PT20S", "lease": "PT20S"})
