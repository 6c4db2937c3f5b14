"""What customers see of where their parcels are: of the one that most orders are, and of several."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.sales.orders import OrderStatus
from sales.orders.model import OrderLine
from services.sales.tests.factories import Sales, an_order, report, wanted
from services.sales.tests.following import an_order_in
from services.sales.tests.parcels import FIRST, MONDAY, SECOND, TUESDAY, parcel, parcels, tracked

SHIPPED, DELIVERED = OrderStatus.SHIPPED, OrderStatus.DELIVERED
BLUE = uuid4()
LINES = [OrderLine("lamp", None, "A lamp", 2, 1999), OrderLine("shirt", BLUE, "A shirt, blue", 3, 1500)]


async def an_order_of_two_things(sales: Sales, **more: Any) -> UUID:
    return await an_order_in(sales, lines=LINES, subtotal=8498, **more)


def shirts(quantity: int) -> dict[str, Any]:
    return {"product_id": "shirt", "variant_id": str(BLUE), "quantity": quantity}


async def test_an_order_of_one_parcel_says_itself_where_that_is(sales: Sales) -> None:
    id = await an_order_of_two_things(sales)
    lamps = {"product_id": "lamp", "variant_id": None, "name": "A lamp", "quantity": 2}
    contents = [lamps, {**shirts(3), "name": "A shirt, blue"}]
    nothing = dict.fromkeys(
        ("carrier", "tracking_number", "tracking_url", "shipped_at", "delivered_at", "delivery_location")
    )

    waiting = await tracked(sales, id)
    await sales.hear(report(id, SHIPPED, shipped_at=MONDAY, **FIRST))
    on_its_way = await tracked(sales, id)
    await sales.hear(report(id, DELIVERED, delivered_at=TUESDAY, delivery_location="Front door"))
    arrived = await tracked(sales, id)

    preparing = {"number": 1, "status": "PREPARING", "items": contents, **nothing}
    shipped = {**preparing, "status": "SHIPPED", "shipped_at": "2026-03-02T09:00:00Z", **FIRST}
    assert waiting == {"order_id": str(id), "status": "PENDING_SHIPMENT", "parcels": [preparing]}
    assert on_its_way == {"order_id": str(id), "status": "SHIPPED", "parcels": [shipped]}
    assert arrived["parcels"] == [
        {
            **shipped,
            "status": "DELIVERED",
            "delivered_at": "2026-03-03T09:00:00Z",
            "delivery_location": "Front door",
        }
    ]
    assert await sales.count("order_parcels") == 0


async def test_the_order_itself_shows_the_way_to_its_tracking_and_tells_of_it(sales: Sales) -> None:
    id = await an_order_in(sales)
    before = (await sales.get(f"/{id}")).json()

    await sales.hear(report(id, SHIPPED, **FIRST))

    one, [listed] = (await sales.get(f"/{id}")).json(), (await sales.get("")).json()["items"]
    [told] = await sales.published("order.shipped")
    assert [before[name] for name in FIRST] == [None, None, None]
    for shown in (one, listed, told["data"]):
        assert {name: shown[name] for name in FIRST} == FIRST


async def test_what_an_order_is_of_and_what_sending_it_costs_is_told_when_it_is_placed(sales: Sales) -> None:
    await sales.write(an_order(lines=LINES, subtotal=8498, shipping_cost=495))

    [told] = await sales.published("order.created")

    assert [item["name"] for item in told["data"]["items"]] == ["A lamp", "A shirt, blue"]
    assert (told["data"]["shipping_cost"], told["data"]["total"]) == ("4.95", "89.93")


async def test_a_cancelled_order_has_a_stopped_parcel(sales: Sales) -> None:
    placed = (await sales.order(wanted("lamp"))).json()
    id = UUID(placed["order_id"])
    async with sales.client() as client:
        await client.post(f"/api/v1/orders/{id}/cancellation", json={})

    assert await parcels(sales, id) == [(1, "STOPPED", {"lamp": 1}, None)]


async def test_several_parcels_are_followed_one_by_one_until_the_last_has_arrived(sales: Sales) -> None:
    id = await an_order_of_two_things(sales)
    lamps, rest = {"lamp": 2}, [shirts(3)]

    await sales.hear(parcel(id, 1, 2, items=lamps), parcel(id, 2, 1, items=rest))
    split = await parcels(sales, id)
    await sales.hear(report(id, SHIPPED, **FIRST), parcel(id, 1, 3, "SHIPPED", lamps, is_first_to_leave=True, **FIRST))
    first_left = await parcels(sales, id)
    await sales.hear(parcel(id, 2, 2, "SHIPPED", rest, shipped_at=MONDAY, **SECOND))
    both_left = await parcels(sales, id)
    await sales.hear(parcel(id, 1, 4, "DELIVERED", lamps, **FIRST))
    first_arrived = await parcels(sales, id)
    await sales.hear(report(id, DELIVERED), parcel(id, 2, 3, "DELIVERED", rest, **SECOND))

    packed = ({"lamp": 2}, {"shirt": 3})
    assert split == [(1, "PREPARING", packed[0], None), (2, "PREPARING", packed[1], None)]
    assert first_left == [(1, "SHIPPED", packed[0], "TRK-1"), (2, "PREPARING", packed[1], None)]
    assert both_left == [(1, "SHIPPED", packed[0], "TRK-1"), (2, "SHIPPED", packed[1], "TRK-2")]
    assert first_arrived == [(1, "DELIVERED", packed[0], "TRK-1"), (2, "SHIPPED", packed[1], "TRK-2")]
    shown = await tracked(sales, id)
    assert shown["status"] == "DELIVERED"
    assert [(each["status"], each["carrier"], each["items"][0]["name"]) for each in shown["parcels"]] == [
        ("DELIVERED", "FedEx", "A lamp"),
        ("DELIVERED", "DHL", "A shirt, blue"),
    ]


async def test_a_parcel_that_is_lost_turns_up_again(sales: Sales) -> None:
    id = await an_order_in(sales)
    lamps = {"lamp": 2}
    await sales.hear(report(id, SHIPPED, **FIRST))

    await sales.hear(parcel(id, 1, 2, "LOST", lamps, **FIRST))
    lost = await parcels(sales, id)
    await sales.hear(parcel(id, 1, 3, "DELIVERED", lamps, **FIRST), report(id, DELIVERED))

    assert lost == [(1, "LOST", lamps, "TRK-1")]
    assert await parcels(sales, id) == [(1, "DELIVERED", lamps, "TRK-1")]


async def test_a_parcel_that_has_come_back_is_prepared_and_sent_again(sales: Sales) -> None:
    id = await an_order_in(sales)
    lamps = {"lamp": 2}
    await sales.hear(report(id, SHIPPED, shipped_at=MONDAY, **FIRST))

    await sales.hear(parcel(id, 1, 2, "RETURNED", lamps, shipped_at=MONDAY, **FIRST))
    back = await parcels(sales, id)
    await sales.hear(parcel(id, 1, 3, "READY", lamps, shipped_at=MONDAY))
    again = await parcels(sales, id)
    assert (await tracked(sales, id))["parcels"][0]["shipped_at"] is None
    await sales.hear(parcel(id, 1, 4, "SHIPPED", lamps, shipped_at=TUESDAY, **SECOND))

    assert (back, again) == ([(1, "RETURNED", lamps, "TRK-1")], [(1, "PREPARING", lamps, None)])
    assert await parcels(sales, id) == [(1, "SHIPPED", lamps, "TRK-2")]
    [told] = await sales.published("order.parcel_shipped")
    assert told["data"]["tracking_number"] == "TRK-2"


@pytest.mark.parametrize("status", ["ON_HOLD", "READY"])
async def test_what_is_not_packed_yet_is_being_prepared(sales: Sales, status: str) -> None:
    id = await an_order_in(sales)

    await sales.hear(parcel(id, 2, 1, status))

    assert [(number, seen) for number, seen, *_ in await parcels(sales, id)] == [(1, "PREPARING"), (2, "PREPARING")]


async def test_what_is_in_no_parcel_that_was_told_of_is_shown_as_one_more(sales: Sales) -> None:
    id = await an_order_of_two_things(sales)
    await sales.hear(parcel(id, 2, 1, items=[shirts(1)]))
    before = await parcels(sales, id)

    await sales.hear(report(id, SHIPPED, **FIRST))

    assert before == [(1, "PREPARING", {"lamp": 2, "shirt": 2}, None), (2, "PREPARING", {"shirt": 1}, None)]
    assert await parcels(sales, id) == [
        (1, "SHIPPED", {"lamp": 2, "shirt": 2}, "TRK-1"),
        (2, "PREPARING", {"shirt": 1}, None),
    ]


async def test_what_is_in_no_parcel_that_was_told_of_has_not_left_with_another(sales: Sales) -> None:
    id = await an_order_of_two_things(sales)

    await sales.hear(
        report(id, SHIPPED, **FIRST), parcel(id, 1, 3, "SHIPPED", {"lamp": 2}, is_first_to_leave=True, **FIRST)
    )

    assert await parcels(sales, id) == [(1, "SHIPPED", {"lamp": 2}, "TRK-1"), (2, "PREPARING", {"shirt": 3}, None)]


@pytest.mark.parametrize(("end", "seen"), [("DELIVERED", "DELIVERED"), ("CANCELLED", "STOPPED")])
async def test_with_an_order_all_of_its_parcels_have_ended(sales: Sales, end: str, seen: str) -> None:
    id = await an_order_of_two_things(sales)
    await sales.hear(parcel(id, 1, 2, items={"lamp": 2}))

    await sales.rows(
        "UPDATE orders SET status = :end, cancelled_at = CASE :end WHEN 'CANCELLED' THEN now() END"
        " WHERE id = :id RETURNING 1",
        end=end,
        id=id,
    )

    assert [status for _, status, *_ in await parcels(sales, id)] == [seen, seen]


async def test_the_tracking_of_anothers_order_is_not_there_and_admins_see_all(sales: Sales) -> None:
    id = await an_order_in(sales, customer="ada")
    await sales.hear(parcel(id, 2, 1))

    own = await sales.get(f"/{id}/tracking", "ada")
    others, nobodys = await sales.get(f"/{id}/tracking", "mallory"), await sales.get(f"/{uuid4()}/tracking", "mallory")
    admins = await sales.get(f"/{id}/tracking", "root", "admin")

    assert (own.status_code, admins.status_code) == (200, 200)
    assert own.json() == admins.json()
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in (others, nobodys)] == [
        (404, "NOT_FOUND")
    ] * 2


@pytest.mark.parametrize("wrong", ["7", "%00", "' OR 1=1 --", "A" * 3000])
async def test_an_id_that_is_none_is_refused(sales: Sales, wrong: str) -> None:
    assert (await sales.get(f"/{wrong}/tracking")).status_code in (400, 404)
