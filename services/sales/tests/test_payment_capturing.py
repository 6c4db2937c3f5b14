"""Money is taken once; what the gateway refuses is tried again, and what is not wanted is not asked for any more."""

from typing import Any

import pytest

from chassis.ids import uuid7
from contracts.sales.payments import OperationKind
from sales.payments.model import NotWanted
from services.sales.tests.till import PRICE, Till


async def test_a_capture_that_is_refused_is_tried_again_with_a_key_of_its_own_and_admins_are_told_once(
    till: Till,
) -> None:
    held, order_id = await till.authorised("tok_capture_fails_3"), uuid7()
    await till.order(held, order_id)

    payment = await till.payments.capture(held, "grace")
    assert (payment.state, payment.open) == ("CAPTURING", PRICE)
    assert await till.pursuit.take_up() == 0
    await till.quiet()

    assert await till.state(held) == "CAPTURED"
    captures = [("capture", number, "refused" if number < 4 else "done") for number in (1, 2, 3, 4)]
    assert await till.journal(held) == [("authorise", 1, "done"), *captures]
    [told] = await till.told("payment.capture_failed")
    assert (told["payment_id"], told["order_id"], told["amount"]) == (str(held), str(order_id), "19.99")
    assert (told["customer_id"], told["reason"]) == ("grace", "declined")
    assert await till.called_back(held) == ["captured"]
    await till.balances()


async def test_the_pauses_between_tries_grow(till: Till) -> None:
    held = await till.authorised("tok_capture_fails")
    await till.payments.capture(held, "admin")

    for _ in range(3):
        await till.time_passes()

    pauses = await till.rows(
        "SELECT next_try_at - updated_at AS pause FROM payment_operations WHERE kind = 'capture' AND state = 'refused'"
        " AND next_try_at IS NOT NULL"
    )
    assert [row["pause"].total_seconds() for row in pauses] == [40]


async def test_an_admin_need_not_wait_for_the_next_try(till: Till) -> None:
    held = await till.authorised("tok_capture_fails_1")
    assert (await till.payments.capture(held, "admin")).state == "CAPTURING"

    assert (await till.payments.capture(held, "admin")).state == "CAPTURED"

    await till.quiet()
    assert await till.ledger(held) == [
        ("authorise", PRICE, "done"),
        ("capture", PRICE, "refused"),
        ("capture", PRICE, "done"),
    ]
    await till.balances()


async def test_a_payment_whose_capture_fails_can_still_be_given_back(till: Till) -> None:
    held = await till.authorised("tok_capture_fails")
    await till.payments.capture(held, "admin")

    payment = await till.give_back(held)
    await till.quiet()

    assert payment.state == "VOIDED"
    assert [row for row in await till.ledger(held) if row[0] == "capture"] == [("capture", PRICE, "refused")]
    await till.balances()


@pytest.mark.parametrize(
    ("card", "state"), [("tok_capture_timeout_after", "REFUNDED"), ("tok_capture_timeout_before_1", "VOIDED")]
)
async def test_a_capture_that_is_not_known_is_given_back_as_what_it_turns_out_to_be(
    till: Till, card: str, state: str
) -> None:
    held = await till.authorised(card)
    assert (await till.payments.capture(held, "admin")).state == "CAPTURING"

    assert (await till.give_back(held)).state == "CAPTURING"
    await till.quiet()

    assert await till.state(held) == state
    assert await till.called_back(held) == ([] if state == "REFUNDED" else ["ended"])
    await till.balances()


async def test_a_capture_that_arrives_after_it_was_given_up_is_refunded(till: Till) -> None:
    held = await till.authorised("tok_capture_timeout_before_1")
    await till.payments.capture(held, "admin")
    [late] = await till.rows("SELECT * FROM payment_operations WHERE kind = 'capture'")
    till.pursuit._asking.look_up = _unheard_until_now(till, late)  # type: ignore[method-assign]

    await till.give_back(held)
    await till.quiet()

    assert await till.state(held) == "REFUNDED"
    assert await till.called_back(held) == []
    await till.balances()


async def test_what_somebody_captured_there_after_ours_was_given_up_is_theirs_and_refunded(till: Till) -> None:
    held = await till.authorised("tok_capture_timeout_before_1")
    await till.payments.capture(held, "admin")
    await till.by_hand(held, OperationKind.CAPTURE)

    await till.give_back(held)
    await till.quiet()

    assert await till.state(held) == "REFUNDED"
    captures = await till.rows("SELECT asked_by, state FROM payment_operations WHERE kind = 'capture' ORDER BY state")
    assert [(each["asked_by"], each["state"]) for each in captures] == [
        ("gateway:sandbox", "done"),
        ("admin", "refused"),
    ]
    await till.balances()


async def test_a_capture_of_what_is_to_be_given_back_is_not_asked_for_again(till: Till) -> None:
    held = await till.authorised("tok_capture_timeout_before_1")
    await till.payments.capture(held, "admin")
    await till.give_back(held)

    with pytest.raises(NotWanted):
        await till.payments.capture(held, "admin")

    assert await till.ledger(held) == [("authorise", PRICE, "done")]


async def test_captured_in_part_the_rest_is_released(till: Till) -> None:
    held = await till.authorised()

    payment = await till.payments.capture(held, "admin", amount=500)

    assert (payment.state, payment.captured, payment.voided, payment.open) == ("CAPTURED", 500, PRICE - 500, 0)
    await till.balances()


async def test_captured_already_it_is_not_captured_again(till: Till) -> None:
    taken = await till.captured()

    assert (await till.payments.capture(taken, "admin")).state == "CAPTURED"
    assert len(await till.ledger(taken)) == 2


def _unheard_until_now(till: Till, late: dict[str, Any]) -> Any:
    """The gateway is asked, knows of nothing, and then the request arrives after all."""
    look_up, arrived = till.pursuit._asking.look_up, False

    async def unheard(question: Any) -> Any:
        nonlocal arrived
        found = await look_up(question)
        if question.kind == OperationKind.CAPTURE and not arrived:
            arrived = True
            await till.gateway.capture(question)
        return found

    return unheard
