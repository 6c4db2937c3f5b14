"""Money is held for an attempt once, whoever asks how often, and its order is paid whatever becomes of us."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from chassis.errors import NotFound
from chassis.ids import uuid7
from chassis.steps import record
from sales.payments.model import PaymentMismatch
from sales.payments.paying import Authorised, Charge, Declined, Unsure
from services.sales.tests.till import PRICE, Till


async def test_money_is_held_and_then_taken(till: Till) -> None:
    held = await till.authorise()
    order_id = uuid7()
    assert isinstance(held, Authorised)

    await till.order(held.payment_id, order_id)
    payment = await till.payments.capture(held.payment_id, "grace")

    assert (payment.state, payment.order_id, payment.captured, payment.kept) == ("CAPTURED", order_id, PRICE, PRICE)
    assert await till.ledger(held.payment_id) == [("authorise", PRICE, "done"), ("capture", PRICE, "done")]
    assert await till.called_back(held.payment_id) == ["captured"]
    await till.balances()


@pytest.mark.parametrize(
    ("card", "reason"),
    [("tok_decline", "declined"), ("tok_insufficient_funds", "insufficient_funds"), ("tok_nonsense", "rejected")],
)
async def test_a_card_that_is_declined_stays_declined_for_this_attempt(till: Till, card: str, reason: str) -> None:
    attempt = uuid7()

    first = await till.authorise(card, payment_id=attempt)
    again = await till.authorise(card, payment_id=attempt)

    assert first == again == Declined(attempt, reason)
    assert await till.state(attempt) == "FAILED"
    assert await till.called_back(attempt) == ["ended"]
    assert await till.ledger(attempt) == [("authorise", PRICE, "refused")]
    assert await till.order(attempt) is None
    await till.balances()


async def test_the_same_attempt_asks_with_the_same_key_and_holds_the_money_once(till: Till, second_till: Till) -> None:
    attempt = uuid7()

    answers = await asyncio.gather(
        *(each.authorise(payment_id=attempt) for _ in range(4) for each in (till, second_till))
    )
    await till.quiet()

    assert {answer.payment_id for answer in answers} == {attempt}
    assert await till.authorise(payment_id=attempt) == Authorised(attempt, (await till.payment(attempt))["reference"])
    assert await till.ledger(attempt) == [("authorise", PRICE, "done")]
    assert len(await till.rows("SELECT 1 FROM audit_log WHERE action = 'payment.authorised'")) == 1
    await till.balances()


@pytest.mark.parametrize("other", [{"amount": PRICE + 1}, {"customer_id": "ada"}, {"currency": "EUR"}])
async def test_the_same_attempt_cannot_pay_something_else(till: Till, other: dict[str, Any]) -> None:
    attempt = await till.authorised()
    charge: dict[str, Any] = {"id": attempt, "customer_id": "grace", "amount": PRICE, "currency": "USD"}

    with pytest.raises(PaymentMismatch):
        await till.payments.authorise(Charge(**{**charge, **other}), "tok_ok")


async def test_an_answer_that_was_lost_is_got_by_asking_again(till: Till) -> None:
    attempt = uuid7()

    first = await till.authorise("tok_timeout_after", payment_id=attempt)
    assert (first, await till.state(attempt)) == (Unsure(attempt), "UNKNOWN")
    again = await till.authorise("tok_timeout_after", payment_id=attempt)

    assert isinstance(again, Authorised)
    assert await till.ledger(attempt) == [("authorise", PRICE, "done")]
    await till.balances()


async def test_an_answer_that_was_lost_is_found_by_the_job(till: Till) -> None:
    unsure = await till.authorise("tok_timeout_after")

    assert await till.pursuit.take_up() == 0
    await till.time_passes()

    assert await till.state(unsure.payment_id) == "AUTHORISED"
    await till.balances()


async def test_what_never_arrived_is_asked_again_by_the_customer_and_held(till: Till) -> None:
    attempt = uuid7()

    assert isinstance(await till.authorise("tok_timeout_before_1", payment_id=attempt), Unsure)
    assert await till.ledger(attempt) == []

    assert isinstance(await till.authorise("tok_timeout_before_1", payment_id=attempt), Authorised)


@pytest.mark.rule("BR-PAY-001")
async def test_what_never_arrived_and_is_not_asked_again_cannot_happen_any_more(till: Till) -> None:
    unsure = await till.authorise("tok_timeout_before_1")

    await till.quiet()
    late = await till.authorise("tok_timeout_before_1", payment_id=unsure.payment_id)

    assert await till.state(unsure.payment_id) == "FAILED"
    assert late == Declined(unsure.payment_id, "never_asked")
    assert await till.ledger(unsure.payment_id) == [("authorise", PRICE, "forestalled")]
    assert await till.called_back(unsure.payment_id) == ["ended"]
    await till.balances()


async def test_a_gateway_that_is_slow_is_not_waited_for_for_ever(database_url: str) -> None:
    till = Till(database_url, timeout=0.1)

    unsure = await till.authorise("tok_slow")
    await till.quiet()

    assert isinstance(unsure, Unsure)
    assert await till.state(unsure.payment_id) == "AUTHORISED"
    await till.close()


async def test_an_order_that_stands_is_paid_although_nobody_asks_for_it_any_more(till: Till) -> None:
    held = await till.authorised()
    await till.order(held)

    assert await till.state(held) == "CAPTURING"
    await till.quiet()

    assert await till.state(held) == "CAPTURED"
    assert await till.called_back(held) == ["captured"]
    await till.balances()


async def test_where_admins_capture_an_order_waits_for_one(database_url: str) -> None:
    till = Till(database_url, automatic=False)
    held = await till.authorised()
    await till.order(held)

    await till.quiet()
    assert await till.state(held) == "AUTHORISED"
    assert (await till.payments.capture(held, "admin")).state == "CAPTURED"
    await till.close()


async def test_an_order_is_written_again_only_for_its_own_payment(till: Till) -> None:
    held, order_id = await till.authorised(), uuid7()

    assert await till.order(held, order_id) is not None
    assert await till.order(held, order_id) is not None
    assert await till.order(held, uuid7()) is None
    assert (await till.payment(held))["order_id"] == order_id


async def test_the_steps_are_those_of_the_sequences(till: Till) -> None:
    with record() as recording:
        taken = await till.captured()
        await till.give_back(taken)

    named = [(step.participant, step.action) for step in recording.steps if step.participant == "PaymentService"]
    assert named == [
        ("PaymentService", "processPayment"),
        ("PaymentService", "capturePayment"),
        ("PaymentService", "processRefund"),
    ]


async def test_everything_is_audited_and_no_card_is_anywhere(till: Till) -> None:
    card = "tok_timeout_after__capture_fails_1__refund_fails"
    attempt = (await till.authorise(card)).payment_id
    await till.quiet()
    await till.payments.capture(attempt, "admin")
    await till.quiet()
    await till.give_back(attempt)
    await till.quiet()

    audited = await till.rows("SELECT action, actor FROM audit_log WHERE actor <> 'callback' ORDER BY id")
    assert [(row["action"].removeprefix("payment."), row["actor"]) for row in audited] == [
        ("authorising", "grace"),
        ("unknown", "grace"),
        ("authorised", "grace"),
        ("capturing", "admin"),
        ("captured", "admin"),
        ("refund_due", "job"),
    ]
    for table in ("audit_log", "outbox", "payments", "payment_operations"):
        assert not [row for row in await till.rows(f"SELECT * FROM {table}") if "tok_" in str(row)]


@pytest.mark.parametrize("journey", ["capture", "void", "refund"])
async def test_what_does_not_exist_is_not_found(till: Till, journey: str) -> None:
    more = (100, "return-1") if journey == "refund" else ()

    with pytest.raises(NotFound):
        await getattr(till.payments, journey)(uuid4(), *more, "admin")
