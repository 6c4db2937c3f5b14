"""The history of orders that ended long ago is forgotten where somebody wants that; what they know themselves stays."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.ids import first_uuid7_at
from sales.orders.old_history import _PAGE, Forgetting, forget_old_history
from sales.settings import SalesSettings
from services.sales.tests.factories import Sales
from tests.harness.plans import either_plan, examined, explained, filled
from tests.harness.postgres import PostgresServer

YEAR = timedelta(days=365)
_ORDER = """
    INSERT INTO orders (id, customer_id, status, reservation_id, subtotal, shipping_cost, total, currency,
        shipping_address, created_at, updated_at, shipped_at, delivered_at, cancelled_at, cancel_reason)
    VALUES (:id, 'grace', :status, :id, 0, 0, 0, 'EUR',
        '{"name": "Ada", "line1": "12 Analytical Row", "city": "Springfield", "postal_code": "1", "country": "US"}',
        :made, :made, CASE WHEN :status IN ('SHIPPED', 'DELIVERED') THEN CAST(:made AS timestamptz) END,
        CASE WHEN :status = 'DELIVERED' THEN CAST(:ended AS timestamptz) END,
        CASE WHEN :status = 'CANCELLED' THEN CAST(:ended AS timestamptz) END,
        CASE WHEN :status = 'CANCELLED' THEN 'too late' END)
    RETURNING 1
"""
_HISTORY = """
    INSERT INTO order_history (order_id, at, kind, from_status, to_status, actor)
    SELECT :id, now(), kind, from_status, to_status, 'grace' FROM (VALUES
        ('changed', NULL, 'PENDING_SHIPMENT'), ('changed', 'PENDING_SHIPMENT', :status), ('refused', :status, 'SHIPPED')
    ) AS steps (kind, from_status, to_status)
    RETURNING 1
"""
_number = iter(range(1, 1 << 20))


async def an_old_order(sales: Sales, status: str, ended: timedelta, made: timedelta = 2 * YEAR) -> UUID:
    now = datetime.now(UTC)
    id = UUID(int=first_uuid7_at(now - made).int + next(_number))
    await sales.rows(_ORDER.replace(":status", f"'{status}'"), id=id, made=now - made, ended=now - ended)
    await sales.rows(_HISTORY.replace(":status", f"'{status}'"), id=id)
    return id


async def forget(sales: Sales) -> int:
    return await forget_old_history(sales.service.database, YEAR)


async def entries(sales: Sales, order_id: UUID) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await sales.get(f"/{order_id}/timeline")).json()["entries"]
    return found


async def test_only_of_orders_that_ended_long_ago_is_the_history_forgotten(sales: Sales) -> None:
    long_ago, lately = YEAR + timedelta(days=1), YEAR - timedelta(days=1)
    gone = [await an_old_order(sales, status, long_ago) for status in ("DELIVERED", "CANCELLED")]
    kept = [await an_old_order(sales, status, lately) for status in ("DELIVERED", "CANCELLED", "SHIPPED")]

    assert await forget(sales) == 6
    assert await forget(sales) == 0

    left = await sales.rows("SELECT DISTINCT order_id FROM order_history")
    assert {row["order_id"] for row in left} == set(kept)
    assert await sales.count("orders") == len(gone + kept)


async def test_what_an_order_remembers_itself_its_timeline_still_shows(sales: Sales) -> None:
    delivered = await an_old_order(sales, "DELIVERED", timedelta(days=400))
    cancelled = await an_old_order(sales, "CANCELLED", timedelta(days=400))
    whole = await entries(sales, delivered)

    await forget(sales)

    assert len(whole) == 3
    assert [(each["to_status"], each["actor"]) for each in await entries(sales, delivered)] == [
        ("PENDING_SHIPMENT", "grace"),
        ("SHIPPED", "forgotten"),
        ("DELIVERED", "forgotten"),
    ]
    created, ended = await entries(sales, cancelled)
    assert (ended["to_status"], ended["reason"]) == ("CANCELLED", "too late")
    assert datetime.fromisoformat(created["at"]) < datetime.fromisoformat(ended["at"])


async def test_page_after_page_is_forgotten_and_what_has_not_ended_holds_up_nobody(sales: Sales) -> None:
    first = first_uuid7_at(datetime.now(UTC) - 2 * YEAR)
    numbered = "overlay(CAST(:first AS text) placing lpad(to_hex(n), 12, '0') from 25)::uuid"
    await sales.rows(
        f"INSERT INTO order_history (order_id, at, kind, to_status, actor) SELECT {numbered}, now(), 'changed',"
        f" 'CANCELLED', '' FROM generate_series(1, {2 * _PAGE}) AS n RETURNING 1",
        first=str(first),
    )
    # The first half of them have not ended.
    await sales.rows(
        "INSERT INTO orders (id, customer_id, status, reservation_id, subtotal, shipping_cost, total, currency,"
        " shipping_address, created_at, updated_at, cancelled_at)"
        f" SELECT {numbered}, '', CASE WHEN n > {_PAGE} THEN 'CANCELLED' ELSE 'SHIPPED' END, {numbered}, 0, 0, 0,"
        f" 'EUR', '{{}}', now(), now(), CASE WHEN n > {_PAGE} THEN now() - interval '700 days' END"
        f" FROM generate_series(1, {2 * _PAGE}) AS n RETURNING 1",
        first=str(first),
    )

    async with asyncio.timeout(60):
        assert await forget(sales) == _PAGE
    assert await sales.count("order_history") == _PAGE


async def test_nothing_is_forgotten_unless_somebody_says_when(sales: Sales) -> None:
    assert SalesSettings.model_fields["history_kept"].default is None
    with pytest.raises(ValueError, match="greater than or equal to 60 days"):
        SalesSettings.model_validate(sales.settings_like().model_dump() | {"history_kept": timedelta(days=59)})


FILL = [
    """
    INSERT INTO orders (id, customer_id, status, reservation_id, subtotal, shipping_cost, total, currency,
        shipping_address, created_at, updated_at, delivered_at)
    SELECT id, 'grace', 'DELIVERED', id, 0, 0, 0, 'EUR', '{}', now(), now(), to_timestamp(n)
    FROM generate_series(1, 100000) AS n CROSS JOIN LATERAL (
        SELECT (lpad(to_hex(n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid AS id
    ) AS made
    """,
    """
    INSERT INTO order_history (order_id, at, kind, to_status, actor)
    SELECT id, now(), 'changed', 'DELIVERED', 'grace' FROM orders CROSS JOIN generate_series(1, 3)
    """,
    "VACUUM ANALYZE",
]


@pytest.fixture(scope="module")
def grown(postgres_server: PostgresServer) -> Iterator[str]:
    with filled(postgres_server, "sales", *FILL) as url:
        yield url


@either_plan
async def test_a_page_is_forgotten_without_looking_at_the_others(grown: str, *, generic: bool) -> None:
    nodes = await explained(grown, Forgetting(datetime.now(UTC)), generic=generic)

    for table, each in {"order_history": 3, "orders": 1}.items():
        scans = [node for node in nodes if node.get("Relation Name") == table and "Scan" in node["Node Type"]]
        assert not [scan for scan in scans if scan["Node Type"] == "Seq Scan"]
        assert sum(map(examined, scans)) <= 3 * each * _PAGE
