"""Product at the floor: stock is locked in the order of its key, then all that was asked for is decided and written."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from pydantic_core import from_json, to_json

from .messages import WRITE_OUTBOX, broker, columns, event, relay
from .process import Connections, Given, Routes, connected, running

_LOCK = """
    SELECT stock.product_id, on_hand - reserved AS available, name, price, currency
    FROM stock JOIN products ON products.id = product_id
    WHERE product_id = ANY($1::text[]) ORDER BY product_id FOR UPDATE OF stock
"""
_RESERVE = """
    WITH new AS (
        INSERT INTO reservations (id, state, answer)
        SELECT id, state, answer::jsonb FROM unnest($1::uuid[], $2::text[], $3::text[]) AS new (id, state, answer)
    ), held AS (
        SELECT * FROM unnest($4::uuid[], $5::int[], $6::text[], $7::int[])
            AS held (reservation_id, line, product_id, quantity)
    ), lines AS (
        INSERT INTO reservation_lines (reservation_id, line, product_id, quantity) SELECT * FROM held
    ), moved AS (
        INSERT INTO stock_movements (product_id, kind, on_hand_change, reserved_change, cause, actor)
        SELECT product_id, 'reserved', 0, quantity, reservation_id, 'sales' FROM held
    ), events AS (
        INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, traceparent)
        SELECT * FROM unnest($8::uuid[], $9::text[], $10::text[], $11::bool[], $12::text[], $13::text[])
    )
    UPDATE stock SET reserved = reserved + quantity
    FROM (SELECT product_id, sum(quantity) AS quantity FROM held GROUP BY 1) AS sums
    WHERE stock.product_id = sums.product_id
"""
_HELD = "SELECT id, state FROM reservations WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
_LINES = """
    SELECT reservation_id, product_id, quantity FROM reservation_lines
    WHERE reservation_id = ANY($1::uuid[]) ORDER BY reservation_id, line
"""
_LOCK_STOCK = "SELECT FROM stock WHERE product_id = ANY($1::text[]) ORDER BY product_id FOR UPDATE"
_DEDUCT = """
    WITH settled AS (
        UPDATE reservations SET state = 'DEDUCTED', settled_at = now() WHERE id = ANY($1::uuid[])
    ), due AS (
        SELECT * FROM unnest($2::uuid[], $3::text[], $4::int[]) AS due (reservation_id, product_id, quantity)
    ), moved AS (
        INSERT INTO stock_movements (product_id, kind, on_hand_change, reserved_change, cause, actor)
        SELECT product_id, 'deducted', -quantity, -quantity, reservation_id, 'delivery' FROM due
    )
    UPDATE stock SET reserved = reserved - quantity, on_hand = on_hand - quantity
    FROM (SELECT product_id, sum(quantity) AS quantity FROM due GROUP BY 1) AS sums
    WHERE stock.product_id = sums.product_id
"""


class Product:
    def __init__(self, database: Connections) -> None:
        self.filled = asyncio.Event()
        self._database = database

    async def reserve(self, body: bytes) -> tuple[int, bytes]:
        wanted = from_json(body)["reservations"]
        async with self._database.begin() as connection:
            products = sorted({item["product_id"] for each in wanted for item in each["items"]})
            offers = {row["product_id"]: row for row in await connection.fetch(_LOCK, products)}
            left = {product: offer["available"] for product, offer in offers.items()}
            decided = [_decide(each, offers, left) for each in wanted]
            held = [each for each in decided if each["state"] == "HELD"]
            lines = [
                (each["reservation_id"], number, item["product_id"], item["requested"])
                for each in held
                for number, item in enumerate(each["items"], start=1)
            ]
            events = [_reserved(each) for each in held]
            answers = [(each["reservation_id"], each["state"], to_json(each["items"]).decode()) for each in decided]
            await connection.execute(
                _RESERVE, *columns(answers), *(columns(lines) or [[]] * 4), *(columns(events) or [[]] * 6)
            )
        self.filled.set()
        return 200, to_json({"reservations": decided})

    async def deduct(self, body: bytes) -> tuple[int, bytes]:
        asked = from_json(body)["reservation_ids"]
        async with self._database.begin() as connection:
            states = {str(row["id"]): row["state"] for row in await connection.fetch(_HELD, asked)}
            due = [id for id, state in states.items() if state == "HELD"]
            lines = await connection.fetch(_LINES, due)
            if due:
                await connection.execute(_LOCK_STOCK, sorted({line["product_id"] for line in lines}))
                await connection.execute(_DEDUCT, due, *columns(lines))
                await connection.execute(WRITE_OUTBOX, *columns(_deducted(lines)))
        self.filled.set()
        states |= dict.fromkeys(due, "DEDUCTED")
        settled = [
            {"reservation_id": id, "state": states.get(id), "done": states.get(id) == "DEDUCTED"} for id in asked
        ]
        return 200, to_json({"reservations": settled})


async def start(given: Given, stack: AsyncExitStack) -> Routes:
    database = await stack.enter_async_context(connected(given.database_url, 4))
    connection = await stack.enter_async_context(broker(given.rabbitmq_url))
    product = Product(database)
    await stack.enter_async_context(running(relay(connection, database, "product.events", product.filled)))
    return {"/reservations": product.reserve, "/deductions": product.deduct}


def _decide(wanted: dict[str, Any], offers: dict[str, Any], left: dict[str, int]) -> dict[str, Any]:
    """All that it asks for or nothing, of what those before it have left."""
    items = []
    for item in wanted["items"]:
        offer, available = offers.get(item["product_id"]), left.get(item["product_id"], 0)
        items.append(
            {
                "product_id": item["product_id"],
                "requested": item["quantity"],
                "available": available,
                "is_available": item["quantity"] <= available,
                "name": offer and offer["name"],
                "unit_price": offer and f"{offer['price'] / 100:.2f}",
                "currency": offer and offer["currency"],
                "weight_grams": 0,
            }
        )
    is_held = all(item["is_available"] for item in items)
    if is_held:
        for item in items:
            left[item["product_id"]] -= item["requested"]
    state = "HELD" if is_held else "REFUSED"
    return {"reservation_id": wanted["reservation_id"], "state": state, "all_available": is_held, "items": items}


def _reserved(decided: dict[str, Any]) -> Any:
    items = [{"product_id": item["product_id"], "quantity": item["requested"]} for item in decided["items"]]
    about = {"reservation_id": decided["reservation_id"], "items": items}
    return event("product", "inventory.reserved", about, is_heard=False)


def _deducted(lines: Sequence[Any]) -> list[Any]:
    items: dict[Any, list[Any]] = {}
    for id, product_id, quantity in lines:
        items.setdefault(id, []).append({"product_id": product_id, "quantity": quantity})
    return [
        event("product", "inventory.deducted", {"reservation_id": id, "items": each}, is_heard=False)
        for id, each in items.items()
    ]
