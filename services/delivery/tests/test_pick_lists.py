"""Pick lists: what to fetch for which parcels, what becomes of them meanwhile, and what goes back."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from delivery.desk.model import FORGOTTEN_AFTER

from .factories import Desk, an_order, cancelled, code
from .factories_desk import Clerk, goods_of, ids_of, of, outcomes_of, wait


@pytest.fixture
def clerk(desk: Desk) -> Clerk:
    return Clerk(desk)


async def test_a_list_says_what_to_fetch_and_for_which_parcels(desk: Desk, clerk: Clerk) -> None:
    small, large = sorted([uuid4(), uuid4()])
    first, second, _ = await wait(
        desk, of(("mug", 2), ("shirt", 1, large)), of(("shirt", 3, small), ("mug", 1)), of(("mug", 9))
    )

    taken = await clerk.takes(size=2)

    assert (taken["status"], taken["taken_by"]) == ("OPEN", "clerk")
    assert ids_of(taken) == [first, second]
    assert outcomes_of(taken) == ["WAITING", "WAITING"]
    assert taken["to_put_back"] == []
    assert taken["to_fetch"] == [
        {
            "product_id": "mug",
            "quantity": 3,
            "parcels": [{"shipment_id": first, "quantity": 2}, {"shipment_id": second, "quantity": 1}],
        },
        {
            "product_id": "shirt",
            "variant_id": str(small),
            "quantity": 3,
            "parcels": [{"shipment_id": second, "quantity": 3}],
        },
        {
            "product_id": "shirt",
            "variant_id": str(large),
            "quantity": 1,
            "parcels": [{"shipment_id": first, "quantity": 1}],
        },
    ]
    assert taken == await clerk.looks_at(taken)


async def test_a_list_is_of_what_is_asked_for(desk: Desk, clerk: Clerk) -> None:
    _, wanted, _ = await wait(desk, of(("cup", 1)), of(("mug", 1)), of(("mug", 1), country="DE"))

    taken = await clerk.takes(size=100, product_id="mug", country="US", older_than="PT0S")

    assert ids_of(taken) == [wanted]


async def test_what_is_on_one_list_is_on_no_other(desk: Desk, clerk: Clerk) -> None:
    parcels = await wait(desk, *(of() for _ in range(5)))

    lists = [await clerk.takes(size=2), await Clerk(desk, "other").takes(size=2), await clerk.takes(size=2)]

    assert [ids_of(taken) for taken in lists] == [parcels[:2], parcels[2:4], parcels[4:]]


async def test_when_there_is_nothing_to_pick_no_list_is_made(desk: Desk, clerk: Clerk) -> None:
    await wait(desk, of(("mug", 1)))
    await clerk.takes()

    answers = [await clerk.post("/pick-lists", {}), await clerk.post("/pick-lists", {"product_id": "cup"})]

    assert [(answer.status_code, code(answer)) for answer in answers] == [(409, "NOTHING_TO_PICK")] * 2
    assert len(await desk.query("SELECT 1 FROM pick_lists")) == 1


async def test_the_same_request_takes_one_list_only(desk: Desk, clerk: Clerk) -> None:
    await wait(desk, *(of() for _ in range(4)))

    first = await clerk.post("/pick-lists", {"size": 2}, key="my-list")
    again = await clerk.post("/pick-lists", {"size": 2}, key="my-list")
    other = await clerk.post("/pick-lists", {"size": 3}, key="my-list")

    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, code(other)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(await clerk.work(picked=True)) == 2


async def test_a_list_shows_what_has_become_of_its_parcels(desk: Desk, clerk: Clerk) -> None:
    waits, shipped, stopped = await wait(desk, of(("mug", 1)), of(("mug", 2)), gone := of(("mug", 4), ("cup", 1)))
    taken = await clerk.takes()
    await desk.post(f"/{shipped}/dispatch", {})
    await desk.hear(cancelled(gone))

    seen = await clerk.looks_at(taken)

    assert ids_of(seen) == [waits, shipped, stopped]
    assert outcomes_of(seen) == ["WAITING", "DISPATCHED", "STOPPED"]
    assert goods_of(seen["to_fetch"]) == {"mug": 1}
    assert goods_of(seen["to_put_back"]) == {"cup": 1, "mug": 4}
    assert seen["to_put_back"][0]["parcels"] == [{"shipment_id": stopped, "quantity": 1}]
    assert seen["status"] == "OPEN"


async def test_what_is_split_off_a_picked_parcel_is_on_no_list_and_to_be_put_back(desk: Desk, clerk: Clerk) -> None:
    [parcel] = await wait(desk, of(("mug", 3), ("cup", 1)))
    taken = await clerk.takes()

    split = await desk.post(f"/{parcel}/split", {"items": [{"product_id": "mug", "quantity": 2}]})
    seen = await clerk.looks_at(taken)

    assert ids_of(seen) == [parcel]
    assert goods_of(seen["to_fetch"]) == {"cup": 1, "mug": 1}
    assert goods_of(seen["to_put_back"]) == {"mug": 2}
    assert await clerk.work(picked=False) == [split.json()["shipment_id"]]


async def test_what_was_not_dispatched_goes_back_to_the_work_list(desk: Desk, clerk: Clerk) -> None:
    waits, shipped, _ = await wait(desk, of(("mug", 1)), of(("cup", 1)), gone := of(("hat", 1)))
    taken = await clerk.takes()
    await desk.post(f"/{shipped}/dispatch", {})
    await desk.hear(cancelled(gone))

    released = await Clerk(desk, "other").releases(taken)

    assert (released["status"], released["closed_by"]) == ("RELEASED", "other")
    assert outcomes_of(released) == ["RELEASED", "DISPATCHED", "STOPPED"]
    assert released["to_fetch"] == []
    assert goods_of(released["to_put_back"]) == {"hat": 1, "mug": 1}
    assert await clerk.work(picked=False) == [waits]
    assert ids_of(await clerk.takes()) == [waits]
    assert await clerk.looks_at(taken) == released


async def test_releasing_again_changes_nothing(desk: Desk, clerk: Clerk) -> None:
    await wait(desk, of())
    taken = await clerk.takes()
    first = await clerk.releases(taken)
    second_list = await clerk.takes()

    assert await clerk.releases(taken) == first

    assert outcomes_of(await clerk.looks_at(second_list)) == ["WAITING"]
    assert [row["action"] for row in await desk.audited()].count("pick_list.released") == 1


async def test_a_list_of_which_nothing_waits_is_done_by_itself(desk: Desk, clerk: Clerk) -> None:
    shipped, _ = await wait(desk, of(), gone := of())
    taken = await clerk.takes()
    await desk.post(f"/{shipped}/dispatch", {})
    assert await desk.run("close_pick_lists") == 0
    await desk.hear(cancelled(gone))

    at_once = await clerk.looks_at(taken)
    assert await desk.run("close_pick_lists") == 1
    written = await clerk.looks_at(taken)

    assert at_once["status"] == written["status"] == "DONE"
    assert ("closed_by" in at_once, written["closed_by"]) == (False, "desk")
    assert outcomes_of(at_once) == outcomes_of(written) == ["DISPATCHED", "STOPPED"]
    assert await desk.query("SELECT 1 FROM pick_list_parcels WHERE outcome = 'WAITING'") == []
    assert (await clerk.releases(taken))["status"] == "DONE"


async def test_a_parcel_that_came_back_and_is_sent_again_is_work_for_anybody(desk: Desk, clerk: Clerk) -> None:
    [parcel] = await wait(desk, of())
    taken = await clerk.takes()
    await desk.post(f"/{parcel}/dispatch", {})
    await desk.run("close_pick_lists")

    await desk.query("UPDATE shipments SET status = 'READY', shipped_at = NULL")

    assert await clerk.work(picked=False) == [parcel]
    assert ids_of(await clerk.takes()) == [parcel]
    seen = await clerk.looks_at(taken)
    assert (seen["status"], outcomes_of(seen), seen["to_put_back"]) == ("DONE", ["DISPATCHED"], [])


async def test_a_list_that_was_forgotten_gives_back_what_is_on_it(desk: Desk, clerk: Clerk) -> None:
    [parcel] = await wait(desk, of())
    taken = await clerk.takes()
    assert await desk.run("close_pick_lists") == 0
    await _let_pass(desk, FORGOTTEN_AFTER - timedelta(minutes=1))
    assert await desk.run("close_pick_lists") == 0

    await _let_pass(desk, timedelta(minutes=2))

    assert await desk.run("close_pick_lists") == 1
    assert await clerk.work(picked=False) == [parcel]
    assert (await clerk.looks_at(taken))["closed_by"] == "desk"


async def _let_pass(desk: Desk, time: timedelta) -> None:
    await desk.query("UPDATE pick_lists SET taken_at = taken_at - (:time)::interval", time=time)


async def test_lists_are_found_by_their_state_and_by_whose_they_are(desk: Desk, clerk: Clerk) -> None:
    shipped, *_ = await wait(desk, of(), of(), of(), of())
    done, released, theirs, mine = [
        (await Clerk(desk, name).takes(size=1))["pick_list_id"] for name in ("clerk", "clerk", "other", "clerk")
    ]
    await desk.post(f"/{shipped}/dispatch", {})
    await clerk.releases({"pick_list_id": released})

    async def found(**query: Any) -> list[str]:
        return [item["pick_list_id"] for item in (await clerk.get("/pick-lists", **query)).json()["items"]]

    assert await found() == [mine, theirs, released, done]
    assert await found(mine=True) == [mine, released, done]
    for _ in range(2):
        assert await found(status="OPEN") == [mine, theirs]
        assert await found(status="OPEN", mine=True) == [mine]
        assert await found(status="DONE") == [done]
        assert await found(status="RELEASED") == [released]
        await desk.run("close_pick_lists")
    page = (await clerk.get("/pick-lists", limit=3)).json()
    assert [item["pick_list_id"] for item in page["items"]] == [mine, theirs, released]
    assert await found(cursor=page["next_cursor"]) == [done]
    assert page["items"][0]["parcels"] == {"WAITING": 1}


async def test_what_is_done_with_lists_is_on_record(desk: Desk, clerk: Clerk) -> None:
    [parcel] = await wait(desk, of())
    taken = await clerk.takes()
    await clerk.releases(taken)

    rows = [row for row in await desk.audited() if row["entity_id"] == taken["pick_list_id"]]

    assert [(row["actor"], row["action"]) for row in rows] == [
        ("clerk", "pick_list.taken"),
        ("clerk", "pick_list.released"),
    ]
    assert rows[0]["after"] == {"status": "OPEN", "shipment_ids": [parcel]}
    assert rows[1]["before"] == {"status": "OPEN"}
    assert rows[1]["after"] == {"status": "RELEASED", "outcomes": {parcel: "RELEASED"}}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"size": 0},
        {"size": 101},
        {"size": "5"},
        {"size": 1.5},
        {"older_than": "soon"},
        {"product_id": "a b"},
        {"variant_id": str(uuid4())},
        {"country": "U\x00"},
        {"picked": True},
        {"limit": 5},
    ],
)
async def test_strange_wishes_are_refused_politely(desk: Desk, clerk: Clerk, body: object) -> None:
    await wait(desk, an_order())

    answer = await clerk.post("/pick-lists", body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await desk.query("SELECT 1 FROM pick_lists") == []


async def test_lists_that_do_not_exist_are_not_found(clerk: Clerk) -> None:
    unknown = uuid4()

    answers = [await clerk.get(f"/pick-lists/{unknown}"), await clerk.post(f"/pick-lists/{unknown}/release")]

    assert [(answer.status_code, code(answer)) for answer in answers] == [(404, "NOT_FOUND")] * 2
    assert (await clerk.get("/pick-lists/1")).status_code == 400
