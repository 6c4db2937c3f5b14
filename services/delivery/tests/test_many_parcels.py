"""Thousands of parcels that become ready at once: they leave in batches, and between these everybody is answered."""

import asyncio
from collections import Counter

from chassis.ids import uuid7

from .factories import Desk
from .factories_desk import Clerk, of, wait

MANY = 2_000
MORE = """
    INSERT INTO shipments (id, order_id, reservation_id, status, order_status, items, shipping_address, created_at,
        traceparent)
    SELECT (:ids ::uuid[])[n], gen_random_uuid(), gen_random_uuid(), 'READY', 'PENDING_SHIPMENT', items,
        shipping_address, now(), traceparent
    FROM shipments, generate_series(1, :many) AS n
"""


async def test_two_thousand_parcels_leave_in_batches_and_others_are_answered_in_between(desk: Desk) -> None:
    await wait(desk, of())
    await desk.query(MORE, ids=[uuid7() for _ in range(MANY)], many=MANY)
    clerk = Clerk(desk, "other")
    answered_at_batch: Counter[int] = Counter()

    flying = asyncio.create_task(desk.run("dispatch_due"))
    while not flying.done():
        answers = await asyncio.gather(clerk.get("/work-list", limit=1), desk.get("?limit=1"))
        assert [answer.status_code for answer in answers] == [200, 200]
        answered_at_batch[len(desk.product.asked)] += 1

    assert await flying == MANY + 1
    batches = [len(batch) for batch in desk.product.asked]
    assert max(batches) <= 100
    assert sum(batches) == MANY + 1
    # Between most of them, that is: two may follow each other faster than anybody asks.
    assert len(answered_at_batch) >= len(batches) // 2
    statuses = await desk.query("SELECT status, count(*) FROM shipments GROUP BY status")
    assert [tuple(row.values()) for row in statuses] == [("SHIPPED", MANY + 1)]
