"""Sales at the floor: a batch of orders is three steps, each of them one statement or one call."""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import aiohttp
from pydantic_core import from_json, to_json

from chassis.ids import uuid7

from .messages import Event, Heard, broker, columns, event, relay, subscribe
from .process import Connections, Given, Lane, Routes, connected, running

_CUSTOMER = "customer_demo"
_ATTEMPT = """
    INSERT INTO attempts (id, customer_id, request_hash, state, lease_until)
    SELECT *, 'open', now() + interval '20 s' FROM unnest($1::uuid[], $2::text[], $3::bytea[])
"""
_CREATE = """
    WITH placed AS (
        SELECT *
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], $7::text[])
            AS placed (id, reservation_id, customer_id, total, address, at, answer)
    ), new_orders AS (
        INSERT INTO orders (id, customer_id, status, reservation_id, subtotal, shipping_cost, total, currency,
            shipping_address, created_at, updated_at)
        SELECT id, customer_id, 'PENDING_SHIPMENT', reservation_id, total, 0, total, 'EUR', address::jsonb, at, at
        FROM placed
    ), new_items AS (
        INSERT INTO order_items (order_id, line, product_id, name, quantity, unit_price)
        SELECT * FROM unnest($8::uuid[], $9::int[], $10::text[], $11::text[], $12::int[], $13::bigint[])
    ), first_changes AS (
        INSERT INTO order_history (order_id, at, kind, to_status, actor)
        SELECT id, at, 'changed', 'PENDING_SHIPMENT', customer_id FROM placed
    ), events AS (
        INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, traceparent)
        SELECT * FROM unnest($14::uuid[], $15::text[], $16::text[], $17::bool[], $18::text[], $19::text[])
    )
    UPDATE attempts SET state = 'placed', order_id = placed.id, answer_status = 201, answer = placed.answer
    FROM placed WHERE attempts.id = placed.reservation_id
"""
_REFUSE = """
    UPDATE attempts SET state = 'refused', answer_status = 400, answer = refused.answer
    FROM unnest($1::uuid[], $2::text[]) AS refused (id, answer) WHERE attempts.id = refused.id
"""
_NEW = """
    INSERT INTO inbox (event_id, event_type) SELECT * FROM unnest($1::text[], $2::text[])
    ON CONFLICT DO NOTHING RETURNING event_id
"""
_TAKE = "SELECT id, status, customer_id FROM orders WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
_FOLLOW = """
    WITH changed AS (
        SELECT DISTINCT ON (order_id) * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[],
            $6::text[], $7::timestamptz[], $8::timestamptz[], $9::text[])
            WITH ORDINALITY AS changed (order_id, from_status, to_status, at, event_id, tracking_number, shipped_at,
                delivered_at, location, number)
        ORDER BY order_id, number DESC
    ), history AS (
        INSERT INTO order_history (order_id, from_status, to_status, at, event_id, kind, actor)
        SELECT *, 'changed', 'delivery-service' FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[],
            $5::text[])
    ), events AS (
        INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, traceparent)
        SELECT * FROM unnest($10::uuid[], $11::text[], $12::text[], $13::bool[], $14::text[], $15::text[])
    )
    UPDATE orders SET status = to_status, updated_at = at,
        tracking_number = coalesce(changed.tracking_number, orders.tracking_number),
        shipped_at = coalesce(changed.shipped_at, orders.shipped_at), delivered_at = changed.delivered_at,
        delivery_location = changed.location
    FROM changed WHERE orders.id = order_id
"""


class Sales:
    def __init__(self, database: Connections, product: aiohttp.ClientSession) -> None:
        self.filled = asyncio.Event()
        self._database = database
        self._product = product
        self._lane: Lane[bytes, tuple[int, bytes]] = Lane(self._place, width=2)

    async def place(self, body: bytes) -> tuple[int, bytes]:
        return await self._lane.add(body)

    async def _place(self, bodies: Sequence[bytes]) -> Sequence[tuple[int, bytes]]:
        attempts = [(uuid7(), _CUSTOMER, hashlib.sha256(body).digest()) for body in bodies]
        orders = [from_json(body) for body in bodies]
        async with self._database.one() as connection:
            await connection.execute(_ATTEMPT, *columns(attempts))
            wanted = [
                {"reservation_id": attempt, "items": order["items"]}
                for (attempt, _, _), order in zip(attempts, orders, strict=True)
            ]
            async with self._product.post("/reservations", data=to_json({"reservations": wanted})) as answer:
                promises = from_json(await answer.read())["reservations"]
            answers = [_answer(order, promise) for order, promise in zip(orders, promises, strict=True)]
            await _write(connection, answers)
        self.filled.set()
        return [(answer["status"], answer["body"]) for answer in answers]

    async def follow(self, heard: Sequence[Heard]) -> None:
        """What was heard before, or does not follow on what is, changes nothing."""
        async with self._database.begin() as connection:
            rows = await connection.fetch(_NEW, *columns([(each.id, each.type) for each in heard]))
            fresh = {row["event_id"] for row in rows}
            ids = list({each.data["order_id"] for each in heard if each.id in fresh})
            orders = {str(row["id"]): dict(row) for row in await connection.fetch(_TAKE, ids)}
            changes, events = [], []
            for each in heard:
                order, data = orders.get(each.data["order_id"]), each.data
                if order is None or each.id not in fresh or order["status"] != data["previous_status"]:
                    continue
                order["status"] = data["current_status"]
                changes.append(_change(each))
                events.append(_tell(data, order["customer_id"], each.timestamp))
            if changes:
                await connection.execute(_FOLLOW, *columns(changes), *columns(events))
        self.filled.set()


