"""Who may see which orders, and what a page of them, one of them and its timeline show."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest

from chassis.ids import first_uuid7_at
from contracts.sales.orders import OrderStatus
from services.sales.tests.factories import Sales, an_order, report, wanted


async def pages(sales: Sales, customer: str = "grace", *roles: Any, **params: Any) -> list[list[str]]:
    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await sales.get("", customer, *roles, **params, **cursor)).json()
        found.append([order["order_id"] for order in page["items"]])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def test_the_pages_have_every_order_once_newest_first_while_new_ones_arrive(sales: Sales) -> None:
    orders = [an_order() for _ in range(250)]
    await sales.write(*orders)
    await sales.write(*(an_order(customer="ada") for _ in range(20)))
    newest_first = [str(order.id) for order in reversed(orders)]
    seen: list[str] = []
    cursor: dict[str, str] = {}

    while len(seen) < len(newest_first):
        page = (await sales.get("", limit=30, **cursor)).json()
        seen += [order["order_id"] for order in page["items"]]
        await sales.write(*(an_order() for _ in range(7)))
        cursor = {"cursor": page["next_cursor"] or ""}

    assert seen == newest_first
    assert cursor == {"cursor": ""}


@pytest.mark.parametrize("limit", [1, 49, 50, 51, 99, 100])
async def test_pages_of_any_size_end_where_the_list_ends(sales: Sales, limit: int) -> None:
    orders = [an_order() for _ in range(100 if limit > 1 else 5)]
    await sales.write(*orders)

    found = await pages(sales, limit=limit)

    assert [id for page in found for id in page] == [str(order.id) for order in reversed(orders)]
    assert {len(page) for page in found[:-1]} <= {limit}


async def test_without_orders_there_is_one_empty_page(sales: Sales) -> None:
    assert (await sales.get("")).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("limit", [0, -1, 101, 10**9, 10**30, "many", "", "1.5"])
async def test_a_limit_out_of_bounds_is_refused(sales: Sales, limit: Any) -> None:
    answer = await sales.get("", limit=limit)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_a_list_can_be_narrowed_to_a_status(sales: Sales) -> None:
    live = set(OrderStatus) - {OrderStatus.CANCELLED}
    orders = [an_order(status=status) for status in sorted(live) for _ in range(3)]
    await sales.write(*orders)

    found = await pages(sales, status="SHIPPED", limit=2)

    assert [id for page in found for id in page] == [
        str(order.id) for order in reversed(orders) if order.status == OrderStatus.SHIPPED
    ]


async def test_a_list_can_be_narrowed_to_a_time_from_and_before(sales: Sales) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    numbers = count()
    orders = {
        name: an_order(created_at=at, order_id=UUID(int=first_uuid7_at(at).int + next(numbers)))
        for name, at in {
            "day before": noon - timedelta(days=1),
            "just before": noon - timedelta(microseconds=1),
            "at noon": noon,
            "just after": noon + timedelta(microseconds=1),
            "day after": noon + timedelta(days=1),
        }.items()
    }
    await sales.write(*orders.values())
    names = {str(order.id): name for name, order in orders.items()}

    since = await pages(sales, created_from=noon.isoformat())
    before = await pages(sales, created_before="2026-03-01T14:00:00+02:00")
    between = await pages(
        sales, created_from=noon.isoformat(), created_before=(noon + timedelta(days=1)).isoformat(), limit=1
    )

    assert [names[id] for id in since[0]] == ["day after", "just after", "at noon"]
    assert [names[id] for id in before[0]] == ["just before", "day before"]
    assert [names[id] for page in between for id in page] == ["just after", "at noon"]


@pytest.mark.parametrize("name", ["created_from", "created_before"])
@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        "",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "99999999999999999999",
        "-99999999999",
        "NaN",
        "inf",
    ],
)
async def test_a_time_that_is_none_is_refused(sales: Sales, name: str, time: str) -> None:
    answer = await sales.get("", **{name: time})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


def packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "!!!!",
        "A" * 600,
        "ü",
        packed("null"),
        packed("7"),
        packed('"' + "0" * 31 + '"'),
        packed("[" * 500),
        packed('"00000000-0000-0000-0000-00000000000G"'),
        packed('"00000000000000000000000000000000"'),
    ],
)
async def test_a_cursor_that_is_not_ours_is_refused(sales: Sales, cursor: str) -> None:
    answer = await sales.get("", cursor=cursor)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_a_cursor_shows_nobody_the_orders_of_another(sales: Sales) -> None:
    await sales.write(*(an_order(customer="ada") for _ in range(3)), *(an_order() for _ in range(3)))
    cursor = (await sales.get("", limit=1)).json()["next_cursor"]

    stolen = (await sales.get("", "mallory", cursor=cursor)).json()
    adas = (await sales.get("", "ada", cursor=cursor)).json()

    assert stolen["items"] == []
    assert {order["customer_id"] for order in adas["items"]} == {"ada"}


@pytest.mark.rule("BR-PRIV-001")
@pytest.mark.parametrize("path", ["/{id}", "/{id}/timeline"])
async def test_an_order_of_another_customer_is_not_there(sales: Sales, path: str) -> None:
    order = an_order(customer="ada")
    await sales.write(order)

    own = await sales.get(path.format(id=order.id), "ada")
    others = await sales.get(path.format(id=order.id), "mallory")
    nobodys = await sales.get(path.format(id=uuid4()), "mallory")

    assert (own.status_code, others.status_code, nobodys.status_code) == (200, 404, 404)
    without_trace = [{**answer.json()["error"], "trace_id": ""} for answer in (others, nobodys)]
    assert without_trace[0] == without_trace[1]


@pytest.mark.rule("BR-PRIV-001")
async def test_an_admin_sees_the_orders_of_all(sales: Sales) -> None:
    orders = [an_order(customer="ada"), an_order(customer="grace")]
    await sales.write(*orders)

    [page] = await pages(sales, "root", "admin")
    one = await sales.get(f"/{orders[0].id}", "root", "admin")
    timeline = await sales.get(f"/{orders[0].id}/timeline", "root", "admin")

    assert page == [str(order.id) for order in reversed(orders)]
    assert (one.status_code, timeline.status_code) == (200, 200)


@pytest.mark.parametrize(
    "wrong", ["7", "nonsense", "0" * 31, "%00", "%ff%fe", "..%2f..%2fetc", "' OR 1=1 --", "ü", "A" * 3000, "%ED%A0%80"]
)
@pytest.mark.parametrize("path", ["/{id}", "/{id}/timeline"])
async def test_an_id_that_is_none_is_refused(sales: Sales, path: str, wrong: str) -> None:
    answer = await sales.get(path.format(id=wrong))

    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["code"] in ("VALIDATION_ERROR", "NOT_FOUND")


async def test_the_timeline_says_what_happened_when_and_who_wanted_it(sales: Sales) -> None:
    placed = (await sales.order(wanted("lamp"))).json()
    id = UUID(placed["order_id"])
    await sales.service.consumer.handle([report(id, OrderStatus.SHIPPED, event_id="evt_1")])

    said = (await sales.get(f"/{id}/timeline")).json()

    assert said["order_id"] == placed["order_id"]
    created, shipped = said["entries"]
    assert datetime.fromisoformat(created.pop("at")) == datetime.fromisoformat(placed["created_at"])
    assert datetime.now(UTC) - datetime.fromisoformat(shipped.pop("at")) < timedelta(seconds=10)
    assert created == {
        "kind": "changed",
        "from_status": None,
        "to_status": "PENDING_SHIPMENT",
        "actor": "grace",
        "event_id": None,
        "reason": None,
    }
    assert shipped == {
        "kind": "changed",
        "from_status": "PENDING_SHIPMENT",
        "to_status": "SHIPPED",
        "actor": "delivery-service",
        "event_id": "evt_1",
        "reason": None,
    }


async def test_a_page_and_one_order_show_the_same(sales: Sales) -> None:
    await asyncio.gather(*(sales.order(wanted(("lamp", 2), "desk", note=f"{n}")) for n in range(5)))

    page = (await sales.get("")).json()["items"]

    assert len(page) == 5
    for order in page:
        assert (await sales.get(f"/{order['order_id']}")).json() == order


async def test_the_lists_are_found_by_an_index(sales: Sales) -> None:
    await sales.write(*(an_order(customer=f"c{n % 50}") for n in range(1000)))
    await sales.rows(
        "INSERT INTO orders SELECT gen_random_uuid(), 'x' || n, o.status, o.reservation_id, 1, 0, 1,"
        " o.currency, o.shipping_address, NULL, NULL, NULL, o.created_at, o.updated_at"
        " FROM (SELECT * FROM orders LIMIT 1) AS o, generate_series(1, 5000) AS n RETURNING 1"
    )
    async with sales.service.database.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE orders")

    plan = await sales.rows("EXPLAIN SELECT * FROM orders WHERE customer_id = 'c7' ORDER BY id DESC LIMIT 21")

    assert "ix_orders_customer_id_id" in str(plan)
    assert "Sort" not in str(plan)
