"""Many at once, through two replicas on one database, with real commits: who gets it, and that it happens once."""

import asyncio
from collections import Counter

import httpx
import pytest

from chassis.db import Database
from chassis.ids import uuid7
from contracts.product.inventory import ReservationView
from product.inventory.commands import reserve
from product.inventory.settlement import deduct, release
from services.product.tests.factories import (
    Shelf,
    ask,
    event_counts,
    held_by_lines,
    published,
    put_on_sale,
    reservation,
    reserved,
    settle,
    shelf,
)
from services.product.tests.rivals import End, Replicas, alone, held, hold, someone_waits_for_a_lock


@pytest.fixture
def replicas(client: httpx.AsyncClient, other_client: httpx.AsyncClient) -> Replicas:
    return client, other_client


@pytest.mark.rule("BR-ORD-001", "BR-INV-001")
async def test_of_two_hundred_who_want_one_of_fifty_exactly_fifty_get_it(
    replicas: Replicas, database: Database
) -> None:
    await put_on_sale(database, "mug", 50)

    answers = await asyncio.gather(*(held(replicas[number % 2], reservation(("mug", 1))) for number in range(200)))

    assert Counter(each["state"] for each in answers) == {"HELD": 50, "REFUSED": 150}
    assert await shelf(database, "mug") == Shelf(on_hand=50, reserved=50)
    kinds = Counter(kind for kind, _ in await published(database))
    assert kinds == {"inventory.reserved": 50, "inventory.out_of_stock": 1}


async def test_transactions_that_all_want_the_last_pieces_are_told_so_instead_of_failing(
    url: str, database: Database
) -> None:
    # Not through the lanes of two replicas, which would try again what the CHECK on the stock refuses.
    await put_on_sale(database, "mug", 40)
    other = Database(url, application_name="another replica")

    answers = []
    try:
        for _ in range(3):
            answers += await asyncio.gather(
                *(alone((database, other)[number % 2], reserve, [reservation(("mug", 1))]) for number in range(24))
            )
    finally:
        await other.close()

    assert Counter(getattr(view, "state", view) for (view,) in answers) == {"HELD": 40, "REFUSED": 32}


async def test_the_last_piece_goes_to_one_of_two_replicas_each_time(replicas: Replicas, database: Database) -> None:
    for number in range(20):
        mug = await put_on_sale(database, f"mug-{number}", 1)

        answers = await asyncio.gather(*(held(replica, reservation((mug, 1))) for replica in replicas))

        assert sorted(each["state"] for each in answers) == ["HELD", "REFUSED"]


async def test_the_same_reservation_at_two_replicas_at_once_is_held_once(
    replicas: Replicas, database: Database
) -> None:
    await put_on_sale(database, "mug", 1000)

    for _ in range(30):
        wanted = reservation(("mug", 1))
        first, *others = await asyncio.gather(*(held(replica, wanted) for replica in (*replicas, *replicas)))
        assert first["state"] == "HELD"
        assert others == [first] * 3

    assert await reserved(database) == {"mug": 30}
    assert set((await event_counts(database)).values()) == {1}


async def test_who_waits_for_the_stock_behind_its_own_twin_gets_the_answer_of_the_twin(
    replicas: Replicas, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "kettle", 10)
    wanted, other = reservation(("mug", 7)), reservation(("kettle", 1))

    async with database.begin() as session:
        [first] = await reserve(session, [wanted], ["test"])
        asking = asyncio.create_task(ask(replicas[0], [wanted, other]))
        # When it looked the twin was not there yet: it would hold as much again, and find too little.
        await someone_waits_for_a_lock(database)

    again, held_too = (await asking).json()["reservations"]
    assert isinstance(first, ReservationView)
    assert again == first.model_dump(mode="json", exclude_none=True)
    assert held_too["state"] == "HELD"
    assert await reserved(database) == {"mug": 7, "kettle": 1}
    assert set((await event_counts(database)).values()) == {1}


async def test_of_two_that_share_an_id_but_no_product_one_is_held_and_the_other_a_mismatch(
    replicas: Replicas, database: Database
) -> None:
    # No stock row is common to them: only the reservation's own row keeps them apart.
    await put_on_sale(database, "mug", 1000)
    await put_on_sale(database, "kettle", 1000)
    for _ in range(20):
        one = reservation(("mug", 1))
        other = reservation(("kettle", 1), id=one.reservation_id)

        answers = await asyncio.gather(ask(replicas[0], [one]), ask(replicas[1], [other]))

        assert sorted(each.status_code for each in answers) == [200, 409]
    assert sum((await reserved(database)).values()) == 20
    assert await reserved(database) == await held_by_lines(database)


