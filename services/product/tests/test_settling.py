"""How reservations end: given back, or taken off the shelf."""

import httpx
import pytest

from chassis.db import Database
from chassis.ids import uuid7
from chassis.steps import record
from services.product.tests.factories import (
    Shelf,
    ask,
    event_counts,
    published,
    put_on_sale,
    reservation,
    settle,
    shelf,
)

ENDS = [
    ("releases", "RELEASED", "inventory.released", Shelf(on_hand=10, reserved=0)),
    ("deductions", "DEDUCTED", "inventory.deducted", Shelf(on_hand=7, reserved=0)),
]
ends = pytest.mark.parametrize(("how", "state", "event", "then"), ENDS, ids=[end[0] for end in ENDS])


@ends
async def test_a_hold_ends_once_however_often_that_is_asked_for(
    client: httpx.AsyncClient, database: Database, how: str, state: str, event: str, then: Shelf
) -> None:
    await put_on_sale(database, "mug", 10)
    held = reservation(("mug", 3))
    await ask(client, [held])

    answers = [await settle(client, how, [held.reservation_id]) for _ in range(3)]

    assert answers == [[{"reservation_id": str(held.reservation_id), "state": state, "done": True}]] * 3
    assert await shelf(database, "mug") == then
    content = {"reservation_id": str(held.reservation_id), "items": [{"product_id": "mug", "quantity": 3}]}
    assert await published(database) == [("inventory.reserved", content), (event, content)]


@ends
async def test_the_same_id_twice_in_a_request_is_answered_twice_and_done_once(
    client: httpx.AsyncClient, database: Database, how: str, state: str, event: str, then: Shelf
) -> None:
    await put_on_sale(database, "mug", 10)
    held = reservation(("mug", 3))
    await ask(client, [held])

    answers = await settle(client, how, [held.reservation_id] * 2)

    assert [(each["state"], each["done"]) for each in answers] == [(state, True)] * 2
    assert await shelf(database, "mug") == then
    assert (await event_counts(database))[event, str(held.reservation_id)] == 1


@ends
async def test_what_has_ended_cannot_end_the_other_way(
    client: httpx.AsyncClient, database: Database, how: str, state: str, event: str, then: Shelf
) -> None:
    await put_on_sale(database, "mug", 10)
    held = reservation(("mug", 3))
    await ask(client, [held])
    await settle(client, how, [held.reservation_id])

    other = "releases" if how == "deductions" else "deductions"
    [answer] = await settle(client, other, [held.reservation_id])

    assert (answer["state"], answer["done"]) == (state, False)
    assert await shelf(database, "mug") == then
    assert [kind for kind, _ in await published(database)] == ["inventory.reserved", event]


@pytest.mark.parametrize("how", ["releases", "deductions"])
async def test_of_what_was_refused_nothing_can_be_given_back_or_taken(
    client: httpx.AsyncClient, database: Database, how: str
) -> None:
    await put_on_sale(database, "mug", 10)
    refused = reservation(("mug", 11))
    await ask(client, [refused])

    [answer] = await settle(client, how, [refused.reservation_id])

    assert (answer["state"], answer["done"]) == ("REFUSED", False)
    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=0)
    assert await published(database) == []


async def test_a_reservation_that_arrives_after_its_release_holds_nothing(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    late = reservation(("mug", 3))

    [released] = await settle(client, "releases", [late.reservation_id])
    [answer] = (await ask(client, [late])).json()["reservations"]

    assert (released["state"], released["done"]) == ("RELEASED", True)
    assert (answer["state"], answer["all_available"]) == ("RELEASED", False)
    assert answer["items"] == [{"product_id": "mug", "requested": 3, "available": 0, "is_available": False}]
    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=0)
    assert await published(database) == []
    assert await settle(client, "releases", [late.reservation_id]) == [released]


async def test_a_hold_that_was_released_is_not_promised_to_whoever_asks_again(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    held = reservation(("mug", 3))
    await ask(client, [held])
    await settle(client, "releases", [held.reservation_id])

    [answer] = (await ask(client, [held])).json()["reservations"]

    assert (answer["state"], answer["all_available"]) == ("RELEASED", False)


async def test_an_unknown_reservation_cannot_be_deducted_and_is_not_made_by_trying(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    unknown = reservation(("mug", 3))

    answer = await settle(client, "deductions", [unknown.reservation_id])

    assert answer == [{"reservation_id": str(unknown.reservation_id), "state": None, "done": False}]
    assert (await ask(client, [unknown])).json()["reservations"][0]["state"] == "HELD"


async def test_each_in_a_request_gets_an_answer_of_its_own(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    held, released, refused = reservation(("mug", 1)), reservation(("mug", 2)), reservation(("mug", 99))
    await ask(client, [held, released, refused])
    await settle(client, "releases", [released.reservation_id])

    answers = await settle(
        client, "deductions", [each.reservation_id for each in (refused, held, released)] + [uuid7()]
    )

    assert [(each["state"], each["done"]) for each in answers] == [
        ("REFUSED", False),
        ("DEDUCTED", True),
        ("RELEASED", False),
        (None, False),
    ]
    assert await shelf(database, "mug") == Shelf(on_hand=9, reserved=0)


async def test_five_hundred_end_in_one_request(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 500)
    wanted = [reservation(("mug", 1)) for _ in range(500)]
    for start in range(0, 500, 100):
        await ask(client, wanted[start : start + 100])

    answers = await settle(client, "deductions", [each.reservation_id for each in wanted])

    assert all(each["done"] for each in answers)
    assert await shelf(database, "mug") == Shelf(on_hand=0, reserved=0)


async def test_ends_are_steps_of_the_sequences(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    one, other = reservation(("mug", 1)), reservation(("mug", 1))
    await ask(client, [one, other])

    with record() as recording:
        await settle(client, "releases", [one.reservation_id])
        await settle(client, "deductions", [other.reservation_id])

    assert [(each.participant, each.action, each.emits) for each in recording.steps] == [
        ("InventoryService", "releaseInventory", ("InventoryReleased",)),
        ("InventoryService", "deductInventory", ("InventoryDeducted",)),
    ]
