"""How PostgreSQL finds a page of the work list among 100,000 shipments: what it looks at is bounded."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.db import Database
from delivery.desk.work_list import Wanted, page_of_work
from tests.harness.plans import either_plan, examined, explained, filled
from tests.harness.postgres import PostgresServer

COUNT = 100_000
READY = 20_000
LIMIT = 20
ON_LISTS = 200
VARIANT = UUID("00000000-0000-7000-8000-000000000007")
# A minute between each two, the oldest first; the newest 20,000 are ready: whoever looks for them from the beginning
# meets all the others before. `common` is in every second, `rare` in the last five, the last 200 go to Iceland, where
# postal codes begin with 9.
FILL = f"""
    INSERT INTO shipments (id, order_id, reservation_id, status, order_status, items, shipping_address, created_at,
        traceparent, carrier, tracking_number, shipped_at, delivered_at)
    SELECT
        (lpad(to_hex(ms), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid,
        gen_random_uuid(), gen_random_uuid(),
        CASE WHEN n >= {COUNT - READY} THEN 'READY' ELSE 'DELIVERED' END, 'PENDING_SHIPMENT',
        jsonb_build_array(
            jsonb_build_object('product_id', CASE WHEN n % 2 = 0 THEN 'common' ELSE 'p' || n % 997 END, 'quantity', 1),
            jsonb_build_object('product_id', CASE WHEN n >= {COUNT - 5} THEN 'rare' ELSE 'q' || n % 991 END,
                'variant_id', '{VARIANT}', 'quantity', 2)),
        jsonb_build_object('name', 'Ada', 'line1', '1 Row', 'city', 'Springfield',
            'country', CASE WHEN n >= {COUNT - 200} THEN 'IS' ELSE 'US' END,
            'postal_code',
            CASE WHEN n >= {COUNT - 200} THEN '9' ELSE (n % 8)::text END || lpad((n % 997)::text, 4, '0')),
        to_timestamp(ms / 1000.0), '00-0-0-00',
        CASE WHEN n < {COUNT - READY} THEN 'FedEx' END, CASE WHEN n < {COUNT - READY} THEN 'TRK' || n END,
        CASE WHEN n < {COUNT - READY} THEN now() END, CASE WHEN n < {COUNT - READY} THEN now() END
    FROM (
        SELECT n, floor(extract(epoch FROM now()) * 1000)::bigint - ({COUNT} - n) * 60000::bigint AS ms
        FROM generate_series(0, {COUNT - 1}) AS n
    ) AS numbered;
    INSERT INTO pick_lists (id, taken_by, taken_at, status) VALUES ('{VARIANT}', 'clerk', now(), 'OPEN');
    INSERT INTO pick_list_parcels (pick_list_id, shipment_id, items, outcome)
    SELECT '{VARIANT}', id, items, CASE status WHEN 'READY' THEN 'WAITING' ELSE 'DISPATCHED' END FROM (
        (SELECT id, status, items FROM shipments WHERE status = 'READY' ORDER BY id LIMIT {ON_LISTS}) UNION ALL
        (SELECT id, status, items FROM shipments WHERE status = 'DELIVERED' ORDER BY id LIMIT 10000)) AS picked
"""


@pytest.fixture(scope="module")
def large(postgres_server: PostgresServer) -> Iterator[str]:
    """A warehouse."""
    vacuumed = ("VACUUM ANALYZE shipments", "ANALYZE pick_list_parcels")
    with filled(postgres_server, "delivery", FILL, *vacuumed) as url:
        yield url


@dataclass(frozen=True)
class Plan:
    """What a statement has looked at."""

    indexes: set[str]
    kinds: set[str]
    examined: int
    """Of the shipments."""


async def plan_of(url: str, *, generic: bool = False, **wanted: Any) -> Plan:
    """Of the very statement that the list is read with."""
    page = Wanted.model_validate({"limit": LIMIT} | wanted)
    nodes = await explained(url, lambda session: page_of_work(session, page), generic=generic)
    scans = [node for node in nodes if node.get("Relation Name") == "shipments"]
    indexes = {node["Index Name"] for node in nodes if "Index Name" in node}
    return Plan(indexes, {scan["Node Type"] for scan in scans}, sum(map(examined, scans)))


@either_plan
@pytest.mark.parametrize(
    ("wanted", "most"),
    [
        ({}, 0),
        ({"older_than": timedelta(days=13)}, 0),
        ({"older_than": timedelta(minutes=1)}, 0),
        ({"older_than": timedelta(days=365)}, 0),
        ({"product_id": "rare"}, 5),
        ({"product_id": "q17"}, READY // 900),
        ({"product_id": "nowhere"}, 0),
        ({"product_id": "rare", "variant_id": VARIANT}, 5),
        ({"country": "IS"}, 0),
        ({"country": "US"}, 0),
        ({"country": "DE"}, 0),
        ({"postal_code": "9"}, 200),
        ({"postal_code": "10"}, READY // 8),
        ({"postal_code": "nowhere"}, 0),
        ({"picked": True}, ON_LISTS),
        ({"picked": False}, ON_LISTS),
        ({"product_id": "rare", "country": "IS", "postal_code": "9", "picked": False}, 200),
    ],
    ids=str,
)
async def test_no_more_is_looked_at_than_fits_the_filter_and_the_page(
    large: str, wanted: dict[str, Any], most: int, *, generic: bool
) -> None:
    plan = await plan_of(large, generic=generic, **wanted)

    assert plan.kinds <= {"Index Scan", "Bitmap Heap Scan", "Index Only Scan"}
    # Twice what is looked up: once in its index, and once more as part of the page.
    assert plan.examined <= 2 * most + LIMIT + 1


@either_plan
@pytest.mark.parametrize("wanted", [{"product_id": "common"}, {"postal_code": "1"}], ids=str)
async def test_what_is_common_costs_at_most_what_it_is_common_in(
    large: str, wanted: dict[str, Any], *, generic: bool
) -> None:
    plan = await plan_of(large, generic=generic, **wanted)

    assert plan.examined <= 2 * READY // 2 + LIMIT + 1


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "ix_shipments_ready"),
        ({"older_than": timedelta(days=13)}, "ix_shipments_ready"),
        ({"product_id": "rare"}, "ix_shipments_ready_products"),
        ({"country": "IS"}, "ix_shipments_ready_country"),
        ({"postal_code": "9"}, "ix_shipments_ready_postal_code"),
        ({"picked": True}, "uq_pick_list_parcels_waiting"),
    ],
)
async def test_each_filter_has_its_index(large: str, wanted: dict[str, Any], index: str) -> None:
    assert index in (await plan_of(large, **wanted)).indexes


async def test_what_is_being_dispatched_or_has_left_is_in_none_of_them(large: str) -> None:
    database = Database(large, application_name="test")
    async with database.begin() as session:
        connection = await session.connection()
        sizes = await connection.exec_driver_sql(
            "SELECT relname, reltuples FROM pg_class WHERE relname LIKE 'ix_shipments_ready%%'"
        )
        found = {row.relname: row.reltuples for row in sizes}
    await database.close()

    assert len(found) == 4
    assert all(entries <= 2.2 * READY for entries in found.values())  # two products in each, counted roughly
