"""Whatever fails between two effects of a return: the job finishes it, and goods and money move once."""

import asyncio
import re
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sales as package
from chassis import failpoints
from chassis.failpoints import arm, disarm
from services.sales.tests.checkout import jobs_run
from services.sales.tests.factories import Sales
from services.sales.tests.returning import (
    asked,
    audited,
    back,
    delivered,
    delivered_and_paid,
    finished,
    receive,
    received,
    refund,
    stands,
)
from services.sales.tests.till import Till

SOURCE = Path(package.__file__).parent / "returns"
RECEIPT = ("receipt_asked", "restocked", "receiving", "received")
REFUND = ("refund_asked", "given_back", "refunding", "refunded")
GATEWAY = ("sales.payment.refund.written", "sales.payment.refund.answered", "sales.payment.refund.settled")
FAULTS = ("raise", "cancel")


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    disarm()


async def struck(point: str, fault: str, asking: Awaitable[Any]) -> int | None:
    """In a task of its own, as a cancellation would else reach the test; its status, or none when it was cancelled."""
    arm("test", f"{point}={fault}*1")
    task = asyncio.ensure_future(asking)
    await asyncio.wait([task])
    assert failpoints.hits()[point] == 1
    disarm()
    return None if task.cancelled() else task.result().status_code


async def is_received_once(sales: Sales, return_id: str) -> None:
    assert (await stands(sales, return_id))["state"] == "RECEIVED"
    assert back(sales.product) == {"lamp": 2}
    assert len(await sales.published("order.return_received")) == 1
    assert len(await audited(sales, "return.received")) == 1


async def is_refunded_once(sales: Sales, till: Till, return_id: str) -> None:
    for _ in range(3):
        await jobs_run(sales)
        await finished(sales, "refunds")
    assert (await stands(sales, return_id))["state"] == "REFUNDED"
    await till.balances()
    [ledger] = await sales.rows("SELECT amount FROM sandbox_operations WHERE kind = 'refund'")
    assert ledger["amount"] == 3998
    assert len(await sales.published("order.return_refunded")) == 1
    assert len(await audited(sales, "return.refunded")) == 1


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", RECEIPT)
async def test_a_receipt_that_dies_is_finished_by_the_job(sales: Sales, point: str, fault: str) -> None:
    return_id = await asked(sales, await delivered(sales), ("lamp", 2))

    status = await struck(f"sales.return.{point}", fault, receive(sales, return_id))
    await finished(sales, "receipts")

    assert status in (None, 500)
    await is_received_once(sales, return_id)


@pytest.mark.parametrize("point", RECEIPT)
async def test_a_receipt_that_dies_is_finished_by_who_asks_again(sales: Sales, point: str) -> None:
    return_id = await asked(sales, await delivered(sales), ("lamp", 2))

    await struck(f"sales.return.{point}", "raise", receive(sales, return_id))
    again = await receive(sales, return_id)

    assert again.status_code == 200
    await is_received_once(sales, return_id)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", [*(f"sales.return.{point}" for point in REFUND), *GATEWAY])
async def test_a_refund_that_dies_is_finished_by_the_job(sales: Sales, till: Till, point: str, fault: str) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till), ("lamp", 2))

    status = await struck(point, fault, refund(sales, return_id))

    # The gateway is asked in a task of its own, which a cancelled caller does not take along.
    assert status in (None, 500)
    await is_refunded_once(sales, till, return_id)


@pytest.mark.parametrize("point", REFUND)
async def test_a_refund_that_dies_is_finished_by_who_asks_again(sales: Sales, till: Till, point: str) -> None:
    return_id = await received(sales, await delivered_and_paid(sales, till), ("lamp", 2))

    await struck(f"sales.return.{point}", "raise", refund(sales, return_id))
    again = await refund(sales, return_id)

    assert (again.status_code, again.json()["state"]) == (200, "REFUNDED")
    await is_refunded_once(sales, till, return_id)


@pytest.mark.parametrize("point", REFUND)
async def test_a_refund_that_is_settled_outside_is_finished_by_the_job_too(sales: Sales, point: str) -> None:
    return_id = await received(sales, await delivered(sales), ("lamp", 2))

    await struck(f"sales.return.{point}", "raise", refund(sales, return_id))
    await finished(sales, "refunds")

    assert (await stands(sales, return_id))["state"] == "REFUNDED"
    assert len(await sales.published("order.return_refunded")) == 1


@pytest.mark.parametrize("point", ["restocked", "receiving"])
async def test_a_job_that_dies_is_finished_by_the_next(sales: Sales, point: str) -> None:
    return_id = await asked(sales, await delivered(sales), ("lamp", 2))
    await struck("sales.return.receipt_asked", "raise", receive(sales, return_id))

    arm("test", f"sales.return.{point}=raise*1")
    with pytest.raises(failpoints.FailpointHit):
        await finished(sales, "receipts")
    disarm()
    await finished(sales, "receipts")

    await is_received_once(sales, return_id)


async def test_two_replicas_of_the_jobs_share_the_work(sales: Sales, till: Till) -> None:
    order = await delivered_and_paid(sales, till)
    ids = [await asked(sales, order), await asked(sales, order)]
    for return_id in ids:
        await struck("sales.return.receipt_asked", "raise", receive(sales, return_id))
    await asyncio.gather(finished(sales, "receipts"), finished(sales, "receipts"))
    for return_id in ids:
        await struck("sales.return.refund_asked", "raise", refund(sales, return_id))
    await asyncio.gather(finished(sales, "refunds"), finished(sales, "refunds"))
    await finished(sales, "refunds")

    assert {(await stands(sales, return_id))["state"] for return_id in ids} == {"REFUNDED"}
    assert len(await sales.published("order.return_received")) == 2
    assert len(await sales.published("order.return_refunded")) == 2
    assert back(sales.product) == {"lamp": 2}
    await till.balances()


def test_every_place_where_it_can_be_made_to_fail_was_made_to() -> None:
    places = {place for file in SOURCE.glob("*.py") for place in re.findall(r'failpoint\("(.+?)"\)', file.read_text())}

    # `test_returns_withdrawing` has the last of them.
    assert places == {f"sales.return.{point}" for point in (*RECEIPT, *REFUND, "withdrawing")}


async def test_all_that_stopped_are_finished_however_many_there_are(sales: Sales) -> None:
    await sales.rows(
        "INSERT INTO returns (id, order_id, customer_id, state, currency, receipt_asked_by, next_look_at,"
        " created_at, updated_at) SELECT gen_random_uuid(), gen_random_uuid(), 'grace', 'REQUESTED', 'USD', 'clerk',"
        " now(), now(), now() FROM generate_series(1, 101) RETURNING 1"
    )

    assert await sales.run("finish_receipts") == 101
