"""Without people and without a delay: what commits wakes whoever goes on with it, and many commits are one batch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.jobs import Clock, Job
from chassis.telemetry import Telemetry
from contracts.sales.orders import OrderStatus
from delivery.shipments.storing import TO_DISPATCH
from tests.harness.platform import until

from .factories import Desk, FakeProduct, UnhurriedProduct, a_desk, a_message, an_order, paid

JOBS = ("dispatch_due", "deliver_due")


@asynccontextmanager
async def only_woken(desk: Desk) -> AsyncIterator[None]:
    """The autopilot runs, and its clock has struck for the last time."""
    jobs = [_Counted(each) for each in desk.service.jobs if each.name in JOBS]
    clock = Clock(desk.database, [each.job for each in jobs], Telemetry("delivery"))
    running = asyncio.create_task(clock.run())
    try:
        await asyncio.gather(*(each.has_run.wait() for each in jobs))
        yield
    finally:
        clock.stop()
        await running


class _Counted:
    def __init__(self, job: Job) -> None:
        self.has_run = asyncio.Event()
        self._run = job.run
        self.job = replace(job, every=timedelta(hours=1), run=self.run)

    async def run(self) -> None:
        try:
            await self._run()
        finally:
            self.has_run.set()


async def all_are(desk: Desk, status: str) -> None:
    async def none_is_otherwise() -> bool:
        return not await desk.query("SELECT 1 FROM shipments WHERE status <> :status", status=status)

    await until(none_is_otherwise, 10, every=0.01)


async def _created(desk: Desk) -> None:
    await desk.hear(a_message(an_order()))


async def _paid(desk: Desk) -> None:
    order = an_order(status=OrderStatus.PENDING)
    await desk.hear(a_message(order))
    await desk.hear(paid(order))


async def _sent_again(desk: Desk) -> None:
    await _created(desk)
    await all_are(desk, "DELIVERED")
    await desk.query("UPDATE shipments SET status = 'RETURNED', delivered_at = NULL")
    [returned] = await desk.query("SELECT id FROM shipments")
    assert (await desk.post(f"/{returned['id']}/sending-again")).status_code == 200


@pytest.mark.parametrize("becomes_ready", [_created, _paid, _sent_again])
async def test_a_parcel_leaves_and_arrives_as_soon_as_it_can(
    desk: Desk, becomes_ready: Callable[[Desk], Awaitable[None]]
) -> None:
    async with only_woken(desk):
        await becomes_ready(desk)

        await all_are(desk, "DELIVERED")


async def test_what_a_clerk_has_dispatched_arrives_at_once_too(database_url: str, product: FakeProduct) -> None:
    async with a_desk(database_url, product, dispatch_after=timedelta(hours=1)) as desk, only_woken(desk):
        await desk.shipped()

        await all_are(desk, "DELIVERED")


@pytest.mark.parametrize("waits", ["dispatch", "deliver"])
async def test_where_there_is_a_delay_nobody_is_woken_before_it_is_over_but_looks_more_often(
    database_url: str, product: FakeProduct, waits: str
) -> None:
    async with a_desk(database_url, product, **{f"{waits}_after": timedelta(seconds=1)}) as desk:
        jobs = {each.name: each for each in desk.service.jobs if each.name in JOBS}

    patient = jobs.pop(f"{waits}_due")
    [prompt] = jobs.values()
    assert patient.woken_by is None
    assert prompt.woken_by is not None
    assert patient.every == timedelta(milliseconds=200)
    assert prompt.every == timedelta(seconds=1)


async def test_parcels_that_could_not_leave_wake_nobody_to_try_again(desk: Desk) -> None:
    hopeless = an_order()
    desk.product.states[hopeless.reservation_id] = None
    await desk.hear(a_message(hopeless))
    woken = desk.database.woken(TO_DISPATCH)
    assert woken.is_set()

    woken.clear()
    assert await desk.run("dispatch_due") == 1

    assert not woken.is_set()


async def test_what_becomes_ready_meanwhile_leaves_together_after_half_as_long_a_rest(database_url: str) -> None:
    product = UnhurriedProduct(takes=0.3)
    async with product.serving(), a_desk(database_url, product) as desk, only_woken(desk):
        product.open.clear()
        await _created(desk)
        await product.arrived.acquire()
        for _ in range(5):
            await _created(desk)
        product.open.set()

        await all_are(desk, "DELIVERED")

    assert [len(batch) for batch in product.asked] == [1, 5]
    answered, asked_again = product.answered_at[0], product.asked_at[1]
    assert asked_again - answered >= 0.3 / 2
