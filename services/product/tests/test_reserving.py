"""Holding stock: all or nothing, and once."""

from uuid import uuid4

import httpx
import pytest

from chassis.db import Database
from chassis.ids import uuid7
from chassis.steps import record
from contracts.product.inventory import Reservation
from services.product.tests.factories import (
    Shelf,
    add_variant,
    as_service,
    ask,
    item,
    published,
    put_on_sale,
    reservation,
    reserved,
    restock,
    settle,
    shelf,
)


async def test_what_is_held_is_answered_with_names_and_prices(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10, name="Stoneware mug", price=14_05)
    wanted = reservation(("mug", 3))

    answer = await ask(client, [wanted])

    assert answer.status_code == 200
    assert answer.json() == {
        "reservations": [
            {
                "reservation_id": str(wanted.reservation_id),
                "state": "HELD",
                "all_available": True,
                "items": [
                    {
                        "product_id": "mug",
                        "requested": 3,
                        "available": 10,
                        "is_available": True,
                        "name": "Stoneware mug",
                        "unit_price": "14.05",
                        "currency": "EUR",
                        "weight_grams": 0,
                    }
                ],
            }
        ]
    }
    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=3)


@pytest.mark.rule("BR-ORD-001")
async def test_when_one_of_two_items_is_short_nothing_is_held(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "kettle", 1)

    answer = (await ask(client, [reservation(("mug", 3), ("kettle", 2))])).json()["reservations"][0]

    assert (answer["state"], answer["all_available"]) == ("REFUSED", False)
    assert [each["is_available"] for each in answer["items"]] == [True, False]
    assert await reserved(database) == {"mug": 0, "kettle": 0}
    assert await published(database) == []


