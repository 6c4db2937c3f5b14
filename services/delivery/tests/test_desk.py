"""What the warehouse sees, who may see it, and what strange requests come to."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from chassis.auth import Role

from .factories import Desk, a_message, an_order, code


async def test_shipments_come_newest_first_in_pages_that_miss_none(desk: Desk) -> None:
    orders = [an_order() for _ in range(25)]
    for order in orders:
        await desk.hear(a_message(order))

    seen: list[str] = []
    pages, query = 0, "?limit=10"
    while query:
        page = (await desk.get(query)).json()
        seen += [item["order_id"] for item in page["items"]]
        pages += 1
        query = f"?limit=10&cursor={page['next_cursor']}" if "next_cursor" in page else ""
        await desk.hear(a_message(an_order()))  # what comes meanwhile stands before the first page

    assert pages == 3
    assert seen == [str(order.order_id) for order in reversed(orders)]


async def test_shipments_are_found_by_order_and_by_status(desk: Desk) -> None:
    ready = await desk.ready()
    shipped = await desk.shipped()

    async def found(query: str) -> list[str]:
        return [item["shipment_id"] for item in (await desk.get(query)).json()["items"]]

    assert await found("?status=READY") == [ready["shipment_id"]]
    assert await found("?status=SHIPPED") == [shipped["shipment_id"]]
    assert await found(f"?order_id={shipped['order_id']}") == [shipped["shipment_id"]]
    assert await found(f"?order_id={shipped['order_id']}&status=READY") == []
    assert await found(f"?order_id={uuid4()}") == []


@pytest.mark.parametrize(("role", "status"), [("warehouse", 200), ("admin", 200), ("customer", 403), (None, 401)])
async def test_only_the_warehouse_and_admins_come_in(desk: Desk, role: Role | None, status: int) -> None:
    parcel = f"/{(await desk.ready())['shipment_id']}"

    answers = [
        await desk.get(role=role),
        await desk.get(parcel, role=role),
        await desk.post(f"{parcel}/dispatch", role=role),
        await desk.post(f"{parcel}/delivery", role=role),
    ]

    assert [answer.status_code for answer in answers] == [status] * 4


async def test_every_route_but_the_webhook_asks_for_a_role(desk: Desk) -> None:
    document = (await desk.http.get("/openapi.json")).json()["paths"]
    open_routes = {
        (method, path)
        for path, operations in document.items()
        for method, operation in operations.items()
        if "security" not in operation
    }

    assert open_routes == {
        ("post", "/api/v1/carrier-webhooks/{carrier}"),
        ("get", "/livez"),
        ("get", "/readyz"),
    }


async def test_shipments_that_do_not_exist_are_not_found(desk: Desk) -> None:
    answer = await desk.get(f"/{uuid4()}")

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("hostile", ["1", "null", "%00", "%FF", "'%20OR%201=1", "x" * 5000, "..%5c", "{}"])
async def test_strange_ids_are_refused_politely(desk: Desk, hostile: str) -> None:
    answers = [
        await desk.get(f"/{hostile}"),
        await desk.post(f"/{hostile}/dispatch", {}),
        await desk.post(f"/{hostile}/delivery", {}),
    ]

    assert {answer.status_code for answer in answers} <= {400, 404}


@pytest.mark.parametrize(
    "query",
    ["status=GONE", "status=", "order_id=1", "limit=0", "limit=101", "limit=x", "cursor=x", "cursor=%00", "cursor="],
)
async def test_strange_queries_are_refused_politely(desk: Desk, query: str) -> None:
    answer = await desk.get(f"?{query}")

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        {"tracking_number": "abc"},
        {"tracking_number": "x" * 41},
        {"tracking_number": "TRK 123"},
        {"tracking_number": "TRK123\n"},
        {"tracking_number": 123456},
        {"carrier": ""},
        {"carrier": "   "},
        {"carrier": "x" * 41},
        {"carrier": "Fed\x00Ex"},
        {"status": "SHIPPED"},
        {"tracking_number": {"$ne": ""}},
    ],
)
async def test_strange_dispatches_are_refused_politely(desk: Desk, body: object) -> None:
    ready = await desk.ready()

    answer = await desk.dispatch(ready, body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await desk.again(ready) == ready


@pytest.mark.parametrize(
    "body",
    [
        {"delivered_at": "yesterday"},
        {"delivered_at": "2026-01-17T16:45:00"},
        {"delivered_at": "9999-12-31T23:59:59.999999-23:59"},
        {"delivered_at": "0001-01-01T00:00:00+23:59"},
        {"delivery_location": ""},
        {"delivery_location": "x" * 201},
        {"delivery_location": "NUL \x00"},
        {"delivered": True},
    ],
)
async def test_strange_confirmations_are_refused_politely(desk: Desk, body: dict[str, object]) -> None:
    shipped = await desk.shipped()

    answer = await desk.confirm(shipped, body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await desk.again(shipped) == shipped


async def test_times_in_other_zones_are_the_same_times(desk: Desk) -> None:
    shipped = await desk.shipped()
    now = datetime.now(UTC).replace(microsecond=0)

    answer = await desk.confirm(shipped, {"delivered_at": f"{now.replace(tzinfo=None).isoformat()}-00:00"})

    assert datetime.fromisoformat(answer.json()["delivered_at"]) == now
