"""Several at once: no two clerks fetch for the same parcel, whatever they and the others do at this moment."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import text

from chassis.ids import uuid7
from delivery.desk.picking import _put_on_list
from delivery.shipments.storing import take_all

from .factories import Desk, code
from .factories_desk import Clerk, ids_of, of, outcomes_of, wait

OTHER_LIST = "00000000-0000-7000-8000-000000000001"
# As if another clerk had committed just before: the oldest parcel is on that one's list when it is put on ours.
OVERTAKEN = (
    f"""
    CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.pick_list_id <> '{OTHER_LIST}' AND NEW.shipment_id = (SELECT min(id::text)::uuid FROM shipments) THEN
            INSERT INTO pick_list_parcels VALUES ('{OTHER_LIST}', NEW.shipment_id, NEW.items, NEW.outcome);
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER overtake BEFORE INSERT ON pick_list_parcels FOR EACH ROW EXECUTE FUNCTION overtake()",
)


async def test_many_clerks_at_once_never_get_the_same_parcel(desk: Desk, second_desk: Desk) -> None:
    parcels = await wait(desk, *(of() for _ in range(60)))
    clerks = [Clerk(where, f"clerk-{number}") for number in range(6) for where in (desk, second_desk)]

    lists = await asyncio.gather(*(clerk.takes(size=5) for clerk in clerks))

    taken = [parcel for pick_list in lists for parcel in ids_of(pick_list)]
    assert sorted(taken) == parcels


async def test_clerks_who_look_at_the_same_moment_get_other_parcels_and_as_many_as_they_want(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    parcels = await wait(desk, *(of() for _ in range(6)))
    lingers_at("delivery.desk.locked")

    lists = await asyncio.gather(Clerk(desk).takes(size=3), Clerk(second_desk, "other").takes(size=3))

    assert sorted(ids_of(lists[0]) + ids_of(lists[1])) == parcels
    assert [len(ids_of(each)) for each in lists] == [3, 3]


async def test_a_parcel_that_another_list_got_between_our_look_and_our_lock_is_left_out(desk: Desk) -> None:
    first, second = [UUID(each) for each in await wait(desk, of(), of())]
    other = await Clerk(desk).takes(size=1)

    async with desk.database.begin() as session:
        seen_as_free = list((await take_all(session, [first, second])).values())
        mine = uuid7()
        new = "INSERT INTO pick_lists (id, taken_by, taken_at, status) VALUES (:id, 'me', now(), 'OPEN')"
        await session.execute(text(new), {"id": mine})
        put_on_it = await _put_on_list(session, mine, seen_as_free)

    assert ids_of(other) == [str(first)]
    assert put_on_it == [second]


async def test_what_another_list_got_meanwhile_is_made_up_for(desk: Desk) -> None:
    parcels = await wait(desk, *(of() for _ in range(3)))
    await desk.query(
        "INSERT INTO pick_lists (id, taken_by, taken_at, status) VALUES ((:id)::uuid, 'other', now(), 'OPEN')",
        id=OTHER_LIST,
    )
    for statement in OVERTAKEN:
        await desk.query(statement)

    taken = await Clerk(desk).takes(size=2)

    assert ids_of(taken) == parcels[1:]


async def test_a_parcel_that_somebody_is_changing_at_this_moment_is_passed_over(desk: Desk, second_desk: Desk) -> None:
    first, second = await wait(desk, of(), of())

    async with desk.database.begin() as session:
        await take_all(session, [UUID(first)])
        taken = await Clerk(second_desk).takes(size=2)

    assert ids_of(taken) == [second]


async def test_what_a_clerk_is_dispatching_is_on_nobodys_new_list(desk: Desk, second_desk: Desk) -> None:
    parcel, free = await wait(desk, of(), of())
    desk.product.open.clear()
    dispatching = asyncio.create_task(desk.post(f"/{parcel}/dispatch", {}))
    await desk.product.arrived.acquire()

    taken = await Clerk(second_desk).takes(size=2)

    desk.product.open.set()
    assert (await dispatching).status_code == 200
    assert ids_of(taken) == [free]


async def test_a_picked_parcel_can_be_dispatched_by_whoever_has_it_in_hand(desk: Desk) -> None:
    [parcel] = await wait(desk, of())
    taken = await Clerk(desk).takes()

    [outcome] = await Clerk(desk, "other").dispatches({"shipment_id": parcel})

    assert outcome["result"] == "dispatched"
    assert outcomes_of(await Clerk(desk).looks_at(taken)) == ["DISPATCHED"]


async def test_a_list_that_two_release_at_once_is_released_once(desk: Desk, second_desk: Desk) -> None:
    await wait(desk, *(of() for _ in range(3)))
    taken = await Clerk(desk).takes()

    answers = await asyncio.gather(
        *(Clerk(where, f"clerk-{n}").releases(taken) for n in range(4) for where in (desk, second_desk))
    )

    assert all(answer == answers[0] for answer in answers)
    assert [row["action"] for row in await desk.audited()].count("pick_list.released") == 1


async def test_a_list_is_closed_once_while_it_is_released(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    await wait(desk, *(of() for _ in range(3)))
    taken = await Clerk(desk).takes()
    await desk.query("UPDATE pick_lists SET taken_at = taken_at - interval '2 days'")
    lingers_at("delivery.desk.closing")

    await asyncio.gather(second_desk.run("close_pick_lists"), Clerk(desk).releases(taken))

    assert (await Clerk(desk).looks_at(taken))["status"] == "RELEASED"
    rows = [row for row in await desk.audited() if row["entity_id"] == taken["pick_list_id"]]
    assert [row["action"] for row in rows] == ["pick_list.taken", "pick_list.released"]


async def test_two_requests_with_one_key_take_one_list(desk: Desk, second_desk: Desk) -> None:
    await wait(desk, *(of() for _ in range(10)))

    answers = await asyncio.gather(
        *(Clerk(where).post("/pick-lists", {"size": 2}, key="one") for _ in range(3) for where in (desk, second_desk))
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(await desk.query("SELECT 1 FROM pick_lists")) == 1


async def test_of_clerks_who_want_the_last_parcel_one_gets_it(desk: Desk, second_desk: Desk) -> None:
    await wait(desk, of())

    answers = await asyncio.gather(
        *(Clerk(where, f"clerk-{n}").post("/pick-lists", {}) for n in range(4) for where in (desk, second_desk))
    )

    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) == 7
    assert {(answer.status_code, code(answer)) for answer in refused} == {(409, "NOTHING_TO_PICK")}


async def test_a_list_that_could_not_be_finished_was_never_taken(desk: Desk, fails_at: Callable[[str], None]) -> None:
    parcels = await wait(desk, of())
    fails_at("delivery.desk.locked")

    assert (await Clerk(desk).post("/pick-lists", {}, key="one")).status_code == 500

    assert await Clerk(desk).work(picked=False) == parcels
    assert (await Clerk(desk).post("/pick-lists", {}, key="one")).status_code == 201
