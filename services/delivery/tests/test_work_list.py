"""The work list: what is ready, the oldest first, by age, product, destination and whether somebody fetches it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from .factories import Desk, an_order, cancelled, code, paid
from .factories_desk import Clerk, of, wait

OLD = "UPDATE shipments SET id = (:old)::uuid, created_at = :at WHERE id = (:id)::uuid"


@pytest.fixture
def clerk(desk: Desk) -> Clerk:
    return Clerk(desk)


async def test_the_oldest_comes_first_in_pages_that_miss_none(desk: Desk, clerk: Clerk) -> None:
    parcels = await wait(desk, *(of() for _ in range(25)))

    seen: list[str] = []
    query: dict[str, Any] = {"limit": 10}
    while query:
        page = (await clerk.get("/work-list", **query)).json()
        seen += [item["shipment"]["shipment_id"] for item in page["items"]]
        query = {"limit": 10, "cursor": page["next_cursor"]} if "next_cursor" in page else {}
        if len(seen) == 10:
            parcels += await wait(desk, of())  # what comes meanwhile stands behind all others

    assert seen == parcels


async def test_only_what_can_be_packed_is_work(desk: Desk, clerk: Clerk) -> None:
    ready, shipped, _ = await wait(desk, of(), of(), gone := of())
    await desk.post(f"/{shipped}/dispatch", {})
    await desk.hear(cancelled(gone))
    unpaid = an_order(status="PENDING")
    await wait(desk, unpaid)

    assert await clerk.work() == [ready]

    await desk.hear(paid(unpaid))
    assert len(await clerk.work()) == 2


async def test_what_somebody_is_dispatching_is_nobody_elses_work(desk: Desk, clerk: Clerk) -> None:
    [parcel] = await wait(desk, of())
    desk.product.open.clear()
    dispatching = asyncio.create_task(desk.post(f"/{parcel}/dispatch", {}))
    await desk.product.arrived.acquire()

    assert await clerk.work() == []

    desk.product.script = []
    desk.product.open.set()
    assert (await dispatching).status_code == 200


async def test_work_is_found_by_its_age(desk: Desk, clerk: Clerk) -> None:
    old, young = await wait(desk, of(), of())
    at = datetime.now(UTC) - timedelta(hours=3)
    old_id = _id_made_at(at)
    await desk.query(OLD, id=old, old=old_id, at=at)

    assert await clerk.work(older_than="PT2H") == [old_id]
    assert await clerk.work(older_than="PT4H") == []
    assert await clerk.work(older_than="PT0S") == [old_id, young]
    assert await clerk.work(created_before=at.isoformat()) == []
    assert await clerk.work(created_before=(at + timedelta(seconds=1)).isoformat()) == [old_id]
    assert await clerk.work(created_before=(at + timedelta(seconds=1)).isoformat(), older_than="PT4H") == []


def _id_made_at(at: datetime) -> str:
    milliseconds = int(at.timestamp() * 1000) + 1
    return f"{milliseconds:012x}"[:8] + "-" + f"{milliseconds:012x}"[8:] + "-7000-8000-000000000001"


async def test_work_is_found_by_product_and_variant(desk: Desk, clerk: Clerk) -> None:
    small, large = uuid4(), uuid4()
    mug, shirt, both = await wait(
        desk, of(("mug", 1)), of(("shirt", 1, small)), of(("mug", 3), ("shirt", 1, large), ("mug-2", 1))
    )

    assert await clerk.work(product_id="mug") == [mug, both]
    assert await clerk.work(product_id="mug-2") == [both]
    assert await clerk.work(product_id="shirt") == [shirt, both]
    assert await clerk.work(product_id="shirt", variant_id=str(large)) == [both]
    assert await clerk.work(product_id="mug", variant_id=str(large)) == []
    assert await clerk.work(product_id="quantity") == []


async def test_work_is_found_by_where_it_goes(desk: Desk, clerk: Clerk) -> None:
    berlin, bern, leeds = await wait(
        desk,
        of(country="DE", postal_code="10115"),
        of(country="CH", postal_code="1011"),
        of(country="GB", postal_code="ls1 1ba"),
    )

    assert await clerk.work(country="DE") == [berlin]
    assert await clerk.work(postal_code="101") == [berlin, bern]
    assert await clerk.work(postal_code="101", country="CH") == [bern]
    assert await clerk.work(postal_code="LS1") == await clerk.work(postal_code="Ls1 1") == [leeds]
    assert await clerk.work(postal_code="0115") == []


@pytest.mark.parametrize("wildcards", ["%", "_", "1%5", "10_15", "\\", "*", ".", "10115%"])
async def test_signs_that_mean_something_elsewhere_are_signs_of_a_postal_code_here(
    desk: Desk, clerk: Clerk, wildcards: str
) -> None:
    await wait(desk, of(postal_code="10115"))

    assert await clerk.work(postal_code=wildcards) == []


async def test_postal_codes_of_all_scripts_are_found_by_how_they_begin(desk: Desk, clerk: Clerk) -> None:
    [parcel] = await wait(desk, of(postal_code="\U0010fffd\u0967\u0966"))

    assert await clerk.work(postal_code="\U0010fffd") == [parcel]
    assert await clerk.work(postal_code="\u0967") == []


async def test_work_is_found_by_whether_somebody_fetches_it(desk: Desk, clerk: Clerk) -> None:
    picked, free = await wait(desk, of(), of())
    pick_list = await clerk.takes(size=1)

    assert await clerk.work() == [picked, free]
    assert await clerk.work(picked=True) == [picked]
    assert await clerk.work(picked=False) == [free]
    lists = [item.get("pick_list_id") for item in (await clerk.get("/work-list")).json()["items"]]
    assert lists == [pick_list["pick_list_id"], None]


async def test_filters_go_together(desk: Desk, clerk: Clerk) -> None:
    wanted, *_ = await wait(
        desk, of(("mug", 1)), of(("mug", 1), country="DE"), of(("cup", 1)), of(("mug", 1), postal_code="70000")
    )

    found = await clerk.work(product_id="mug", country="US", postal_code="62", older_than="PT0S", picked=False)

    assert found == [wanted]


@pytest.mark.parametrize(
    "query",
    [
        {"older_than": "yesterday"},
        {"older_than": "-PT1H"},
        {"older_than": "P99999999999D"},
        {"older_than": "1e400"},
        {"created_before": "2026-01-17T16:45:00"},
        {"created_before": "0001-01-01T00:00:00+23:59"},
        {"product_id": "x" * 65},
        {"product_id": "' OR 1=1"},
        {"product_id": ""},
        {"variant_id": str(uuid4())},
        {"product_id": "mug", "variant_id": "1"},
        {"country": "us"},
        {"country": "USA"},
        {"postal_code": ""},
        {"postal_code": "1" * 41},
        {"picked": "perhaps"},
        {"limit": 101},
        {"cursor": "x"},
        {"status": "SHIPPED"},
    ],
)
async def test_strange_questions_are_refused_politely(clerk: Clerk, query: dict[str, Any]) -> None:
    answer = await clerk.get("/work-list", **query)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


async def test_how_an_age_is_written_is_said(clerk: Clerk) -> None:
    answer = await clerk.get("/work-list", older_than="2 hours")

    said = {"field": "older_than", "message": "This must be a duration as in ISO 8601, such as PT2H."}
    assert answer.json()["error"]["details"] == [said]
