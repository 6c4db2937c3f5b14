"""Orders that have been there for long: what is left of them in orderflow's tables, written by SQL.

Their events are forgotten already: outbox and inbox are kept for days, and orders for years.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import asyncpg

from .contestant import Contestant
from .wares import PRODUCTS

_AT_ONCE: Final = 100_000


def _id(kind: str) -> str:
    """Made a minute after the one before, the last one a day ago; of each kind its own."""
    moment = "(extract(epoch FROM now()) * 1000)::bigint - 86400000 - (:total - n)::bigint * 6000"
    rest = f"md5('{kind}' || n)"
    return f"(lpad(to_hex({moment}), 12, '0') || '7' || left({rest}, 3) || '8' || substr({rest}, 4, 15))::uuid"


_AT = "now() - interval '1 day' - (:total - n) * interval '6 s'"
_CUSTOMER = "'customer-' || n % 5000"
_ADDRESS = (
    """'{"city": "Springfield", "name": "Ada", "line1": "12 Analytical Row", "country": "US", """
    """"postal_code": "62701"}'"""
)
_LINE = """'{"product_id":"p1","quantity":1}'"""
_ANSWER = f"""'{{"order_id":"' || {_id("order")} || '","items":[' || repeat({_LINE}, 22) || ']}}'"""
_PIECES = (
    f"'p' || (n * 7 + line) % {PRODUCTS} AS product_id, line",
    "generate_series(:first, :last) AS n CROSS JOIN generate_series(1, 2) AS line",
)
_NUMBERS = "generate_series(:first, :last) AS n"
_NONE = "'00000000-0000-0000-0000-000000000000'"

_STATEMENTS: Final = {
    "sales": [
        f"""
        INSERT INTO orders (id, customer_id, status, reservation_id, subtotal, shipping_cost, total, currency,
            shipping_address, tracking_number, carrier, created_at, updated_at, shipped_at, delivered_at,
            delivery_location)
        SELECT {_id("order")}, {_CUSTOMER}, 'DELIVERED', {_id("attempt")}, 3000, 0, 3000, 'EUR', {_ADDRESS}::jsonb,
            'OLD' || n, 'OrderFlow Express', {_AT}, {_AT}, {_AT}, {_AT}, 'Front door' FROM {_NUMBERS}
        """,
        f"""
        INSERT INTO attempts (id, customer_id, idempotency_key, request_hash, state, lease_until, order_id,
            answer_status, answer)
        SELECT {_id("attempt")}, {_CUSTOMER}, 'old-' || n, decode(md5('a' || n) || md5('b' || n), 'hex'), 'placed',
            {_AT}, {_id("order")}, 201, {_ANSWER} FROM {_NUMBERS}
        """,
        f"""
        INSERT INTO order_items (order_id, line, product_id, name, quantity, unit_price)
        SELECT {_id("order")}, line, product_id, 'Product ' || product_id, line, 1000
        FROM (SELECT n, {_PIECES[0]} FROM {_PIECES[1]}) AS pieces
        """,
        f"""
        INSERT INTO order_history (order_id, at, kind, from_status, to_status, actor, event_id)
        SELECT {_id("order")}, {_AT}, 'changed', from_status, to_status, actor, md5(to_status || n)
        FROM {_NUMBERS} CROSS JOIN (VALUES (NULL, 'PENDING_SHIPMENT', 'customer'), ('PENDING_SHIPMENT', 'SHIPPED',
            'delivery-service'), ('SHIPPED', 'DELIVERED', 'delivery-service'))
            AS changes (from_status, to_status, actor)
        """,
    ],
    "product": [
        f"""
        INSERT INTO reservations (id, state, answer, created_at, settled_at)
        SELECT {_id("attempt")}, 'DEDUCTED', jsonb_build_array(
            jsonb_build_object('name', 'Product p1', 'currency', 'EUR', 'available', 1000000000, 'requested', 1,
                'product_id', 'p1', 'unit_price', '10.00', 'is_available', true, 'weight_grams', 0),
            jsonb_build_object('name', 'Product p2', 'currency', 'EUR', 'available', 1000000000, 'requested', 2,
                'product_id', 'p2', 'unit_price', '10.00', 'is_available', true, 'weight_grams', 0)
        ), {_AT}, {_AT} FROM {_NUMBERS}
        """,
        f"""
        INSERT INTO reservation_lines (reservation_id, line, product_id, quantity)
        SELECT {_id("attempt")}, line, product_id, line FROM (SELECT n, {_PIECES[0]} FROM {_PIECES[1]}) AS pieces
        """,
        f"""
        INSERT INTO stock_movements (product_id, variant_id, at, kind, on_hand_change, reserved_change, cause, actor)
        SELECT product_id, {_NONE}::uuid, {_AT}, kind, on_hand * line, reserved * line, {_id("attempt")}, actor
        FROM (SELECT n, {_PIECES[0]} FROM {_PIECES[1]}) AS pieces CROSS JOIN
            (VALUES ('reserved', 0, 1, 'sales'), ('deducted', -1, -1, 'delivery'))
            AS moves (kind, on_hand, reserved, actor)
        """,
    ],
    "delivery": [
        f"""
        INSERT INTO shipments (id, order_id, reservation_id, status, order_status, items, shipping_address, created_at,
            traceparent, carrier, tracking_number, shipped_at, delivered_at, delivery_location)
        SELECT {_id("shipment")}, {_id("order")}, {_id("attempt")}, 'DELIVERED', 'PENDING_SHIPMENT',
            '[{{"quantity": 1, "product_id": "p1"}}, {{"quantity": 2, "product_id": "p2"}}]', {_ADDRESS}::jsonb,
            {_AT}, '00-' || md5('t' || n) || '-' || left(md5('s' || n), 16) || '-00', 'OrderFlow Express', 'OLD' || n,
            {_AT}, {_AT}, 'Front door' FROM {_NUMBERS}
        """,
        f"""
        INSERT INTO audit_log (id, at, actor, action, entity_type, entity_id, before, after, trace_id)
        SELECT {_id("' || action || '")}, {_AT}, 'autopilot', action, 'shipment', {_id("shipment")}::text,
            '{{"status": "READY"}}', '{{"status": "SHIPPED", "carrier": "OrderFlow Express"}}', md5('t' || n)
        FROM {_NUMBERS} CROSS JOIN (VALUES ('shipment.dispatched'), ('shipment.delivered')) AS changes (action)
        """,
    ],
}


async def fill(contestant: Contestant, orders: int) -> None:
    filling = (_fill(contestant.databases[service], each, orders) for service, each in _STATEMENTS.items())
    await asyncio.gather(*filling)


async def _fill(database_url: str, statements: Sequence[str], orders: int) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SET synchronous_commit = off")
        for first in range(1, orders + 1, _AT_ONCE):
            last = min(orders, first + _AT_ONCE - 1)
            for statement in statements:
                await connection.execute(_between(statement, first, last, orders))
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def _between(statement: str, first: int, last: int, total: int) -> str:
    return statement.replace(":first", str(first)).replace(":last", str(last)).replace(":total", str(total))
