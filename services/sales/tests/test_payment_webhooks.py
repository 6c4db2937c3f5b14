"""What a gateway reports is acted on once, in whichever order its reports come."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from chassis.ids import uuid7
from contracts.sales.payments import OperationKind
from services.sales.tests.factories import running
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.reports import OTHER_SECRET, Desk
from services.sales.tests.till import PRICE, SECRET, Till, report

CAPTURE, VOID, REFUND = OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND


@pytest.fixture
async def desk(database_url: str, product: FakeProduct, till: Till) -> AsyncIterator[Desk]:
    async with running(database_url, product, payments={"webhook_secret": f"{OTHER_SECRET} {SECRET}"}) as sales:
        yield Desk(sales, till)


async def test_a_capture_that_the_gateway_reports_counts(desk: Desk) -> None:
    held = await desk.till.authorised()
    event = await desk.till.by_hand(held, CAPTURE)

    answer = await desk.hear(event)

    assert (answer.status_code, answer.json()) == (200, {"result": "accepted"})
    assert await desk.till.state(held) == "CAPTURED"
    [audit] = await desk.till.rows("SELECT actor FROM audit_log WHERE action = 'payment.captured'")
    assert audit["actor"] == "gateway:sandbox"
    await desk.till.balances()


async def test_a_replay_changes_nothing(desk: Desk) -> None:
    held = await desk.till.authorised()
    event = await desk.till.by_hand(held, CAPTURE)
    await desk.hear(event)
    before = await desk.till.rows("SELECT * FROM payments"), await desk.till.count("payment_operations")

    for each in (event, report("void.done", held, uuid7())):
        answer = await desk.hear(each)
        assert (answer.status_code, answer.json()) == (200, {"result": "repeated"})

    assert (await desk.till.rows("SELECT * FROM payments"), await desk.till.count("payment_operations")) == before


async def test_the_same_under_another_id_changes_nothing_either(desk: Desk) -> None:
    held = await desk.till.authorised()
    event = await desk.till.by_hand(held, CAPTURE)
    await desk.hear(event)

    assert (await desk.hear(event, "evt_2")).status_code == 200

    assert (await desk.till.payment(held))["captured"] == PRICE
    await desk.till.balances()


async def test_of_many_copies_at_once_one_counts(desk: Desk) -> None:
    held = await desk.till.authorised()
    event = await desk.till.by_hand(held, CAPTURE)

    answers = await asyncio.gather(*(desk.hear(event) for _ in range(8)))

    assert sorted(answer.json()["result"] for answer in answers) == ["accepted"] + ["repeated"] * 7
    await desk.till.balances()


async def test_the_report_and_the_answer_of_the_same_request_are_one(desk: Desk) -> None:
    held = await desk.till.authorised("tok_capture_timeout_after")
    await desk.till.payments.capture(held, "admin")
    [asked] = await desk.till.rows("SELECT id FROM payment_operations WHERE kind = 'capture'")
    reference = (await desk.till.payment(held))["reference"]

    await desk.hear(report("capture.done", held, asked["id"], payment_reference=reference))
    assert await desk.till.state(held) == "CAPTURED"
    await desk.till.quiet()

    assert await desk.till.called_back(held) == []  # Sales' own callback heard of it, not the till's
    await desk.till.balances()


async def test_a_report_of_the_authorisation_ends_the_doubt(desk: Desk) -> None:
    unsure = (await desk.till.authorise("tok_timeout_after")).payment_id
    [row] = await desk.till.rows("SELECT * FROM sandbox_operations")

    await desk.hear(report("authorise.done", unsure, row["key"], payment_reference=row["reference"]))

    payment = await desk.till.payment(unsure)
    assert (payment["state"], payment["reference"]) == ("AUTHORISED", row["reference"])
    await desk.till.balances()


async def test_a_report_of_a_decline_ends_the_doubt(desk: Desk) -> None:
    unsure = (await desk.till.authorise("tok_timeout_after__decline")).payment_id
    [row] = await desk.till.rows("SELECT * FROM sandbox_operations")

    await desk.hear(report("authorise.refused", unsure, row["key"], payment_reference=row["reference"]))

    assert await desk.till.state(unsure) == "FAILED"


async def test_a_late_success_that_is_reported_is_given_back(desk: Desk) -> None:
    attempt = (await desk.till.authorise("tok_decline")).payment_id
    reference = "sbx_late"

    await desk.hear(report("authorise.done", attempt, uuid7(), payment_reference=reference))

    payment = await desk.till.payment(attempt)
    assert (payment["state"], payment["reference"], payment["unwanted_at"] is None) == ("AUTHORISED", reference, False)
    assert (await desk.till.journal(attempt))[-1] == ("void", 1, "asked")


async def test_what_is_captured_was_authorised_even_if_that_is_reported_later(desk: Desk) -> None:
    unsure = (await desk.till.authorise("tok_timeout_after")).payment_id
    [row] = await desk.till.rows("SELECT * FROM sandbox_operations")

    await desk.hear(report("capture.done", unsure, uuid7(), payment_reference=row["reference"]), "evt_2")
    await desk.hear(report("authorise.done", unsure, row["key"], payment_reference=row["reference"]), "evt_1")

    assert await desk.till.state(unsure) == "CAPTURED"


async def test_an_authorisation_that_was_cancelled_there_is_gone(desk: Desk) -> None:
    held = await desk.till.authorised()

    await desk.hear(await desk.till.by_hand(held, VOID))

    assert await desk.till.state(held) == "VOIDED"
    await desk.till.balances()


async def test_a_report_does_not_decide_what_is_being_asked(desk: Desk) -> None:
    held = await desk.till.authorised("tok_capture_timeout_after")
    await desk.till.payments.capture(held, "admin")
    reference = (await desk.till.payment(held))["reference"]

    await desk.hear(report("void.done", held, uuid7(), payment_reference=reference))

    assert await desk.till.state(held) == "CAPTURING"
    assert await desk.till.pursuit.take_up() == 1
    assert await desk.till.state(held) == "CAPTURED"
    await desk.till.balances()


async def test_a_refund_that_was_made_there_is_known_here(desk: Desk) -> None:
    taken = await desk.till.captured()

    await desk.hear(await desk.till.by_hand(taken, REFUND, 500))

    payment = await desk.till.payment(taken)
    assert (payment["state"], payment["refunded"], payment["kept"]) == ("CAPTURED", 500, PRICE - 500)
    await desk.till.balances()


async def test_a_refund_that_was_made_there_by_hand_is_not_made_here_again(desk: Desk) -> None:
    taken = await desk.till.captured("tok_refund_fails")
    await desk.till.give_back(taken)
    await desk.till.quiet()
    [manual] = await desk.till.rows("SELECT id FROM payment_operations WHERE state = 'manual'")
    reference = (await desk.till.payment(taken))["reference"]

    await desk.hear(report("refund.done", taken, uuid7(), payment_reference=reference))

    assert await desk.till.state(taken) == "REFUNDED"
    [row] = await desk.till.rows("SELECT state FROM payment_operations WHERE id = :id", id=manual["id"])
    assert row["state"] == "done"


async def test_more_than_is_left_is_not_believed_to_be_refunded(desk: Desk) -> None:
    taken = await desk.till.captured()
    reference = (await desk.till.payment(taken))["reference"]

    with capture_logs() as logs:
        await desk.hear(report("refund.done", taken, uuid7(), PRICE + 1, reference))

    assert (await desk.till.payment(taken))["refunded"] == 0
    assert "refund_not_understood" in [each["event"] for each in logs]


async def test_a_refund_that_the_bank_sent_back_is_for_a_person(desk: Desk) -> None:
    taken = await desk.till.captured()
    await desk.till.give_back(taken)
    [refund] = await desk.till.rows("SELECT id FROM payment_operations WHERE kind = 'refund'")
    reference = (await desk.till.payment(taken))["reference"]

    await desk.hear(report("refund.refused", taken, refund["id"], payment_reference=reference))

    payment = await desk.till.payment(taken)
    assert (payment["state"], payment["refunded"], payment["refunding"]) == ("REFUND_DUE", 0, PRICE)
    assert (await desk.till.journal(taken))[-1] == ("refund", 1, "manual")
    assert len(await desk.till.told("payment.refund_delayed")) == 1


@pytest.mark.parametrize(
    ("kind", "amount"), [("authorise.done", PRICE + 1), ("capture.done", PRICE + 1), ("capture.done", 10**12)]
)
async def test_an_amount_that_cannot_be_is_not_believed(desk: Desk, kind: str, amount: int) -> None:
    unsure = (await desk.till.authorise("tok_timeout_after")).payment_id
    held = await desk.till.authorised()
    for payment_id in (unsure, held):
        row = (await desk.till.rows("SELECT * FROM sandbox_operations WHERE payment_id = :id", id=payment_id))[0]
        event = report(kind, payment_id, row["key"], amount, row["reference"])
        assert (await desk.hear(event, f"evt_{payment_id}")).status_code == 200

    assert (await desk.till.payment(held))["captured"] == (await desk.till.payment(unsure))["captured"] == 0
    assert await desk.till.state(unsure) == ("UNKNOWN" if kind == "authorise.done" else "AUTHORISED")
