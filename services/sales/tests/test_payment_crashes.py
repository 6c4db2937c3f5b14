"""Whatever fails between two effects: the jobs find out how it stands, and the books are those of the gateway."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from uuid import UUID

import pytest

from chassis import failpoints
from chassis.failpoints import arm, disarm
from chassis.ids import uuid7
from contracts.sales.payments import OperationKind
from sales.payments.paying import Authorised, Declined, GivenBack
from services.sales.tests.till import PRICE, Till

FAULTS = ("raise", "cancel")
POINTS = ("written", "answered", "settling", "settled")
Journey = Callable[[Till, UUID], Awaitable[object]]
Prepare = Callable[[Till], Awaitable[UUID]]


async def _nothing_yet(_: Till) -> UUID:
    return uuid7()


JOURNEYS: dict[str, tuple[Prepare, Journey, set[str]]] = {
    "authorise": (
        _nothing_yet,
        lambda till, attempt: till.authorise(payment_id=attempt),
        {"AUTHORISED", "FAILED"},
    ),
    "capture": (
        lambda till: till.authorised(),
        lambda till, held: till.payments.capture(held, "admin"),
        {"CAPTURED"},
    ),
    "void": (lambda till: till.authorised(), lambda till, held: till.give_back(held), {"VOIDED"}),
    "refund": (lambda till: till.captured(), lambda till, taken: till.give_back(taken), {"REFUNDED"}),
}


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    disarm()


async def struck(work: Awaitable[object], point: str, fault: str) -> int:
    """In a task of its own, as a cancellation would else reach the test; how often the point was hit."""
    arm("test", f"{point}={fault}*1")
    task = asyncio.ensure_future(work)
    await asyncio.wait([task])
    assert task.cancelled() or task.exception() is not None
    hits = failpoints.hits()[point]
    disarm()
    return hits


@pytest.mark.rule("BR-ORD-011")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", JOURNEYS)
async def test_the_jobs_finish_what_was_begun(till: Till, second_till: Till, kind: str, point: str, fault: str) -> None:
    prepare, journey, ends = JOURNEYS[kind]
    payment_id = await prepare(till)

    hits = await struck(asyncio.ensure_future(journey(till, payment_id)), f"sales.payment.{kind}.{point}", fault)
    await second_till.quiet()

    assert hits == 1
    assert await till.state(payment_id) in ends
    await till.balances()


@pytest.mark.rule("BR-PAY-001")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", POINTS)
async def test_a_customer_who_asks_again_after_a_crash_pays_once(till: Till, point: str, fault: str) -> None:
    attempt = uuid7()

    await struck(till.authorise(payment_id=attempt), f"sales.payment.authorise.{point}", fault)
    answer = await till.authorise(payment_id=attempt)
    await till.quiet()

    assert isinstance(answer, Authorised)
    assert await till.ledger(attempt) == [("authorise", PRICE, "done")]
    await till.balances()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", POINTS)
async def test_an_attempt_that_stopped_and_is_undone_holds_nothing(till: Till, point: str, fault: str) -> None:
    attempt = uuid7()

    await struck(till.authorise(payment_id=attempt), f"sales.payment.authorise.{point}", fault)
    await till.give_back(attempt)
    await till.quiet()

    assert await till.state(attempt) in ("VOIDED", "FAILED")
    assert isinstance(await till.authorise(payment_id=attempt), GivenBack | Declined)
    await till.balances()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("mood", ["timeout_after", "timeout_before_1", "fails_1"])
@pytest.mark.parametrize("kind", ["capture", "void", "refund"])
async def test_a_crash_on_top_of_a_trouble_is_one_more_trouble(
    till: Till, second_till: Till, kind: str, mood: str, point: str, fault: str
) -> None:
    _, journey, ends = JOURNEYS[kind]
    card = f"tok_{kind}_{mood}"
    payment_id = await (till.captured(card) if kind == "refund" else till.authorised(card))

    await struck(asyncio.ensure_future(journey(till, payment_id)), f"sales.payment.{kind}.{point}", fault)
    await second_till.quiet()

    assert await till.state(payment_id) in ends
    await till.balances()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", ["unheard", "answered", "settling", "settled"])
@pytest.mark.parametrize("kind", JOURNEYS)
async def test_a_job_that_fails_is_finished_by_the_next_one(
    till: Till, second_till: Till, kind: str, point: str, fault: str
) -> None:
    prepare, journey, ends = JOURNEYS[kind]
    payment_id = await prepare(till)
    await struck(asyncio.ensure_future(journey(till, payment_id)), f"sales.payment.{kind}.written", "cancel")

    hits = await struck(till.time_passes(), f"sales.payment.{kind}.{point}", fault)
    await second_till.quiet()

    assert hits == 1
    assert await till.state(payment_id) in ends
    await till.balances()


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_webhook_that_fails_may_come_again(till: Till, fault: str) -> None:
    held = await till.authorised()
    event = await till.by_hand(held, OperationKind.CAPTURE)

    await struck(till.hear(event), "sales.payment.webhook.heard", fault)
    assert await till.state(held) == "AUTHORISED"

    assert await till.hear(event) == "accepted"
    assert await till.state(held) == "CAPTURED"
    await till.balances()


async def test_when_the_one_who_waits_for_the_money_fails_the_payment_waits_for_it(till: Till) -> None:
    held = await till.authorised()

    async def fails(*_: object) -> None:
        raise RuntimeError("The order cannot be confirmed at the moment.")

    rules, till.pursuit.rules = till.pursuit.rules, type(till.rules)(till.rules.pace, fails, till.rules.on_ended)
    with pytest.raises(RuntimeError):
        await till.payments.capture(held, "admin")
    assert await till.state(held) == "CAPTURING"
    till.pursuit.rules = rules
    await till.quiet()

    assert await till.state(held) == "CAPTURED"
    assert await till.called_back(held) == ["captured"]
    await till.balances()