async def test_lines_of_the_same_product_are_held_together_or_not_at_all(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    fits, exceeds = reservation(("mug", 3), ("mug", 2)), reservation(("mug", 3), ("mug", 3))

    answers = (await ask(client, [fits, exceeds])).json()["reservations"]

    assert [each["state"] for each in answers] == ["HELD", "REFUSED"]
    assert await reserved(database) == {"mug": 5}
    assert [content["items"] for _, content in await published(database)] == [[{"product_id": "mug", "quantity": 5}]]


async def test_in_one_request_first_come_is_first_served(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    answers = (await ask(client, [reservation(("mug", count)) for count in (6, 5, 4)])).json()["reservations"]

    assert [each["state"] for each in answers] == ["HELD", "REFUSED", "HELD"]
    assert [each["items"][0]["available"] for each in answers] == [10, 4, 4]


@pytest.mark.rule("BR-PROD-002")
async def test_what_cannot_be_had_at_all_is_refused_with_the_reason(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "off-sale", 10, is_active=False)
    await put_on_sale(database, "shirt", 10)
    await add_variant(database, "shirt", 10)
    wanted = [
        reservation(("unheard-of", 1)),
        reservation(item("mug", 1, uuid4())),
        reservation(("off-sale", 1)),
        reservation(("shirt", 1)),
        reservation(("mug", 11)),
    ]

    answers = (await ask(client, wanted)).json()["reservations"]

    assert [each["state"] for each in answers] == ["REFUSED"] * 5
    assert [each["items"][0].get("reason") for each in answers] == [
        "UNKNOWN",
        "UNKNOWN",
        "NOT_ON_SALE",
        "VARIANT_REQUIRED",
        None,
    ]
    assert [each["items"][0]["available"] for each in answers] == [0, 0, 0, 0, 10]
    assert await reserved(database) == {"mug": 0, "off-sale": 0, "shirt": 0}
    # What was refused is answered so again, with its reason.
    assert (await ask(client, wanted)).json()["reservations"] == answers


async def test_asked_again_it_is_answered_as_the_first_time_and_holds_nothing_more(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    wanted = [reservation(("mug", 3)), reservation(("mug", 30))]
    first = (await ask(client, wanted)).json()

    again = [(await ask(client, wanted)).json() for _ in range(2)]

    assert again == [first, first]
    assert await reserved(database) == {"mug": 3}
    assert [kind for kind, _ in await published(database)] == ["inventory.reserved"]


async def test_a_repetition_takes_nothing_from_those_that_come_with_it(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    first = reservation(("mug", 6))
    await ask(client, [first])

    answers = (await ask(client, [first, reservation(("mug", 4))])).json()["reservations"]

    assert [each["state"] for each in answers] == ["HELD", "HELD"]


async def test_twice_in_one_request_is_answered_twice_and_held_once(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    twice = reservation(("mug", 6))

    answers = (await ask(client, [twice, reservation(("mug", 3)), twice])).json()["reservations"]

    assert answers[0] == answers[2]
    assert [each["state"] for each in answers] == ["HELD"] * 3
    assert await reserved(database) == {"mug": 9}


async def test_the_first_price_stays_when_the_price_has_changed(client: httpx.AsyncClient, database: Database) -> None:
    from product.catalog.model import Product

    await put_on_sale(database, "mug", 10, price=14_00)
    wanted = reservation(("mug", 1))
    await ask(client, [wanted])
    async with database.begin() as session:
        (await session.get_one(Product, "mug")).price = 99_00

    again = (await ask(client, [wanted])).json()["reservations"][0]

    assert again["items"][0]["unit_price"] == "14.00"


async def test_who_was_refused_stays_refused_when_there_is_stock_again(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 1)
    wanted = reservation(("mug", 2))
    first = (await ask(client, [wanted])).json()
    await restock(database, "mug", 100)

    again = (await ask(client, [wanted])).json()

    assert again == first
    assert await shelf(database, "mug") == Shelf(on_hand=100, reserved=0)


async def test_the_same_id_with_other_items_is_a_conflict(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    first = reservation(("mug", 3))
    await ask(client, [first])

    answer = await ask(client, [reservation(("mug", 4), id=first.reservation_id)])

    assert answer.status_code == 409
    error = answer.json()["error"]
    assert error["code"] == "RESERVATION_MISMATCH"
    assert error["details"][0]["reservation_id"] == str(first.reservation_id)
    assert await reserved(database) == {"mug": 3}


async def test_a_mismatch_answers_its_request_and_leaves_the_others_held(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    first, good = reservation(("mug", 1)), reservation(("mug", 2))
    await ask(client, [first])

    answer = await ask(client, [reservation(("mug", 4), id=first.reservation_id), good])

    assert answer.status_code == 409
    assert await reserved(database) == {"mug": 3}
    assert (await ask(client, [good])).json()["reservations"][0]["state"] == "HELD"


async def test_two_that_share_an_id_in_one_request_but_not_their_items_are_a_conflict(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    first = reservation(("mug", 1))

    answer = await ask(client, [first, reservation(("mug", 2), id=first.reservation_id)])

    assert answer.status_code == 409
    assert await reserved(database) == {"mug": 1}


@pytest.mark.parametrize("count", [1, 100])
async def test_every_hold_is_published_once_with_what_it_holds(
    client: httpx.AsyncClient, database: Database, count: int
) -> None:
    await put_on_sale(database, "mug", 1000)
    await put_on_sale(database, "kettle", 1000)
    wanted = [reservation(("mug", 2), ("kettle", 1)) for _ in range(count)]

    await ask(client, wanted)

    assert await published(database) == [("inventory.reserved", _held(one)) for one in wanted]


def _held(one: Reservation) -> dict[str, object]:
    items = [{"product_id": each.product_id, "quantity": each.quantity} for each in one.items]
    return {"reservation_id": str(one.reservation_id), "items": items}


async def test_a_reservation_can_be_looked_at(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    wanted = reservation(("mug", 3))
    held = (await ask(client, [wanted])).json()["reservations"][0]
    await settle(client, "deductions", [wanted.reservation_id])
    await settle(client, "releases", [late := uuid7()])

    shown = await client.get(f"/api/v1/reservations/{wanted.reservation_id}", headers=as_service())
    tombstone = await client.get(f"/api/v1/reservations/{late}", headers=as_service())

    assert shown.json() == held | {"state": "DEDUCTED"}
    assert tombstone.json() == {
        "reservation_id": str(late),
        "state": "RELEASED",
        "all_available": False,
        "items": [],
    }


async def test_each_reservation_of_a_batch_is_a_step_in_the_trace_of_its_own(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 3)
    traces = [f"00-{number:032x}-00000000000000aa-01" for number in (1, 2)]
    body = {"reservations": [reservation(("mug", count)).model_dump(mode="json") for count in (2, 2)]}
    headers = {**as_service(), "traceparent": traces[0], "x-batch-traceparents": ",".join(traces)}

    with record() as recording:
        await client.post("/api/v1/reservations", json=body, headers=headers)

    steps = [
        (each.trace_id[-1], each.action, each.emits)
        for each in recording.steps
        if each.participant == "InventoryService"
    ]
    assert steps == [("1", "reserveInventory", ("InventoryReserved",)), ("2", "reserveInventory", ())]
