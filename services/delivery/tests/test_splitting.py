"""A parcel is split in two: what is in them, who hears of it, and what is refused."""

from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from contracts.sales.orders import OrderStatus

from .factories import TRACKED, Desk, a_message, an_order, cancelled, code, paid
from .factories_parcels import A, B, a_large_order, content, in_parcels, parcels_of, some, split, told_of

WHOLE = Counter({A: 6, B: 3})


async def test_what_is_taken_out_is_a_parcel_of_its_own(desk: Desk) -> None:
    order = a_large_order()
    ready = await desk.ready(order)

    answer = await split(desk, ready, some(product_456=2, product_789=3))

    new = answer.json()
    assert answer.status_code == 201
    assert (new["number"], new["status"], new["order_id"]) == (2, "READY", str(order.order_id))
    assert new["items"] == [{"product_id": A, "quantity": 2}, {"product_id": B, "quantity": 3}]
    assert new["shipping_address"] == ready["shipping_address"]
    assert new["allowed_actions"] == ["dispatch", "split"]
    rest = await desk.again(ready)
    assert (rest["number"], rest["items"]) == (1, [{"product_id": A, "quantity": 4}])
    assert await desk.again(new) == new
    assert content([rest, new]) == WHOLE


async def test_both_parcels_are_told_whole(desk: Desk) -> None:
    ready = await desk.ready(a_large_order())

    new = (await split(desk, ready, some(product_456=2))).json()
    await split(desk, new, some(product_456=1))

    told = [(one["number"], one["version"], content([one])) for one in await told_of(desk, "shipment.updated")]
    assert told == [
        (1, 2, Counter({A: 4, B: 3})),
        (2, 1, Counter({A: 2})),
        (2, 2, Counter({A: 1})),
        (3, 1, Counter({A: 1})),
    ]
    first, *_ = await told_of(desk, "shipment.updated")
    assert first == {
        "shipment_id": ready["shipment_id"],
        "order_id": ready["order_id"],
        "number": 1,
        "version": 2,
        "status": "READY",
        "items": [{"product_id": A, "quantity": 4}, {"product_id": B, "quantity": 3}],
        "is_first_to_leave": False,
    }
    assert await told_of(desk, "order.status_updated") == []


async def test_who_split_it_and_how_is_on_record(desk: Desk) -> None:
    ready = await desk.ready(a_large_order())

    new = (await split(desk, ready, some(product_456=2))).json()

    of_the_old, of_the_new = await desk.audited()
    assert (of_the_old["actor"], of_the_old["action"]) == ("clerk", "shipment.split")
    assert of_the_old["entity_id"] == ready["shipment_id"]
    assert (content([of_the_old["before"]]), content([of_the_old["after"]])) == (WHOLE, Counter({A: 4, B: 3}))
    assert of_the_old["after"]["into"] == new["shipment_id"]
    assert (of_the_new["action"], of_the_new["entity_id"]) == ("shipment.split_off", new["shipment_id"])
    assert content([of_the_new["after"]]) == Counter({A: 2})
    assert "Analytical" not in str(of_the_old) + str(of_the_new)


async def test_a_parcel_on_hold_can_be_split_and_both_wait_for_the_money(desk: Desk) -> None:
    order = a_large_order(status=OrderStatus.PENDING)
    parcels = await in_parcels(desk, 2, order=order)

    assert [parcel["status"] for parcel in parcels] == ["ON_HOLD", "ON_HOLD"]
    await desk.hear(paid(order))
    assert [parcel["status"] for parcel in await parcels_of(desk, parcels[0])] == ["READY", "READY"]
    assert (await desk.dispatch(parcels[1], TRACKED)).status_code == 200
    [status] = await told_of(desk, "order.status_updated")
    assert status["previous_status"] == "CONFIRMED"


@pytest.mark.rule("BR-PARC-002")
async def test_when_the_order_is_cancelled_none_of_its_parcels_leaves(desk: Desk) -> None:
    order = a_large_order()
    parcels = await in_parcels(desk, 2, 1, order=order)

    await desk.hear(cancelled(order))

    assert [parcel["status"] for parcel in await parcels_of(desk, parcels[0])] == ["STOPPED"] * 3
    stopped = [row for row in await desk.audited() if row["action"] == "shipment.stopped"]
    assert {row["entity_id"] for row in stopped} == {parcel["shipment_id"] for parcel in parcels}
    assert len(await told_of(desk, "shipment.updated")) == 4  # of the two splits


async def test_another_order_s_parcels_are_left_as_they_are(desk: Desk) -> None:
    other = await desk.ready(a_large_order())
    order = a_large_order()
    await in_parcels(desk, 2, order=order)

    await desk.hear(cancelled(order))

    assert await desk.again(other) == other


async def test_the_order_s_creation_told_again_makes_no_further_parcel(desk: Desk) -> None:
    order = a_large_order()
    parcels = await in_parcels(desk, 2, order=order)

    await desk.hear(a_message(order))

    assert await parcels_of(desk, parcels[0]) == parcels
    assert await desk.query("SELECT error FROM parked_events") == []


