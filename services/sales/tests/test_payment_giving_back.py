"""What is not wanted goes back, released or refunded, once; also when nobody knows yet what there is to give back."""

import asyncio

import pytest

from chassis.errors import Conflict
from chassis.ids import uuid7
from sales.payments.model import InvalidStatusTransition, MoreThanThereIs, NotWanted
from sales.payments.paying import GivenBack
from services.sales.tests.till import PRICE, Till


async def test_what_is_held_and_not_wanted_is_released(till: Till) -> None:
    held = await till.authorised()

    payment = await till.give_back(held)

    assert (payment.state, payment.voided, payment.open) == ("VOIDED", PRICE, 0)
    assert await till.called_back(held) == ["ended"]
    assert await till.order(held) is None
    assert await till.authorise(payment_id=held) == GivenBack(held)
    with pytest.raises(NotWanted):
        await till.payments.capture(held, "admin")
    await till.balances()


async def test_what_was_taken_and_is_not_wanted_any_more_is_refunded(till: Till) -> None:
    taken = await till.captured()

    payment = await till.give_back(taken)

    assert (payment.state, payment.refunded, payment.kept) == ("REFUNDED", PRICE, 0)
    assert await till.called_back(taken) == ["captured"]
    await till.balances()


async def test_given_back_many_times_at_once_it_is_given_back_once(till: Till, second_till: Till) -> None:
    taken = await till.captured()

    await asyncio.gather(*(each.give_back(taken) for _ in range(4) for each in (till, second_till)))
    await till.quiet()

    assert await till.state(taken) == "REFUNDED"
    assert [row for row in await till.ledger(taken) if row[0] == "refund"] == [("refund", PRICE, "done")]
    await till.balances()


@pytest.mark.parametrize("card", ["tok_timeout_after", "tok_timeout_before_1"])
async def test_what_is_not_known_and_not_wanted_is_given_back_as_soon_as_it_is_known(till: Till, card: str) -> None:
    unsure = await till.authorise(card)

    payment = await till.give_back(unsure.payment_id)
    assert (payment.state, payment.unwanted_at is not None) == ("UNKNOWN", True)
    assert await till.pursuit.take_up() > 0

    assert await till.state(unsure.payment_id) == ("VOIDED" if card == "tok_timeout_after" else "FAILED")
    assert await till.called_back(unsure.payment_id) == ["ended"]
    await till.balances()


async def test_a_late_success_of_an_attempt_that_was_undone_is_given_back(till: Till) -> None:
    attempt = uuid7()
    slow = asyncio.create_task(till.authorise("tok_slow", payment_id=attempt))
    await till.until("SELECT 1 FROM payments")

    await till.give_back(attempt)
    answer = await slow
    await till.quiet()

    assert answer == GivenBack(attempt)
    assert await till.state(attempt) in ("VOIDED", "FAILED")
    await till.balances()


async def test_an_attempt_that_is_undone_before_it_came_to_its_payment_is_never_paid(till: Till) -> None:
    attempt = uuid7()

    undone = await till.give_back(attempt)
    late = await till.authorise(payment_id=attempt)

    assert (undone.state, late) == ("FAILED", GivenBack(attempt))
    assert await till.ledger(attempt) == []
    assert await till.journal(attempt) == []


async def test_only_what_was_not_taken_is_voided(till: Till) -> None:
    held, taken = await till.authorised(), await till.captured()

    assert (await till.payments.void(held, "admin")).state == "VOIDED"
    assert (await till.payments.void(held, "admin")).state == "VOIDED"
    with pytest.raises(InvalidStatusTransition):
        await till.payments.void(taken, "admin")


async def test_a_void_that_is_refused_is_tried_again(till: Till) -> None:
    held = await till.authorised("tok_void_fails_2")

    assert (await till.give_back(held)).state == "AUTHORISED"
    await till.quiet()

    assert await till.state(held) == "VOIDED"
    await till.balances()


async def test_returns_are_refunded_in_part_once_each(till: Till, second_till: Till) -> None:
    taken = await till.captured()

    answers = await asyncio.gather(
        *(each.payments.refund(taken, 500, "return-1", "admin") for _ in range(3) for each in (till, second_till)),
        *(each.payments.refund(taken, 300, "return-2", "admin") for _ in range(3) for each in (till, second_till)),
    )
    await till.quiet()

    assert len({answer.id for answer in answers}) == 2
    payment = await till.payment(taken)
    assert (payment["state"], payment["refunded"], payment["kept"]) == ("CAPTURED", 800, PRICE - 800)
    await till.balances()


async def test_a_return_is_not_refunded_by_another_amount_the_second_time(till: Till) -> None:
    taken = await till.captured()
    await till.payments.refund(taken, 500, "return-1", "admin")

    with pytest.raises(Conflict):
        await till.payments.refund(taken, 501, "return-1", "admin")


async def test_returns_cannot_refund_more_than_was_taken(till: Till) -> None:
    taken = await till.captured("tok_ok", 1000)
    refunds = [till.payments.refund(taken, 400, f"return-{n}", "admin") for n in range(4)]

    results = await asyncio.gather(*refunds, return_exceptions=True)

    assert sum(isinstance(each, MoreThanThereIs) for each in results) == 2
    assert (await till.payment(taken))["refunded"] == 800
    await till.balances()


async def test_what_returns_have_left_is_given_back_with_the_rest(till: Till) -> None:
    taken = await till.captured()
    await till.payments.refund(taken, 500, "return-1", "admin")

    payment = await till.give_back(taken)

    assert (payment.state, payment.refunded) == ("REFUNDED", PRICE)
    assert [row[1] for row in await till.ledger(taken) if row[0] == "refund"] == [500, PRICE - 500]


@pytest.mark.parametrize("card", ["tok_refund_timeout_after", "tok_refund_timeout_before_2", "tok_refund_fails_2"])
async def test_a_refund_that_goes_wrong_at_first_reaches_the_customer_once(till: Till, card: str) -> None:
    taken = await till.captured(card)

    assert (await till.give_back(taken)).state == "REFUND_DUE"
    await till.quiet()

    assert await till.state(taken) == "REFUNDED"
    assert [row[2] for row in await till.ledger(taken) if row[0] == "refund"].count("done") == 1
    assert await till.told("payment.refund_delayed") == []
    await till.balances()


async def test_a_refund_that_stays_refused_is_for_a_person_and_its_customer_is_told_once(till: Till) -> None:
    taken = await till.captured("tok_refund_fails")

    await till.give_back(taken)
    await till.quiet()

    assert await till.state(taken) == "REFUND_DUE"
    refunds = (await till.journal(taken))[-3:]
    assert refunds == [("refund", 1, "refused"), ("refund", 2, "refused"), ("refund", 3, "manual")]
    [told] = await till.told("payment.refund_delayed")
    assert (told["payment_id"], told["amount"], told["reason"]) == (str(taken), "19.99", "rejected")
    await till.balances()


async def test_people_are_told_of_what_stays_unknown_and_it_is_looked_into_for_ever(till: Till) -> None:
    taken = await till.captured("tok_refund_timeout_before")

    await till.give_back(taken)
    for _ in range(6):
        await till.time_passes()

    assert len(await till.told("payment.refund_delayed")) == 1
    assert (await till.journal(taken))[-1] == ("refund", 1, "unknown")
    await till.balances()
