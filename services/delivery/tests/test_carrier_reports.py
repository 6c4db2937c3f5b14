"""What becomes of a report that cannot have its effect yet: tried again, told to operations, or people's in the end."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis import failpoints
from chassis.steps import record
from delivery.carriers.model import WAITING, Patience, Report
from delivery.carriers.storing import ALL
from delivery.settings import CarrierSettings, ReportSettings
from delivery.shipments.following import UnknownParcel

from .factories import TRACKED, Desk, FakeProduct, a_desk, code
from .test_webhooks import astray, delivered

IMPATIENT = CarrierSettings(reports=ReportSettings(told_after=timedelta(0)))


async def report_of(desk: Desk) -> dict[str, Any]:
    [report] = (await desk.heard()).json()["items"]
    return dict(report)


@pytest.fixture
def fails_twice_at() -> Iterator[Callable[[str], None]]:
    """With the others of its batch, and by itself."""
    yield lambda name: failpoints.arm("test", f"{name}=raise*2")
    failpoints.disarm()


def a_report(now: datetime, tried_until: datetime) -> Report:
    known = {"state": WAITING, "attempts": 0, "received_at": now, "next_try_at": now, "tried_until": tried_until}
    return Report(**{**dict.fromkeys(ALL), **known})  # type: ignore[arg-type]


@pytest.mark.rule("AC-PARC-001")
async def test_a_parcel_that_is_not_ours_is_kept_logged_and_told_to_operations_once(
    database_url: str, product: FakeProduct
) -> None:
    async with a_desk(database_url, product, carriers=IMPATIENT) as desk:
        with capture_logs() as logs, record() as recording:
            answer = await desk.reports(delivered())
            await desk.work()
            await desk.make_due()
            await desk.work()

        assert answer.json() == {"result": "accepted"}
        steps = recording.of(answer.headers["x-trace-id"])
        assert [step.error for step in steps if step.action == "findOrderByTracking"] == ["NOT_FOUND"] * 2
        [warning] = [log for log in logs if log["event"] == "unknown_parcel"]
        assert (warning["log_level"], warning["carrier"], warning["tracking_number"]) == (
            "warning",
            "FedEx",
            TRACKED["tracking_number"],
        )
        report = await report_of(desk)
        assert (report["state"], report["code"], report["attempts"]) == ("UNMATCHED", "NOT_FOUND", 2)
        [event] = await desk.published()
        assert event["event_type"] == "delivery.unmatched_tracking"
        assert event["data"] == {
            "report_id": report["report_id"],
            "carrier": "FedEx",
            "tracking_number": TRACKED["tracking_number"],
            "reported": "delivered",
            "received_at": report["received_at"],
        }


async def test_operations_are_not_told_before_a_dispatch_that_is_under_way_could_end(desk: Desk) -> None:
    await desk.reports(delivered())

    await desk.work()

    assert (await report_of(desk))["state"] == "UNMATCHED"
    assert await desk.published() == []


@pytest.mark.rule("AC-PARC-001")
async def test_a_parcel_that_is_dispatched_later_is_delivered_when_it_is_tried_again(desk: Desk) -> None:
    await desk.reports(delivered(delivery_location="Front door"))
    await desk.work()

    shipped = await desk.shipped()
    await desk.make_due()
    await desk.work()

    parcel = await desk.again(shipped)
    assert (parcel["status"], parcel["delivery_location"]) == ("DELIVERED", "Front door")
    report = await report_of(desk)
    assert (report["state"], report["shipment_id"]) == ("APPLIED", shipped["shipment_id"])
    assert "code" not in report


async def test_a_report_that_comes_while_the_dispatch_is_under_way_waits_for_it(desk: Desk) -> None:
    ready = await desk.ready()
    desk.product.open.clear()
    dispatching = asyncio.create_task(desk.dispatch(ready, TRACKED))
    await desk.product.arrived.acquire()

    answer = await desk.reports(delivered())
    await desk.work()

    assert answer.json() == {"result": "accepted"}
    waiting = await report_of(desk)
    assert (waiting["state"], waiting["code"]) == ("WAITING", "INVALID_STATUS_TRANSITION")
    assert (await desk.again(ready))["status"] == "READY"
    entries = (await desk.get(f"/{ready['shipment_id']}/timeline")).json()["entries"]
    assert [entry["report_id"] for entry in entries] == [waiting["report_id"]]
    desk.product.open.set()
    await dispatching
    await desk.make_due()
    await desk.work()
    assert (await desk.again(ready))["status"] == "DELIVERED"


def test_the_pauses_grow_up_to_the_longest_and_end_in_time() -> None:
    told = ReportSettings(tried_for=timedelta(hours=1), told_after=timedelta(0))
    patience = Patience(told.first_retry, told.longest_retry, told.tried_for, told.told_after)
    now = datetime.now(UTC)
    report = a_report(now, tried_until=now + told.tried_for)

    tries = [now]
    for _ in range(20):
        report.miss(UnknownParcel("There is none."), tries[-1], patience)
        tries += [at for at in (report.next_try_at,) if at]

    pauses = [(after - before).total_seconds() for before, after in pairwise(tries)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 600]


def test_the_pause_in_which_operations_would_have_to_be_told_ends_at_that_time() -> None:
    told = ReportSettings(first_retry=timedelta(minutes=1), told_after=timedelta(seconds=5))
    patience = Patience(told.first_retry, told.longest_retry, told.tried_for, told.told_after)
    now = datetime.now(UTC)
    report = a_report(now, tried_until=now + told.tried_for)

    report.miss(UnknownParcel("There is none."), now, patience)

    assert report.next_try_at == now + told.told_after
    assert not report.must_be_told(now, patience)
    assert report.must_be_told(report.next_try_at, patience)


async def test_what_is_not_matched_in_time_is_tried_no_more_and_still_shown(desk: Desk) -> None:
    await desk.reports(delivered())
    await desk.query("UPDATE carrier_reports SET tried_until = now()")

    await desk.work()

    report = await report_of(desk)
    assert (report["state"], "next_try_at" in report) == ("UNMATCHED", False)
    assert await desk.work() == 0


async def test_what_waits_for_its_parcel_in_vain_is_refused_in_the_end(desk: Desk) -> None:
    ready = await desk.ready()
    desk.product.open.clear()
    dispatching = asyncio.create_task(desk.dispatch(ready, TRACKED))
    await desk.product.arrived.acquire()
    await desk.reports(delivered())
    await desk.query("UPDATE carrier_reports SET tried_until = now()")

    await desk.work()

    report = await report_of(desk)
    assert (report["state"], report["code"]) == ("REFUSED", "INVALID_STATUS_TRANSITION")
    desk.product.open.set()
    await dispatching


async def test_one_that_fails_for_a_reason_of_its_own_holds_up_no_other(
    desk: Desk, fails_twice_at: Callable[[str], None]
) -> None:
    parcels = [await desk.shipped(carrier="FedEx", tracking_number=f"TRK-000{number}") for number in range(3)]
    for parcel in parcels:
        number = parcel["tracking_number"]
        await desk.reports(delivered(tracking_number=number), webhook_id=number)
    fails_twice_at("delivery.confirm.delivered")

    with capture_logs() as logs:
        await desk.work()

    assert [(await desk.again(parcel))["status"] for parcel in parcels] == ["SHIPPED", "DELIVERED", "DELIVERED"]
    assert [log["attempts"] for log in logs if log["event"] == "report_failed"] == [1]
    [failed] = (await desk.heard("?state=WAITING")).json()["items"]
    assert (failed["code"], failed["attempts"]) == ("INTERNAL_ERROR", 1)
    # Nothing of what was half done is left of it.
    assert len(await desk.published()) == 3 + 2
    failpoints.disarm()
    await desk.make_due()
    await desk.work()
    assert (await desk.again(parcels[0]))["status"] == "DELIVERED"


async def test_one_that_finds_the_database_busy_is_not_refused_for_it(desk: Desk) -> None:
    shipped = await desk.shipped()
    await desk.reports(delivered())
    await desk.query("""
        CREATE FUNCTION be_busy() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'busy' USING ERRCODE = '55P03'; END $$
    """)
    await desk.query("CREATE TRIGGER busy BEFORE UPDATE ON shipments EXECUTE FUNCTION be_busy()")
    await desk.work()
    waiting = await report_of(desk)

    await desk.query("DROP TRIGGER busy ON shipments")
    await desk.make_due()
    await desk.work()

    assert (waiting["state"], waiting["code"]) == ("WAITING", "INTERNAL_ERROR")
    assert (await desk.again(shipped))["status"] == "DELIVERED"


async def test_one_that_keeps_failing_is_for_people_in_the_end(
    desk: Desk, fails_twice_at: Callable[[str], None]
) -> None:
    shipped = await desk.shipped()
    await desk.reports(delivered())
    await desk.query("UPDATE carrier_reports SET tried_until = now()")
    fails_twice_at("delivery.report.trying")
    await desk.work()
    failed = await report_of(desk)

    again = await desk.reports(delivered())
    retried = await desk.retry(failed)
    await desk.work()

    assert (failed["state"], failed["code"]) == ("REFUSED", "INTERNAL_ERROR")
    # Its carrier has done all that it can.
    assert again.json() == {"result": "repeated"}
    assert (retried.status_code, retried.json()["state"]) == (200, "WAITING")
    assert (await desk.again(shipped))["status"] == "DELIVERED"
    [audited] = [row for row in await desk.audited() if row["action"] == "carrier_report.retried"]
    assert (audited["actor"], audited["entity_id"]) == ("clerk", failed["report_id"])


async def test_people_can_have_an_unmatched_one_tried_at_once(desk: Desk) -> None:
    await desk.reports(delivered())
    await desk.query("UPDATE carrier_reports SET tried_until = now()")
    await desk.work()
    shipped = await desk.shipped()

    await desk.retry(await report_of(desk))
    await desk.work()

    assert (await desk.again(shipped))["status"] == "DELIVERED"


async def test_what_has_had_its_effect_is_not_tried_again(desk: Desk) -> None:
    await desk.shipped()
    await desk.reports(delivered())
    await desk.work()

    answer = await desk.retry(await report_of(desk))

    assert (answer.status_code, code(answer)) == (409, "CONFLICT")


async def test_reports_are_shown_newest_first_page_by_page_and_filtered(desk: Desk) -> None:
    await desk.shipped()
    for number in range(3):
        await desk.reports(astray("lost"), webhook_id=f"msg_{number}")
    await desk.reports(delivered(), carrier="UPS")
    await desk.work()

    first = (await desk.heard("?limit=3")).json()
    second = (await desk.heard(f"?limit=3&cursor={first['next_cursor']}")).json()

    carriers = [report["carrier"] for report in [*first["items"], *second["items"]]]
    assert carriers == ["UPS", "FedEx", "FedEx", "FedEx"]
    assert "next_cursor" not in second
    for query, count in {
        "state=UNMATCHED": 1,
        "state=APPLIED": 3,
        "carrier=fedex": 3,
        "carrier=fedex&state=UNMATCHED": 0,
        f"tracking_number={TRACKED['tracking_number']}": 4,
        "tracking_number=TRK-OTHER": 0,
    }.items():
        assert len((await desk.heard(f"?{query}")).json()["items"]) == count, query
    one = first["items"][0]
    assert (await desk.heard(f"/{one['report_id']}")).json() == one


async def test_old_reports_are_forgotten_and_young_and_waiting_ones_are_not(desk: Desk) -> None:
    await desk.shipped()
    await desk.reports(delivered())
    await desk.work()
    await desk.query(
        "INSERT INTO carrier_reports (id, source, webhook_id, carrier, tracking_number, kind, received_at, traceparent,"
        " state, attempts, next_try_at, tried_until) "
        "SELECT ('01890000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'fedex', 'old_' || n, 'FedEx',"
        " 'TRK' || n, 'LOST', now() - interval '91 days', '', 'UNMATCHED', 9, CASE WHEN n > 5000 THEN now() END, now() "
        "FROM generate_series(1, 5001) n"
    )

    assert await desk.run("forget_old_reports") == 5000

    assert len((await desk.heard()).json()["items"]) == 2
    assert (await desk.reports(delivered())).json() == {"result": "repeated"}
