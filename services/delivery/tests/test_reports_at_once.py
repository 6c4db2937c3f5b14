"""Reports that come at once, in the wrong order, to several replicas, or when one of them dies: each counts once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text

from chassis import failpoints
from delivery.settings import ReportSettings
from tests.harness.platform import until

from .factories import TRACKED, Desk, FakeProduct, a_desk, statuses
from .test_webhooks import astray, delivered


async def test_of_many_copies_at_once_one_counts(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    shipped = await desk.shipped()
    lingers_at("delivery.report.keeping")

    answers = await asyncio.gather(*(each.reports(delivered()) for _ in range(6) for each in (desk, second_desk)))
    worked = await asyncio.gather(desk.work(), second_desk.work())

    assert statuses(answers) == [200] * 12
    assert sorted(answer.json()["result"] for answer in answers) == ["accepted"] + ["repeated"] * 11
    assert sum(worked) == 1
    assert (await desk.again(shipped))["status"] == "DELIVERED"
    assert len(await desk.published()) == 2


async def test_copies_under_many_ids_are_one_delivery(desk: Desk, second_desk: Desk) -> None:
    await desk.shipped()

    answers = await asyncio.gather(
        *(
            each.reports(delivered(), webhook_id=f"{name}_{n}")
            for n in range(6)
            for name, each in desks(desk, second_desk)
        )
    )
    await asyncio.gather(desk.work(), second_desk.work())

    assert {answer.json()["result"] for answer in answers} == {"accepted"}
    assert len(await desk.published()) == 2
    assert {report["state"] for report in (await desk.heard()).json()["items"]} == {"APPLIED"}


async def test_two_replicas_share_the_work_and_each_report_is_worked_on_by_one(
    database_url: str, product: FakeProduct, lingers_at: Callable[[str], None]
) -> None:
    # None is due again before all are done, however slow the machine is.
    once = ReportSettings(first_retry=timedelta(hours=1), longest_retry=timedelta(hours=1))
    async with (
        a_desk(database_url, product, reports=once) as desk,
        a_desk(database_url, product, reports=once) as second_desk,
    ):
        for number in range(120):
            await desk.reports(delivered(tracking_number=f"TRK-{number:04}"), webhook_id=str(number))
        lingers_at("delivery.report.working")

        worked = await asyncio.gather(desk.work(), second_desk.work())

        assert sum(worked) == 120
        assert min(worked) > 0
        [attempts] = await desk.query("SELECT DISTINCT attempts FROM carrier_reports")
        assert attempts == {"attempts": 1}


async def test_a_newer_report_of_a_parcel_does_not_overtake_an_older_one(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    shipped = await desk.shipped()
    await desk.reports(astray("returned"), webhook_id="msg_1")
    lingers_at("delivery.report.working")
    first = asyncio.create_task(desk.work())
    await until(lambda: failpoints.hits().get("delivery.report.working"), 10)
    await desk.reports(delivered(), webhook_id="msg_2")

    overtaken = await second_desk.work()
    await first
    await second_desk.work()

    assert overtaken == 0

    assert (await desk.again(shipped))["status"] == "RETURNED"
    delivery, comeback = (await desk.heard()).json()["items"]
    assert (delivery["state"], comeback["state"]) == ("REFUSED", "APPLIED")


async def test_a_dispatch_that_is_written_down_while_we_look_is_no_reason_to_refuse(
    desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    ready = await desk.ready()
    desk.product.open.clear()
    await desk.reports(delivered())
    lingers_at("delivery.report.trying")
    working = asyncio.create_task(desk.work())
    await until(lambda: failpoints.hits().get("delivery.report.trying"), 10)
    dispatching = asyncio.create_task(desk.dispatch(ready, TRACKED))
    await desk.product.arrived.acquire()

    await working
    desk.product.open.set()
    await dispatching
    await desk.make_due()
    await desk.work()

    assert (await desk.again(ready))["status"] == "DELIVERED"


async def test_a_parcel_that_somebody_is_at_does_not_keep_the_others_waiting(desk: Desk, second_desk: Desk) -> None:
    parcels = [await desk.shipped(carrier="FedEx", tracking_number=f"TRK-000{number}") for number in range(3)]
    for parcel in parcels:
        number = parcel["tracking_number"]
        await desk.reports(delivered(tracking_number=number), webhook_id=number)

    async with second_desk.database.begin() as session:
        await session.execute(text("SELECT FROM shipments WHERE tracking_number = 'TRK-0000' FOR UPDATE"))
        await desk.work()
        meanwhile = [(await desk.again(parcel))["status"] for parcel in parcels]
        [waiting] = (await desk.heard("?state=WAITING")).json()["items"]
    await desk.make_due()
    await desk.work()

    assert meanwhile == ["SHIPPED", "DELIVERED", "DELIVERED"]
    # Not even tried: nobody waits for a lock while holding others.
    assert (waiting["attempts"], waiting.get("code")) == (0, None)
    assert (await desk.again(parcels[0]))["status"] == "DELIVERED"


async def test_reports_in_reverse_order_end_as_the_last_word_has_it(desk: Desk) -> None:
    shipped = await desk.shipped()

    for kind in ("delivered", "lost"):
        await desk.reports(astray(kind), webhook_id=kind)
    await desk.work()

    assert (await desk.again(shipped))["status"] == "DELIVERED"
    lost, delivery = (await desk.heard()).json()["items"]
    assert (lost["state"], lost["code"], delivery["state"]) == ("REFUSED", "INVALID_STATUS_TRANSITION", "APPLIED")


async def test_a_crash_after_the_answer_loses_nothing(
    desk: Desk, second_desk: Desk, fails_at: Callable[[str], None]
) -> None:
    shipped = await desk.shipped()
    fails_at("delivery.report.kept")

    answer = await desk.reports(delivered())
    repeated = await second_desk.reports(delivered())
    await second_desk.work()

    # Its carrier never got the first answer, and sends it again.
    assert (answer.status_code, repeated.json()) == (500, {"result": "repeated"})
    assert (await desk.again(shipped))["status"] == "DELIVERED"


async def test_a_crash_before_it_is_kept_leaves_nothing(desk: Desk, fails_at: Callable[[str], None]) -> None:
    fails_at("delivery.report.keeping")

    answers = [await desk.reports(delivered()) for _ in range(2)]

    assert answers[0].status_code == 500
    assert answers[1].json() == {"result": "accepted"}


async def test_a_crash_at_work_leaves_it_to_the_next(
    desk: Desk, second_desk: Desk, fails_at: Callable[[str], None]
) -> None:
    shipped = await desk.shipped()
    await desk.reports(delivered())
    fails_at("delivery.report.working")

    outcome = await asyncio.gather(desk.work(), return_exceptions=True)
    assert await desk.again(shipped) == shipped
    await second_desk.work()

    assert isinstance(outcome[0], Exception)
    assert (await desk.again(shipped))["status"] == "DELIVERED"
    assert len(await desk.published()) == 2


async def test_a_commit_wakes_the_job_at_once(desk: Desk) -> None:
    [job] = [each for each in desk.service.jobs if each.name == "work_on_reports"]
    assert job.woken_by is not None
    woken = []

    for report in (astray("in_transit"), delivered()):
        job.woken_by.clear()
        await desk.reports(report)
        woken.append(job.woken_by.is_set())

    assert woken == [False, True]


def desks(*each: Desk) -> list[tuple[str, Desk]]:
    return [(f"desk{number}", desk) for number, desk in enumerate(each)]
