"""Two at once, on connections of their own: one wins, the other sees it, and the tables refuse what cannot be."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis.errors import Refused
from chassis.failpoints import arm, disarm
from chassis.ids import uuid7
from contracts.sales.payments import OperationKind
from services.sales.tests.till import PRICE, Till

CAPTURE, VOID, REFUND = OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND


async def together(*work: Any) -> list[Any]:
    """What each of them gives, a refusal being an answer, too."""
    results = await asyncio.gather(*work, return_exceptions=True)
    assert all(isinstance(each, Refused) or not isinstance(each, BaseException) for each in results), results
    return results


@pytest.fixture(autouse=True)
def disarmed() -> Any:
    yield
    disarm()


async def test_a_capture_and_a_cancellation_at_once_end_in_one_of_two_ways(till: Till, second_till: Till) -> None:
    for _ in range(8):
        held = await till.authorised()
        await together(till.payments.capture(held, "admin"), second_till.give_back(held))
        await till.quiet()

        assert await till.state(held) in ("VOIDED", "REFUNDED")
        await till.balances()


async def test_a_capture_a_void_and_a_report_at_once_are_booked_once(till: Till, second_till: Till) -> None:
    for kind in (CAPTURE, VOID) * 3:
        held = await till.authorised()
        event = await till.by_hand(held, kind)
        await together(
            till.payments.capture(held, "admin"),
            second_till.payments.void(held, "admin"),
            second_till.hear(event, f"evt_{held}"),
        )
        await till.quiet()

        assert await till.state(held) in ("VOIDED", "REFUNDED", "CAPTURED")
        await till.balances()


async def test_two_replicas_share_the_work_and_none_is_done_twice(till: Till, second_till: Till) -> None:
    held = [await till.authorised("tok_capture_timeout_before_1") for _ in range(12)]
    for each in held:
        await till.payments.capture(each, "admin")
    await till.rows("UPDATE payment_operations SET next_try_at = now() WHERE next_try_at IS NOT NULL RETURNING 1")

    taken = await asyncio.gather(till.pursuit.take_up(), second_till.pursuit.take_up())

    assert sum(taken) == 12
    await till.quiet()
    assert {await till.state(each) for each in held} == {"CAPTURED"}
    assert await till.count("sandbox_operations") == 24
    await till.balances()


async def test_what_a_replica_has_claimed_another_one_leaves_to_it(till: Till, second_till: Till) -> None:
    unsure = await till.authorise("tok_timeout_after")
    arm("test", "sales.payment.authorise.answered=sleep:0.3")

    first = asyncio.create_task(till.time_passes())
    await till.until("SELECT 1 FROM payment_operations WHERE next_try_at > now() + interval '25 seconds'")
    assert await second_till.pursuit.take_up() == 0

    assert await first == 1
    assert await till.state(unsure.payment_id) == "AUTHORISED"


async def test_a_replica_does_not_wait_for_what_another_one_is_about_to_claim(till: Till, second_till: Till) -> None:
    held = [await till.authorised("tok_capture_timeout_after") for _ in range(2)]
    for each in held:
        await till.payments.capture(each, "admin")
    await till.rows("UPDATE payment_operations SET next_try_at = now() WHERE next_try_at IS NOT NULL RETURNING 1")
    locked = text("SELECT 1 FROM payment_operations WHERE payment_id = :id AND kind = 'capture' FOR UPDATE")

    async with till.database.begin() as session:
        await session.execute(locked, {"id": held[0]})
        assert await second_till.pursuit.take_up() == 1

    assert [await till.state(each) for each in held] == ["CAPTURING", "CAPTURED"]


async def test_who_has_heard_nothing_does_not_unsettle_what_another_has_heard(till: Till, second_till: Till) -> None:
    held = await till.authorised("tok_capture_timeout_after")
    arm("test", "sales.payment.capture.answered=sleep:0.5*1")

    unanswered = asyncio.create_task(till.payments.capture(held, "admin"))
    await till.until("SELECT 1 FROM sandbox_operations WHERE kind = 'capture'")
    await till.until_hit("sales.payment.capture.answered")
    assert (await second_till.payments.capture(held, "admin")).state == "CAPTURED"

    assert (await unanswered).state == "CAPTURED"
    assert await till.journal(held) == [("authorise", 1, "done"), ("capture", 1, "done")]
    await till.balances()


async def test_an_order_and_the_undoing_of_its_attempt_exclude_each_other(till: Till, second_till: Till) -> None:
    for _ in range(8):
        held = await till.authorised()
        ordered, _ = await together(till.order(held), second_till.give_back(held))
        await till.quiet()

        assert await till.state(held) in ("VOIDED", "REFUNDED")
        if ordered is None:
            assert (await till.payment(held))["order_id"] is None
        await till.balances()


async def test_an_undone_attempt_and_its_late_payment_at_once_leave_nothing_held(till: Till, second_till: Till) -> None:
    for _ in range(8):
        attempt = uuid7()
        await together(till.authorise(payment_id=attempt), second_till.give_back(attempt))
        await till.quiet()

        assert await till.state(attempt) in ("VOIDED", "FAILED")
        await till.balances()


async def test_one_order_has_one_payment(till: Till, second_till: Till) -> None:
    order_id, first, second = uuid7(), await till.authorised(), await till.authorised()
    await till.order(first, order_id)

    with pytest.raises(IntegrityError):
        await second_till.order(second, order_id)


WRONG: dict[str, str] = {
    "more captured than authorised": "captured = 2000, kept = 2000, open = 0, state = 'CAPTURED'",
    "captured, and still open": "captured = 1999, kept = 1999",
    "kept and refunded twice": "state = 'CAPTURED', captured = 1999, kept = 1999, refunded = 1, open = 0",
    "below zero": "open = 2999, voided = -1000",
    "owed more than is kept": "state = 'REFUND_DUE', open = 0, captured = 1999, kept = 1999, refunding = 2000",
    "captured without money": "state = 'CAPTURED'",
    "voided with money": "state = 'VOIDED'",
    "failed with money": "state = 'FAILED'",
    "refunded, and kept": "state = 'REFUNDED', open = 0, captured = 1999, kept = 1999",
    "refund due of nothing": "state = 'REFUND_DUE', open = 0, captured = 1999, kept = 1999",
    "authorised in part": "authorised = 1000, open = 1000",
    "of a state that there is not": "state = 'PAID'",
    "of no amount": "amount = 0, authorised = 0, open = 0, state = 'AUTHORISING'",
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
async def test_the_table_refuses_what_cannot_be(till: Till, change: str) -> None:
    held = await till.authorised()

    with pytest.raises(IntegrityError):
        await till.rows(f"UPDATE payments SET {change} WHERE id = :id RETURNING 1", id=held)
    assert (await till.payment(held))["open"] == PRICE


@pytest.mark.parametrize(
    "change",
    [
        "state = 'asked'",
        "state = 'done', reference = NULL",
        "state = 'manual', reference = NULL",
        "state = 'lost', reference = NULL",
        "amount = 0",
        "kind = 'gift'",
    ],
)
async def test_the_journal_refuses_what_cannot_be(till: Till, change: str) -> None:
    held = await till.authorised()

    with pytest.raises(IntegrityError):
        await till.rows(f"UPDATE payment_operations SET {change} WHERE payment_id = :id RETURNING 1", id=held)


async def test_a_capture_and_a_void_are_never_under_way_together(till: Till) -> None:
    held = await till.authorised("tok_capture_timeout_after")
    await till.payments.capture(held, "admin")

    with pytest.raises(IntegrityError):
        await _insert(till, held, "void")


async def _insert(till: Till, payment_id: UUID, kind: str) -> None:
    await till.rows(
        "INSERT INTO payment_operations (id, payment_id, kind, cause, number, amount, state, tries, next_try_at,"
        " asked_by, created_at, updated_at)"
        " VALUES (:id, :payment, :kind, '', 1, 1, 'asked', 0, now(), '', now(), now()) RETURNING 1",
        id=uuid7(),
        payment=payment_id,
        kind=kind,
    )
