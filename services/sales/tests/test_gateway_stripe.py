"""Payments at Stripe: what is sent there, what its answers mean, and what became of what nobody heard of again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from contracts.sales.payments import OperationKind
from sales.payments.gateway import Done, Pending, Question, Reason, Refused, Unanswered, Unheard
from sales.payments.stripe import StripeGateway
from sales.payments.stripe_http import VERSION
from sales.payments.stripe_money import Unpayable, from_stripe, to_stripe
from services.sales.tests.fake_stripe import SECRET_KEY, FakeStripe, hangs_up, loses_the_answer

AUTHORISE, CAPTURE, VOID, REFUND = OperationKind
PAYMENT = UUID("0197a5c8-7d00-7000-8000-000000000031")


@pytest.fixture
async def stripe() -> AsyncIterator[FakeStripe]:
    fake = FakeStripe()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def gateway(stripe: FakeStripe) -> AsyncIterator[StripeGateway]:
    one = StripeGateway(stripe.url, SecretStr(SECRET_KEY), timeout=timedelta(seconds=20))
    yield one
    await one.close()


def question(kind: OperationKind = AUTHORISE, reference: str | None = None, amount: int = 1999) -> Question:
    return Question(uuid4(), kind, PAYMENT, amount, "USD", reference, datetime.now(UTC))


async def held(gateway: StripeGateway, amount: int = 1999) -> str:
    answer = await gateway.authorise(question(amount=amount), "pm_card_visa")
    assert isinstance(answer, Done)
    return answer.reference


async def taken(gateway: StripeGateway, amount: int = 1999) -> str:
    reference = await held(gateway, amount)
    assert isinstance(await gateway.capture(question(CAPTURE, reference, amount)), Done)
    return reference


async def test_an_authorisation_is_sent_as_stripe_wants_it(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asked = question()

    answer = await gateway.authorise(asked, "pm_card_visa")

    assert answer == Done("pi_0")
    [(method, path, form, headers)] = stripe.requests
    assert (method, path) == ("POST", "/v1/payment_intents")
    assert form == {
        "amount": "1999",
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "payment_method_types[]": "card",
        "capture_method": "manual",
        "confirm": "true",
        "error_on_requires_action": "true",
        "metadata[payment_id]": str(PAYMENT),
        "metadata[operation]": str(asked.key),
    }
    assert headers["Idempotency-Key"] == str(asked.key)
    assert headers["Stripe-Version"] == VERSION
    assert headers["Authorization"] == f"Bearer {SECRET_KEY}"


async def test_money_is_held_taken_and_given_back_in_parts(gateway: StripeGateway, stripe: FakeStripe) -> None:
    reference = await held(gateway)

    assert await gateway.capture(question(CAPTURE, reference, 1500)) == Done(reference, 1500)
    assert await gateway.refund(question(REFUND, reference, 500)) == Done("re_0")
    assert await gateway.refund(question(REFUND, reference, 1000)) == Done("re_1")
    assert await gateway.refund(question(REFUND, reference, 1)) == Refused(Reason.REJECTED)
    assert [(each["amount"], each["payment_intent"]) for each in stripe.refunds.values()] == [
        (500, reference),
        (1000, reference),
    ]


async def test_what_is_held_is_released(gateway: StripeGateway, stripe: FakeStripe) -> None:
    reference = await held(gateway)

    assert await gateway.void(question(VOID, reference)) == Done(reference)
    assert stripe.intents[reference]["status"] == "canceled"


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("pm_declined", Reason.DECLINED),
        ("pm_insufficient", Reason.INSUFFICIENT_FUNDS),
        ("pm_needs_customer", Reason.NEEDS_CUSTOMER),
        ("no_such_card", Reason.REJECTED),
    ],
)
async def test_what_stripe_refuses_is_refused_in_our_words(gateway: StripeGateway, card: str, reason: Reason) -> None:
    asked = question()

    assert await gateway.authorise(asked, card) == await gateway.authorise(asked, card) == Refused(reason)


async def test_the_same_key_does_it_once(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asked = question()
    reference = (await held(gateway), await gateway.authorise(asked, "pm_a"), await gateway.authorise(asked, "pm_a"))
    refund = question(REFUND, await taken(gateway), 500)

    assert reference[1] == reference[2]
    assert await gateway.refund(refund) == await gateway.refund(refund)
    assert (len(stripe.intents), len(stripe.refunds)) == (3, 1)


async def test_a_key_that_was_used_for_something_else_says_nothing_of_this(gateway: StripeGateway) -> None:
    asked = question()
    await gateway.authorise(asked, "pm_a")

    with pytest.raises(Unanswered):
        await gateway.authorise(asked, "pm_b")


async def test_whoever_was_faster_decides(gateway: StripeGateway) -> None:
    captured, voided = await taken(gateway), await held(gateway)
    await gateway.void(question(VOID, voided))

    assert await gateway.capture(question(CAPTURE, captured)) == Refused(Reason.CAPTURED_ALREADY)
    assert await gateway.void(question(VOID, captured)) == Refused(Reason.CAPTURED_ALREADY)
    assert await gateway.capture(question(CAPTURE, voided)) == Refused(Reason.VOIDED_ALREADY)
    assert await gateway.void(question(VOID, voided)) == Refused(Reason.VOIDED_ALREADY)


async def test_an_authorisation_is_found_by_its_key(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asked, declined = question(), question()
    assert await gateway.look_up(asked) == Unheard()
    with stripe.having(loses_the_answer), pytest.raises(Unanswered):
        await gateway.authorise(asked, "pm_card_visa")
    await gateway.authorise(declined, "pm_insufficient")

    assert await gateway.look_up(asked) == Done("pi_0")
    assert await gateway.look_up(declined) == Refused(Reason.INSUFFICIENT_FUNDS)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("processing", Pending()),
        ("requires_confirmation", Pending()),
        ("requires_action", Refused(Reason.NEEDS_CUSTOMER)),
        ("succeeded", Done("pi_0")),
        ("canceled", Refused(Reason.VOIDED_ALREADY)),
    ],
)
async def test_what_an_intent_is_says_what_became_of_its_authorisation(
    gateway: StripeGateway, stripe: FakeStripe, status: str, found: object
) -> None:
    asked = question()
    await gateway.authorise(asked, "pm_card_visa")
    stripe.intents["pi_0"]["status"] = status

    assert await gateway.look_up(asked) == found


async def test_a_status_that_nobody_knows_is_no_answer(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asked = question()
    reference = (await gateway.authorise(asked, "pm_card_visa"), "pi_0")[1]
    stripe.intents["pi_0"]["status"] = "on_the_moon"

    for lost in (asked, question(CAPTURE, reference), question(VOID, reference)):
        with pytest.raises(Unanswered):
            await gateway.look_up(lost)


async def test_a_capture_and_a_void_are_found(gateway: StripeGateway) -> None:
    captured, voided, open = await taken(gateway), await held(gateway), await held(gateway)
    await gateway.void(question(VOID, voided))

    assert await gateway.look_up(question(CAPTURE, captured)) == Done(captured, 1999)
    assert await gateway.look_up(question(VOID, captured)) == Refused(Reason.CAPTURED_ALREADY)
    assert await gateway.look_up(question(CAPTURE, voided)) == Refused(Reason.VOIDED_ALREADY)
    assert await gateway.look_up(question(VOID, voided)) == Done(voided)
    assert await gateway.look_up(question(CAPTURE, open)) == await gateway.look_up(question(VOID, open)) == Unheard()


async def test_a_refund_is_found_on_whichever_page(gateway: StripeGateway, stripe: FakeStripe) -> None:
    reference = await taken(gateway)
    asked = [question(REFUND, reference, 100) for _ in range(5)]
    for each in asked:
        await gateway.refund(each)
    stripe.refunds["re_1"]["status"] = "pending"
    stripe.refunds["re_2"]["status"] = "failed"

    found = [await gateway.look_up(each) for each in asked]

    assert found == [Done("re_0"), Pending(), Refused(Reason.REJECTED), Done("re_3"), Done("re_4")]
    assert await gateway.look_up(question(REFUND, reference, 100)) == Unheard()


async def test_what_is_forestalled_cannot_happen_any_more(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asked = question()

    assert await gateway.forestall(asked) == Refused(Reason.NEVER_ASKED)
    assert await gateway.forestall(asked) == Refused(Reason.NEVER_ASKED)

    with pytest.raises(Unanswered):
        await gateway.authorise(asked, "pm_card_visa")
    assert [each["status"] for each in stripe.intents.values()] == ["canceled"]
    assert await gateway.look_up(asked) == Refused(Reason.NEVER_ASKED)


async def test_forestalling_comes_too_late_for_what_has_happened(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asked = question()
    await gateway.authorise(asked, "pm_card_visa")
    stripe.is_indexed = False
    assert await gateway.look_up(asked) == Unheard()

    assert await gateway.forestall(asked) == Pending()
    stripe.is_indexed = True
    assert await gateway.forestall(asked) == Done("pi_0")
    assert stripe.intents["pi_0"]["status"] == "requires_capture"


async def test_forestalling_that_breaks_off_is_repeated(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asked = question()
    with stripe.having(loses_the_answer), pytest.raises(Unanswered):
        await gateway.forestall(asked)

    assert await gateway.look_up(asked) == Refused(Reason.NEVER_ASKED)
    assert await gateway.forestall(asked) == Refused(Reason.NEVER_ASKED)


async def test_a_key_that_stripe_may_have_forgotten_is_not_used_any_more(
    gateway: StripeGateway, stripe: FakeStripe
) -> None:
    asked = question()
    await gateway.authorise(asked, "pm_card_visa")
    stripe.forget_keys()
    old = replace(asked, asked_at=datetime.now(UTC) - timedelta(hours=24))
    lost = replace(old, key=uuid4())

    with pytest.raises(Unanswered):
        await gateway.authorise(old, "pm_card_visa")
    assert await gateway.forestall(old) == Done("pi_0")
    assert await gateway.forestall(lost) == Refused(Reason.NEVER_ASKED)
    assert len(stripe.intents) == 1


async def test_an_authorisation_that_did_not_arrive_is_unheard_of(gateway: StripeGateway, stripe: FakeStripe) -> None:
    asked = question()
    with stripe.having(hangs_up), pytest.raises(Unanswered):
        await gateway.authorise(asked, "pm_card_visa")

    assert await gateway.look_up(asked) == Unheard()


@pytest.mark.parametrize(
    ("currency", "amount", "theirs"),
    [
        ("USD", 1999, 1999),
        ("JPY", 50000, 500),
        ("KRW", 100, 1),
        ("KWD", 512, 5120),
        ("ISK", 500, 500),
        ("HUF", 1045, 1045),
    ],
)
async def test_amounts_are_counted_as_stripe_counts_them(
    gateway: StripeGateway, stripe: FakeStripe, currency: str, amount: int, theirs: int
) -> None:
    assert to_stripe(amount, currency) == theirs
    assert from_stripe(theirs, currency.lower()) == amount

    large = replace(question(amount=amount * 100), currency=currency)
    assert await gateway.authorise(large, "pm_card_visa") == Done("pi_0")
    assert stripe.intents["pi_0"]["amount"] == theirs * 100
    captured = replace(question(CAPTURE, "pi_0", amount * 100), currency=currency)
    assert await gateway.capture(captured) == Done("pi_0", amount * 100)


@pytest.mark.parametrize(("currency", "amount"), [("JPY", 1999), ("ISK", 550), ("UGX", 50000)])
async def test_amounts_that_do_not_exist_there_are_not_asked_for(
    gateway: StripeGateway, stripe: FakeStripe, currency: str, amount: int
) -> None:
    with pytest.raises(Unpayable):
        to_stripe(amount, currency)

    for kind in (CAPTURE, REFUND):
        asked = replace(question(kind, "pi_0", amount), currency=currency)
        assert await getattr(gateway, kind.value)(asked) == Refused(Reason.REJECTED)
    asked = replace(question(amount=amount), currency=currency)
    assert await gateway.authorise(asked, "pm_card_visa") == Refused(Reason.REJECTED)
    assert await gateway.forestall(asked) == Refused(Reason.NEVER_ASKED)
    assert stripe.requests == []
