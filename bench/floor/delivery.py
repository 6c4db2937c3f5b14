"""Delivery at the floor: parcels are made of what is heard, leave by the hundred, and arrive by the hundred."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from random import choices
from typing import Any

import aiohttp
from pydantic_core import from_json, to_json

from chassis.ids import uuid7

from .messages import TRACE, WRITE_OUTBOX, Event, Heard, broker, columns, event, relay, subscribe
from .process import Connections, Given, Routes, connected, running

_CARRIER = "OrderFlow Express"
_AT_ONCE = 100
_TO_PACK = ("product_id", "quantity")
_PREPARE = """
    WITH fresh AS (
        INSERT INTO inbox (event_id, event_type) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT DO NOTHING RETURNING event_id
    )
    INSERT INTO shipments (id, order_id, reservation_id, status, items, shipping_address, created_at, traceparent)
    SELECT id, order_id, reservation_id, 'READY', items::jsonb, address::jsonb, now(), trace
    FROM unnest($1::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[])
        AS new (event_id, id, order_id, reservation_id, items, address, trace) JOIN fresh USING (event_id)
    ON CONFLICT (order_id) DO NOTHING
"""
_CLAIM = f"""
    UPDATE shipments SET dispatching_until = now() + interval '20 s', carrier = '{_CARRIER}',
        tracking_number = ($1::text[])[number]
    FROM (
        SELECT id, row_number() OVER () AS number FROM (
            SELECT id FROM shipments WHERE status = 'READY' AND dispatching_until IS NULL
            ORDER BY id LIMIT {_AT_ONCE} FOR UPDATE SKIP LOCKED
        ) AS ready
    ) AS ready
    WHERE shipments.id = ready.id RETURNING shipments.id, order_id, reservation_id, tracking_number
"""
_SHIP = """
    UPDATE shipments SET status = 'SHIPPED', shipped_at = $2, dispatching_until = NULL WHERE id = ANY($1::uuid[])
"""
_STOP = "UPDATE shipments SET status = 'STOPPED', dispatching_until = NULL WHERE id = ANY($1::uuid[])"
_ON_THEIR_WAY = f"""
    SELECT id, order_id FROM shipments WHERE status = 'SHIPPED' ORDER BY id LIMIT {_AT_ONCE} FOR UPDATE SKIP LOCKED
"""
_DELIVER = """
    UPDATE shipments SET status = 'DELIVERED', delivered_at = $2, delivery_location = 'Front door'
    WHERE id = ANY($1::uuid[])
"""


class Delivery:
    def __init__(self, database: Connections, product: aiohttp.ClientSession) -> None:
        self.filled = asyncio.Event()
        self._database = database
        self._product = product
        self._ready = asyncio.Event()
        self._shipped = asyncio.Event()

    async def prepare(self, heard: Sequence[Heard]) -> None:
        rows = [
            (
                each.id,
                each.type,
                uuid7(),
                each.data["order_id"],
                each.data["reservation_id"],
                to_json([{name: item[name] for name in _TO_PACK} for item in each.data["items"]]).decode(),
                to_json(each.data["shipping_address"]).decode(),
                TRACE,
            )
            for each in heard
        ]
        async with self._database.one() as connection:
            await connection.execute(_PREPARE, *columns(rows))
        self._ready.set()

    async def dispatch(self) -> None:
        while True:
            self._ready.clear()
            numbers = ["TRK" + "".join(choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=12)) for _ in range(_AT_ONCE)]
            async with self._database.one() as connection:
                claimed = await connection.fetch(_CLAIM, numbers)
            if claimed:
                await self._ship(claimed)
            if len(claimed) < _AT_ONCE:
                await self._ready.wait()

    async def deliver(self) -> None:
        while True:
            self._shipped.clear()
            now = datetime.now(UTC)
            async with self._database.begin() as connection:
                rows = await connection.fetch(_ON_THEIR_WAY)
                if rows:
                    await connection.execute(_DELIVER, [row["id"] for row in rows], now)
                    await connection.execute(WRITE_OUTBOX, *columns([_delivered(row, now) for row in rows]))
            self.filled.set()
            if len(rows) < _AT_ONCE:
                await self._shipped.wait()

    async def _ship(self, claimed: Sequence[Any]) -> None:
        asked = to_json({"reservation_ids": [row["reservation_id"] for row in claimed]})
        async with self._product.post("/deductions", data=asked) as answer:
            settled = from_json(await answer.read())["reservations"]
        done = {each["reservation_id"] for each in settled if each["done"]}
        leaving = [row for row in claimed if str(row["reservation_id"]) in done]
        async with self._database.begin() as connection:
            if leaving:
                await connection.execute(_SHIP, [row["id"] for row in leaving], datetime.now(UTC))
                await connection.execute(WRITE_OUTBOX, *columns([_left(row) for row in leaving]))
            if len(leaving) < len(claimed):
                await connection.execute(_STOP, [row["id"] for row in claimed if row not in leaving])
        self.filled.set()
        self._shipped.set()


async def start(given: Given, stack: AsyncExitStack) -> Routes:
    database = await stack.enter_async_context(connected(given.database_url, 4))
    connection = await stack.enter_async_context(broker(given.rabbitmq_url))
    delivery = Delivery(database, await stack.enter_async_context(aiohttp.ClientSession(given.product_url)))
    await stack.enter_async_context(
        running(
            relay(connection, database, "delivery.events", delivery.filled),
            await subscribe(connection, "delivery", {"order.created": "sales.events"}, delivery.prepare),
            delivery.dispatch(),
            delivery.deliver(),
        )
    )
    return {}


def _left(row: Any) -> Event:
    return event(
        "delivery",
        "order.status_updated",
        {
            "order_id": row["order_id"],
            "previous_status": "PENDING_SHIPMENT",
            "current_status": "SHIPPED",
            "tracking_number": row["tracking_number"],
            "carrier": _CARRIER,
        },
    )


def _delivered(row: Any, now: datetime) -> Event:
    return event(
        "delivery",
        "order.status_updated",
        {
            "order_id": row["order_id"],
            "previous_status": "SHIPPED",
            "current_status": "DELIVERED",
            "delivered_at": now,
            "delivery_location": "Front door",
        },
    )