@pytest.mark.parametrize(
    ("items", "has"),
    [
        ([(A, 7)], [6]),
        ([(A, 1), (B, 4)], [3]),
        ([(A, 4), (A, 3)], [6, 6]),
        ([("product_000", 1)], [0]),
        ([(A, 6), (B, 3)], [6, 3]),
    ],
    ids=["too many", "too many of one", "too many together", "not in it", "all of it"],
)
async def test_a_split_that_does_not_come_out_is_refused(
    desk: Desk, items: list[tuple[str, int]], has: list[int]
) -> None:
    ready = await desk.ready(a_large_order())

    answer = await split(desk, ready, {"items": [{"product_id": name, "quantity": n} for name, n in items]})

    assert (answer.status_code, code(answer)) == (400, "INVALID_SPLIT")
    details = answer.json()["error"]["details"]
    assert [detail["available"] for detail in details] == has
    assert {detail["product_id"] for detail in details} <= {name for name, _ in items}
    assert await parcels_of(desk, ready) == [ready]
    assert await desk.published() == await desk.audited() == []


async def test_a_variant_is_named_by_its_id(desk: Desk) -> None:
    order = an_order()
    ready = await desk.ready(order)
    variant = str(order.items[1].variant_id)

    nameless = await split(desk, ready, some(product_789=1))
    named = await split(desk, ready, {"items": [{"product_id": B, "variant_id": variant, "quantity": 1}]})

    assert (nameless.status_code, code(nameless)) == (400, "INVALID_SPLIT")
    assert named.json()["items"] == [{"product_id": B, "variant_id": variant, "quantity": 1}]


async def test_what_has_left_or_was_stopped_cannot_be_split(desk: Desk) -> None:
    order = a_large_order()
    shipped = (await desk.dispatch(await desk.ready(a_large_order()), TRACKED)).json()
    stopped = await desk.ready(order)
    await desk.hear(cancelled(order))

    for parcel in (shipped, stopped):
        answer = await split(desk, parcel, some(product_456=1))
        assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")
        assert len(await parcels_of(desk, parcel)) == 1
    await desk.confirm(shipped)
    assert code(await split(desk, shipped, some(product_456=1))) == "INVALID_STATUS_TRANSITION"


async def test_an_order_is_in_twenty_parcels_at_most(desk: Desk) -> None:
    ready = await desk.ready(a_large_order(items=[{"product_id": A, "quantity": 30, "unit_price": "1.00"}]))
    for _ in range(19):
        assert (await split(desk, ready, some(product_456=1))).status_code == 201

    answer = await split(desk, ready, some(product_456=1))

    assert (answer.status_code, code(answer)) == (409, "TOO_MANY_PARCELS")
    parcels = await parcels_of(desk, ready)
    assert [parcel["number"] for parcel in parcels] == list(range(1, 21))
    assert content(parcels) == Counter({A: 30})
    assert "split" not in (await desk.again(ready))["allowed_actions"]


async def test_a_single_piece_cannot_be_split_and_nobody_offers_to(desk: Desk) -> None:
    ready = await desk.ready(a_large_order(items=[{"product_id": A, "quantity": 1, "unit_price": "1.00"}]))

    assert ready["allowed_actions"] == ["dispatch"]
    assert code(await split(desk, ready, some(product_456=1))) == "INVALID_SPLIT"


async def test_shipments_that_do_not_exist_cannot_be_split(desk: Desk) -> None:
    answer = await split(desk, {"shipment_id": uuid4()}, some(product_456=1))

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")


async def test_the_same_request_with_the_same_key_splits_once(desk: Desk) -> None:
    ready = await desk.ready(a_large_order())

    first = await split(desk, ready, some(product_456=2), key="pack-1")
    again = await split(desk, ready, some(product_456=2), key="pack-1")
    other = await split(desk, ready, some(product_456=3), key="pack-1")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, code(other)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(await parcels_of(desk, ready)) == 2


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"items": []},
        {"items": [{}]},
        {"items": [{"product_id": A}]},
        {"items": [{"product_id": A, "quantity": 0}]},
        {"items": [{"product_id": A, "quantity": -1}]},
        {"items": [{"product_id": A, "quantity": 1.5}]},
        {"items": [{"product_id": A, "quantity": "1"}]},
        {"items": [{"product_id": A, "quantity": 10**30}]},
        {"items": [{"product_id": "\x00", "quantity": 1}]},
        {"items": [{"product_id": "a b", "quantity": 1}]},
        {"items": [{"product_id": A, "variant_id": "x", "quantity": 1}]},
        {"items": [{"product_id": A, "quantity": 1, "order_id": "1"}]},
        {"items": [{"product_id": A, "quantity": 1}] * 51},
        {"items": [{"product_id": A, "quantity": 1}], "status": "SHIPPED"},
    ],
)
async def test_strange_splits_are_refused_politely(desk: Desk, body: Any) -> None:
    ready = await desk.ready(a_large_order())

    answer = await split(desk, ready, body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await parcels_of(desk, ready) == [ready]
