"""Whatever fails between two effects: a retry makes one order of it, and without a retry nothing of it stays."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import sales
from chassis import failpoints
from chassis.failpoints import arm, disarm
from sales.orders import placing
from services.sales.tests.factories import Sales, wanted
from services.sales.tests.fake_product import Ware, loses_the_answer
from services.sales.tests.test_cancelling import CANCEL
from services.sales.tests.test_checkout_crashes import CHECKOUT, REFUSAL, UNDOING

SOURCE = Path(sales.__file__).parent / "orders"
ORDER = ("attempted", "reserved", "creating", "created", "answered")
ATTEMPTS = ("undoing", "released")
FAULTS = ("raise", "cancel", "sleep:0.2")


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    disarm()


async def order_in_a_task_of_its_own(sales: Sales, key: str | None) -> int | None:
    """Its status, or none when the task was cancelled."""
    asked = asyncio.create_task(sales.order(wanted(("lamp", 2)), key))
    await asyncio.wait([asked])
    return None if asked.cancelled() else asked.result().status_code


def strike(point: str, fault: str) -> None:
    # An error inside a batch is tried again for each alone: it has to strike twice to be seen.
    arm("test", f"{point}={fault}*{2 if fault == 'raise' else 1}")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", ORDER)
async def test_a_retry_makes_exactly_one_order_of_it(sales: Sales, point: str, fault: str) -> None:
    strike(f"sales.order.{point}", fault)

    struck = await order_in_a_task_of_its_own(sales, "key")
    hits = failpoints.hits()[f"sales.order.{point}"]
    disarm()
    answer = await sales.order(wanted(("lamp", 2)), "key")

    assert hits >= 1
    assert struck in ((201,) if fault.startswith("sleep") else (None, 500, 503, 201))
    assert answer.status_code == 201
    assert await sales.count("orders") == 1
    assert await sales.count("attempts") == 1
    assert sales.product.held() == 2
    await sales.nothing_is_halfway()


@pytest.mark.rule("BR-ORD-011")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", ORDER)
async def test_without_a_retry_it_is_an_order_with_its_hold_or_neither(sales: Sales, point: str, fault: str) -> None:
    strike(f"sales.order.{point}", fault)

    await order_in_a_task_of_its_own(sales, None)
    disarm()
    stopped = len(await sales.rows("SELECT id FROM attempts WHERE state = 'open'"))
    undone = await sales.sweep()

    assert undone == stopped
    assert await sales.count("orders") == 1 - undone
    assert sales.product.held() == 2 - 2 * undone
    await sales.nothing_is_halfway()


@pytest.mark.parametrize("point", ORDER)
async def test_an_order_that_takes_too_long_is_given_up_in_time(
    sales: Sales, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "LONGEST", timedelta(seconds=0.3))
    arm("test", f"sales.order.{point}=sleep:0.6*1")

    answer = await sales.order(wanted(("lamp", 2)), "key")
    again = await sales.order_again_until_answered(wanted(("lamp", 2)), "key")

    assert (answer.status_code, again.status_code) == (503, 201)
    assert await sales.count("orders") == 1
    await sales.nothing_is_halfway()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", ORDER)
async def test_a_refusal_stays_the_same_one(sales: Sales, point: str, fault: str) -> None:
    short = wanted(("desk", 51))
    strike(f"sales.order.{point}", fault)

    asked = asyncio.create_task(sales.order(short, "key"))
    await asyncio.wait([asked])
    disarm()
    first = await sales.order(short, "key")
    sales.product.wares["desk"] = Ware(51)
    again = await sales.order(short, "key")

    assert (first.status_code, again.content) == (400, first.content)
    assert await sales.count("orders") == 0
    await sales.nothing_is_halfway()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", ATTEMPTS)
async def test_a_sweep_that_fails_is_finished_by_the_next_one(sales: Sales, point: str, fault: str) -> None:
    with sales.product.having(loses_the_answer):
        await sales.order(wanted(("lamp", 2)), "key")
    arm("test", f"sales.attempts.{point}={fault}*1")

    sweeping = asyncio.create_task(sales.sweep())
    await asyncio.wait([sweeping])
    hits = failpoints.hits()[f"sales.attempts.{point}"]
    disarm()
    await sales.sweep()

    assert hits == 1
    assert sales.product.held() == 0
    await sales.nothing_is_halfway()
    assert (await sales.order_again_until_answered(wanted(("lamp", 2)), "key")).status_code == 201
    await sales.nothing_is_halfway()


def test_every_failpoint_of_the_source_is_walked() -> None:
    named = {name for file in SOURCE.rglob("*.py") for name in re.findall(r'failpoint\("([^"]+)"\)', file.read_text())}

    walked = {
        "sales.order": ORDER,
        "sales.attempts": (*ATTEMPTS, *UNDOING),
        "sales.cancel": CANCEL,
        "sales.checkout": (*CHECKOUT, *REFUSAL),
    }
    assert named == {f"{journey}.{point}" for journey, points in walked.items() for point in points}