@pytest.mark.rule("BR-ORD-007")
async def test_a_release_and_a_deduction_that_race_have_one_winner(replicas: Replicas, database: Database) -> None:
    await put_on_sale(database, "mug", 1000)
    others, ids = await hold(replicas[0], 60, "mug"), await hold(replicas[0], 40, "mug")

    deducted_ids = set()
    for id in ids:
        [released], [deducted] = await asyncio.gather(
            settle(replicas[0], "releases", [id]), settle(replicas[1], "deductions", [id])
        )
        assert released["done"] != deducted["done"]
        assert released["state"] == deducted["state"] == ("RELEASED" if released["done"] else "DEDUCTED")
        deducted_ids |= {id} if deducted["done"] else set()

    gone = len(deducted_ids)
    assert await shelf(database, "mug") == Shelf(on_hand=1000 - gone, reserved=len(others))
    kinds = Counter(kind for kind, _ in await published(database))
    assert (kinds["inventory.deducted"], kinds["inventory.released"]) == (gone, 40 - gone)


@pytest.mark.parametrize(("how", "left"), [("releases", Shelf(1000, 60)), ("deductions", Shelf(960, 60))])
async def test_the_same_end_asked_for_at_two_replicas_has_its_effect_once(
    replicas: Replicas, database: Database, how: str, left: Shelf
) -> None:
    await put_on_sale(database, "mug", 1000)
    await hold(replicas[0], 60, "mug")  # so that an effect too many would break no CHECK
    ids = await hold(replicas[0], 40, "mug")

    for id in ids:
        ends = await asyncio.gather(*(settle(replica, how, [id]) for replica in replicas))
        assert all(end["done"] for (end,) in ends)

    assert await shelf(database, "mug") == left
    assert set((await event_counts(database)).values()) == {1}


@pytest.mark.parametrize("first", [release, deduct])
@pytest.mark.parametrize("second", [release, deduct])
async def test_who_wants_to_end_a_hold_waits_for_the_one_who_is_at_it_and_then_knows(
    database: Database, first: End, second: End
) -> None:
    await put_on_sale(database, "mug", 10)
    ended, other = reservation(("mug", 1)), reservation(("mug", 4))
    await alone(database, reserve, [ended, other])

    async with database.begin() as session:
        [won] = await first(session, [ended.reservation_id], ["test"])
        waiting = asyncio.create_task(alone(database, second, [ended.reservation_id]))
        await someone_waits_for_a_lock(database)

    [lost] = await waiting
    assert (won.done, lost.done) == (True, first is second)
    assert lost.state == won.state
    assert await shelf(database, "mug") == Shelf(on_hand=10 - (first is deduct), reserved=4)


async def test_a_reservation_and_its_release_that_race_never_leave_a_hold(
    replicas: Replicas, database: Database
) -> None:
    await put_on_sale(database, "mug", 1000)
    wanted = [reservation(("mug", 1)) for _ in range(60)]

    answers = await asyncio.gather(
        *(
            call
            for one in wanted
            for call in (held(replicas[0], one), settle(replicas[1], "releases", [one.reservation_id]))
        )
    )

    assert all(end[0]["done"] for end in answers[1::2] if isinstance(end, list))
    assert await shelf(database, "mug") == Shelf(on_hand=1000, reserved=0)
    counts = await event_counts(database)
    for one in wanted:
        id = str(one.reservation_id)
        assert counts["inventory.reserved", id] == counts["inventory.released", id] <= 1


async def test_a_release_that_is_overtaken_by_its_reservation_gives_the_hold_back(
    replicas: Replicas, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    wanted = reservation(("mug", 1))

    async with database.begin() as session:
        await reserve(session, [wanted], ["test"])
        releasing = asyncio.create_task(settle(replicas[0], "releases", [wanted.reservation_id]))
        # It has looked, found nothing, and waits now with its tombstone until the reservation is committed.
        await someone_waits_for_a_lock(database)

    [answer] = await releasing
    assert (answer["state"], answer["done"]) == ("RELEASED", True)
    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=0)
    assert [kind for kind, _ in await published(database)] == ["inventory.reserved", "inventory.released"]


async def test_those_behind_one_that_was_released_just_then_get_what_it_does_not_take(
    replicas: Replicas, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    late, behind = reservation(("mug", 7)), reservation(("mug", 7))

    async with database.begin() as session:
        await release(session, [late.reservation_id], ["test"])
        asking = asyncio.create_task(ask(replicas[0], [late, behind]))
        await someone_waits_for_a_lock(database)

    answers = (await asking).json()["reservations"]
    assert [each["state"] for each in answers] == ["RELEASED", "HELD"]
    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=7)


async def test_a_caller_that_leaves_does_not_undo_what_it_asked_for(replicas: Replicas, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    leaves, stays = reservation(("mug", 1), id=uuid7()), reservation(("mug", 1))
    await held(replicas[0], reservation(("mug", 1)))

    leaving = asyncio.create_task(held(replicas[0], leaves))
    staying = asyncio.create_task(held(replicas[0], stays))
    await asyncio.sleep(0.001)
    leaving.cancel()

    assert (await staying)["state"] == "HELD"
    assert (await held(replicas[1], leaves))["state"] == "HELD"
    assert await reserved(database) == await held_by_lines(database) == {"mug": 3}
