"""The life of a payment: every step that the table does not name is refused, and its amounts always add up."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product as pairs

import pytest

from chassis.ids import uuid7
from contracts.sales.payments import PaymentState
from sales.payments.model import NEXT, InvalidStatusTransition, MoreThanThereIs, NotWanted, Payment

AUTHORISING, UNKNOWN, AUTHORISED, CAPTURING, CAPTURED, VOIDED, REFUND_DUE, REFUNDED, FAILED = PaymentState
LIFE = {
    (AUTHORISING, AUTHORISED),
    (AUTHORISING, UNKNOWN),
    (AUTHORISING, FAILED),
    (UNKNOWN, AUTHORISING),
    (UNKNOWN, AUTHORISED),
    (UNKNOWN, FAILED),
    (FAILED, AUTHORISED),
    (AUTHORISED, CAPTURING),
    (AUTHORISED, CAPTURED),
    (AUTHORISED, VOIDED),
    (CAPTURING, AUTHORISED),
    (CAPTURING, CAPTURED),
    (CAPTURING, VOIDED),
    (CAPTURED, REFUND_DUE),
    (CAPTURED, REFUNDED),
    (REFUND_DUE, CAPTURED),
    (REFUND_DUE, REFUNDED),
    (REFUNDED, REFUND_DUE),
}
NOW = datetime(2026, 1, 15, 14, 30, tzinfo=UTC)
LATER = datetime(2026, 1, 15, 14, 31, tzinfo=UTC)


def a_payment(state: PaymentState = AUTHORISING, amount: int = 1000) -> Payment:
    """As it is in this state."""
    payment = Payment(uuid7(), "grace", "sandbox", "USD", amount, state, NOW, NOW)
    if state in (AUTHORISED, CAPTURING, CAPTURED, VOIDED, REFUND_DUE, REFUNDED):
        payment.authorised = amount
    if state in (AUTHORISED, CAPTURING):
        payment.open = amount
    if state == VOIDED:
        payment.voided = amount
    if state in (CAPTURED, REFUND_DUE, REFUNDED):
        payment.captured = amount
        payment.kept = 0 if state == REFUNDED else amount
        payment.refunded = amount - payment.kept
    if state == REFUND_DUE:
        payment.refunding = amount
    return payment


def adds_up(payment: Payment) -> bool:
    return (
        payment.authorised == payment.captured + payment.voided + payment.open
        and payment.captured == payment.refunded + payment.kept
        and 0 <= payment.refunding <= payment.kept
    )


STEPS: dict[str, tuple[Callable[[Payment], None], set[PaymentState]]] = {
    "ask again": (lambda payment: payment.ask_again(LATER), {UNKNOWN}),
    "doubt": (lambda payment: payment.doubt(LATER), {AUTHORISING}),
    "fail": (lambda payment: payment.fail(LATER), {AUTHORISING, UNKNOWN}),
    "authorise": (lambda payment: payment.authorise("ref", LATER), {AUTHORISING, UNKNOWN, FAILED}),
    "begin capture": (lambda payment: payment.begin_capture(LATER), {AUTHORISED}),
    "stop capture": (lambda payment: payment.stop_capture(LATER), {CAPTURING}),
    "capture": (lambda payment: payment.capture(1000, LATER), {AUTHORISED, CAPTURING}),
    "void": (lambda payment: payment.void(LATER), {AUTHORISED, CAPTURING}),
    "owe": (lambda payment: payment.owe(1000, LATER), {CAPTURED}),
    "refund": (lambda payment: payment.refund(1000, LATER), {REFUND_DUE}),
    "take refund back": (lambda payment: payment.take_refund_back(1000, LATER), {REFUNDED}),
}


def test_the_table_is_the_one_of_the_design() -> None:
    assert {(now, then) for now, following in NEXT.items() for then in following} == LIFE
    assert set(NEXT) == set(PaymentState)


@pytest.mark.parametrize(("now", "then"), [*pairs(PaymentState, PaymentState)])
def test_a_payment_becomes_only_what_the_table_allows(now: PaymentState, then: PaymentState) -> None:
    payment = a_payment(now)

    if (now, then) in LIFE:
        payment._become(then, LATER)
        assert (payment.state, payment.updated_at) == (then, LATER)
    else:
        with pytest.raises(InvalidStatusTransition, match=f"A payment that is {now} cannot become {then}."):
            payment._become(then, LATER)
        assert (payment.state, payment.updated_at) == (now, NOW)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("now", [*PaymentState])
def test_each_step_is_taken_from_some_states_and_refused_from_all_others(name: str, now: PaymentState) -> None:
    step, possible = STEPS[name]
    payment = a_payment(now)

    if now in possible:
        step(payment)
        assert payment.state != now
        assert adds_up(payment)
    else:
        with pytest.raises((InvalidStatusTransition, MoreThanThereIs)):
            step(payment)
        assert payment == a_payment_like(payment, now)


def a_payment_like(payment: Payment, state: PaymentState) -> Payment:
    same = a_payment(state)
    same.id = payment.id
    return same


def test_what_is_not_captured_of_an_authorisation_is_released() -> None:
    payment = a_payment(CAPTURING)

    payment.capture(400, LATER)

    assert (payment.captured, payment.voided, payment.open, payment.kept) == (400, 600, 0, 400)


@pytest.mark.parametrize("amount", [0, -1, 1001])
def test_not_more_is_captured_than_was_authorised(amount: int) -> None:
    payment = a_payment(CAPTURING)

    with pytest.raises(MoreThanThereIs):
        payment.capture(amount, LATER)
    assert payment == a_payment_like(payment, CAPTURING)


def test_parts_are_refunded_until_nothing_is_left() -> None:
    payment = a_payment(CAPTURED)

    payment.owe(300, LATER)
    payment.owe(200, LATER)
    assert (payment.state, payment.refunding, payment.refundable) == (REFUND_DUE, 500, 500)
    payment.refund(300, LATER)
    assert (payment.state, payment.refunded, payment.kept) == (REFUND_DUE, 300, 700)
    payment.refund(200, LATER)
    assert (payment.state, payment.refunded, payment.kept) == (CAPTURED, 500, 500)
    payment.owe(500, LATER)
    payment.refund(500, LATER)
    assert (payment.state, payment.refunded, payment.kept, payment.refunding) == (REFUNDED, 1000, 0, 0)


@pytest.mark.parametrize("amount", [0, -1, 701])
def test_not_more_is_owed_than_is_left(amount: int) -> None:
    payment = a_payment(CAPTURED)
    payment.owe(300, LATER)

    with pytest.raises(MoreThanThereIs):
        payment.owe(amount, LATER)
    assert payment.refunding == 300


@pytest.mark.parametrize("amount", [0, -1, 301])
def test_not_more_is_refunded_than_was_owed(amount: int) -> None:
    payment = a_payment(CAPTURED)
    payment.owe(300, LATER)

    with pytest.raises(MoreThanThereIs):
        payment.refund(amount, LATER)
    assert (payment.refunded, payment.refunding) == (0, 300)


@pytest.mark.parametrize("amount", [0, -1, 1001])
def test_not_more_comes_back_than_was_refunded(amount: int) -> None:
    payment = a_payment(REFUNDED)

    with pytest.raises(MoreThanThereIs):
        payment.take_refund_back(amount, LATER)


def test_a_payment_that_nobody_wants_is_not_captured() -> None:
    payment = a_payment(AUTHORISED)
    payment.give_up(NOW)

    with pytest.raises(NotWanted):
        payment.begin_capture(LATER)


def test_a_success_that_comes_after_the_failure_is_not_wanted_from_its_first_moment() -> None:
    payment = a_payment(FAILED)

    payment.authorise("ref", LATER)

    assert (payment.state, payment.unwanted_at, payment.open) == (AUTHORISED, LATER, 1000)


def test_given_up_twice_it_is_unwanted_since_the_first_time() -> None:
    payment = a_payment(AUTHORISED)
    payment.give_up(NOW)
    payment.give_up(LATER)

    assert payment.unwanted_at == NOW