async def start(given: Given, stack: AsyncExitStack) -> Routes:
    database = await stack.enter_async_context(connected(given.database_url, 4))
    connection = await stack.enter_async_context(broker(given.rabbitmq_url))
    sales = Sales(database, await stack.enter_async_context(aiohttp.ClientSession(given.product_url)))
    bindings = {"order.status_updated": "delivery.events"}
    await stack.enter_async_context(
        running(
            relay(connection, database, "sales.events", sales.filled),
            await subscribe(connection, "sales", bindings, sales.follow),
        )
    )
    return {"/api/v1/orders": sales.place}


def _answer(order: dict[str, Any], promise: dict[str, Any]) -> dict[str, Any]:
    """What becomes of an attempt: the answer, and the rows where it is an order."""
    attempt, items = promise["reservation_id"], promise["items"]
    if promise["state"] != "HELD":
        details = [item for item in items if not item["is_available"]]
        body = to_json({"error": {"code": "INSUFFICIENT_STOCK", "message": "Not available.", "details": details}})
        return {"status": 400, "attempt": attempt, "body": body}
    id, now = uuid7(), datetime.now(UTC)
    lines = [
        (id, number, item["product_id"], item["name"], item["requested"], round(float(item["unit_price"]) * 100))
        for number, item in enumerate(items, start=1)
    ]
    total = sum(line[4] * line[5] for line in lines)
    shown = _money(total)
    about = {
        "order_id": id,
        "customer_id": _CUSTOMER,
        "status": "PENDING_SHIPMENT",
        "items": [
            {"product_id": line[2], "name": line[3], "quantity": line[4], "unit_price": _money(line[5])}
            for line in lines
        ],
        "shipping_cost": "0.00",
        "total": shown,
        "currency": "EUR",
        "shipping_address": order["shipping_address"],
        "created_at": now,
    }
    whole = {
        **about,
        "items": [
            {**item, "variant_id": None, "subtotal": _money(line[4] * line[5])}
            for item, line in zip(about["items"], lines, strict=True)
        ],
        "subtotal": shown,
        **dict.fromkeys(_NOT_YET),
        "updated_at": now,
        "allowed_actions": ["cancel"],
    }
    body = to_json(whole)
    address = to_json(order["shipping_address"]).decode()
    return {
        "status": 201,
        "body": body,
        "order": (id, attempt, _CUSTOMER, total, address, now, body.decode()),
        "lines": lines,
        "event": event("sales", "order.created", {**about, "reservation_id": attempt}),
    }


_NOT_YET = (
    "note",
    "tracking_number",
    "carrier",
    "tracking_url",
    "shipped_at",
    "delivered_at",
    "delivery_location",
    "cancelled_at",
    "cancel_reason",
)


def _money(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


async def _write(connection: Any, answers: Sequence[dict[str, Any]]) -> None:
    placed = [answer for answer in answers if answer["status"] == 201]
    if placed:
        await connection.execute(
            _CREATE,
            *columns([answer["order"] for answer in placed]),
            *columns([line for answer in placed for line in answer["lines"]]),
            *columns([answer["event"] for answer in placed]),
        )
    refused = [(answer["attempt"], answer["body"].decode()) for answer in answers if answer["status"] != 201]
    if refused:
        await connection.execute(_REFUSE, *columns(refused))


def _change(heard: Heard) -> tuple[Any, ...]:
    data = heard.data
    return (
        data["order_id"],
        data["previous_status"],
        data["current_status"],
        datetime.now(UTC),
        heard.id,
        data.get("tracking_number"),
        datetime.fromisoformat(heard.timestamp) if data["current_status"] == "SHIPPED" else None,
        datetime.fromisoformat(data["delivered_at"]) if "delivered_at" in data else None,
        data.get("delivery_location"),
    )


def _tell(data: dict[str, Any], customer_id: str, timestamp: str) -> Event:
    about = {"order_id": data["order_id"], "customer_id": customer_id}
    if data["current_status"] == "SHIPPED":
        by = {"tracking_number": data["tracking_number"], "carrier": data["carrier"], "shipped_at": timestamp}
        return event("sales", "order.shipped", about | by)
    where = {"delivered_at": data["delivered_at"], "delivery_location": data["delivery_location"]}
    return event("sales", "order.delivered", about | where)
