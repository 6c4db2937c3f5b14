"""Whatever is asked, answered, lost, reported and broken off, in whatever order: the laws of money hold in the end."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis.errors import Refused
from chassis.failpoints import FailpointHit, arm, disarm
from chassis.ids import uuid7
from chassis.signature import NotVerified
from contracts.sales.payments import OperationKind
from sales.payments.completing import complete_refund
from services.sales.tests.till import PRICE, Till, report

TABLES = "payments, payment_operations, payment_webhooks, sandbox_operations, outbox, audit_log"
KINDS = ("authorise", "capture", "void", "refund")
POINTS = [
    *(f"sales.payment.{kind}.{point}" for kind in KINDS for point in ("written", "answered", "settling", "settled")),
    *(f"sales.payment.{kind}.unheard" for kind in KINDS),
    "sales.payment.webhook.heard",
]
MOODS = [
    "ok",
    "decline",
    "timeout_after",
    "timeout_before_1",
    "timeout_before",
    *(f"{kind}_{mood}" for kind in KINDS[1:] for mood in ("timeout_after", "timeout_before_2", "fails_1", "fails_2")),
    "refund_fails",
]
cards = st.lists(st.sampled_from(MOODS), min_size=1, max_size=3, unique=True).map(lambda each: "tok_" + "__".join(each))
which = st.integers(0, 2)
actions = st.one_of(
    st.tuples(st.just("authorise"), which, st.none()),
    st.tuples(st.just("authorise"), which, st.none()),
    st.tuples(st.just("order"), which, st.none()),
    st.tuples(st.just("capture"), which, st.sampled_from([None, None, 500])),
    st.tuples(st.just("void"), which, st.none()),
    st.tuples(st.just("give back"), which, st.none()),
    st.tuples(st.just("refund"), which, st.tuples(st.sampled_from([1, 500, PRICE]), st.sampled_from(["r1", "r2"]))),
    st.tuples(st.just("time passes"), which, st.none()),
    st.tuples(st.just("report"), which, st.integers(0, 5)),
    st.tuples(st.just("by hand"), which, st.sampled_from(["capture", "void", "refund"])),
)
MOST = int(os.environ.get("PAYMENT_STORIES", "40"))
faults = st.one_of(st.none(), st.none(), st.tuples(st.sampled_from(POINTS), st.sampled_from(["raise", "cancel"])))
stories = st.lists(st.tuples(actions, faults), min_size=2, max_size=14)


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    disarm()


@settings(max_examples=MOST, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cards=st.lists(cards, min_size=3, max_size=3), story=stories)
async def test_the_books_are_the_gateway_s_and_add_up(
    till: Till, second_till: Till, cards: list[str], story: list[tuple[tuple[str, int, Any], Any]]
) -> None:
    await _empty(till)
    attempts = [uuid7() for _ in cards]
    for number, ((action, index, more), fault) in enumerate(story):
        process = (till, second_till)[number % 2]
        if fault:
            arm("test", f"{fault[0]}={fault[1]}*1")
        await _in_a_task_of_its_own(_act(process, action, attempts[index], cards[index], more))
        disarm()

    await till.quiet()
    await _report_everything(till)
    await till.quiet()
    await _complete_what_is_manual(till)

    await till.balances()
    await _nothing_is_left_over(till)


async def _act(till: Till, action: str, attempt: UUID, card: str, more: Any) -> None:
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "authorise": lambda: till.authorise(card, payment_id=attempt),
        "order": lambda: till.order(attempt),
        "capture": lambda: till.payments.capture(attempt, "admin", more),
        "void": lambda: till.payments.void(attempt, "admin"),
        "give back": lambda: till.give_back(attempt),
        "refund": lambda: till.payments.refund(attempt, more[0], more[1], "admin"),
        "time passes": till.time_passes,
        "report": lambda: _report(till, attempt, more),
        "by hand": lambda: _by_hand(till, attempt, more),
    }
    await ways[action]()


async def _by_hand(till: Till, attempt: UUID, kind: str) -> None:
    payment = await till.payment(attempt)
    await till.by_hand(attempt, OperationKind(kind), payment["kept" if kind == "refund" else "open"] or 1)


async def _report_everything(till: Till) -> None:
    """Sooner or later each report arrives: those of refunds by hand are all that anybody ever hears of them."""
    for row in await till.rows("SELECT DISTINCT payment_id FROM sandbox_operations"):
        for number in range(await till.count("sandbox_operations")):
            await _report(till, row["payment_id"], number)


async def _report(till: Till, attempt: UUID, number: int) -> None:
    """The gateway tells of any of its operations, again and again, and late."""
    rows = await till.rows(
        "SELECT * FROM sandbox_operations WHERE payment_id = :id AND state <> 'forestalled' ORDER BY at", id=attempt
    )
    if rows:
        row = rows[number % len(rows)]
        event = report(f"{row['kind']}.{row['state']}", attempt, row["key"], row["amount"], row["payment_reference"])
        await till.hear(event, f"evt_{row['key']}")


async def _in_a_task_of_its_own(work: Any) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        assert isinstance(error, Refused | FailpointHit), error
        assert not isinstance(error, IntegrityError | NotVerified)


async def _empty(till: Till) -> None:
    async with till.database.begin() as session:
        await session.execute(text(f"TRUNCATE {TABLES}"))


async def _complete_what_is_manual(till: Till) -> None:
    for row in await till.rows("SELECT id FROM payment_operations WHERE state = 'manual'"):
        async with till.database.begin() as session:
            await complete_refund(session, till.rules, row["id"], "transfer 1", "admin")


async def _nothing_is_left_over(till: Till) -> None:
    assert await till.rows("SELECT * FROM payment_operations WHERE state IN ('asked', 'unknown', 'manual')") == []
    for payment in await till.rows("SELECT * FROM payments"):
        assert payment["state"] in {"AUTHORISED", "CAPTURED", "VOIDED", "REFUNDED", "FAILED"}
        if payment["unwanted_at"]:
            assert (payment["open"], payment["kept"]) == (0, 0), payment
        calls = Counter(await till.called_back(payment["id"]))
        assert calls["captured"] <= 1
        assert calls["ended"] <= 2
        if payment["state"] in {"VOIDED", "FAILED"} and payment["amount"]:
            assert calls["ended"] >= 1
    told = Counter((each["payment_id"], each["amount"]) for each in await till.told("payment.capture_failed"))
    assert all(times == 1 for times in told.values())
