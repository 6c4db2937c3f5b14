"""Orders that have been there for long: what is left of them in orderflow's tables, as its retention leaves it.

A million were placed within 69 days, the last one a day ago. All of their orders, items, histories, reservations,
movements, shipments and audit are there; of attempts, mails, inboxes and outboxes what is not forgotten yet.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from chassis.retention import Retention
from notification.settings import NotificationSettings
from sales.settings import SalesSettings

from .filling import Rows, fill_all
from .wares import PRODUCTS

_EVERY: Final = timedelta(seconds=6)
_LAST: Final = timedelta(days=1)
_RETENTION: Final = Retention()
_KEYS: Final[timedelta] = SalesSettings.model_fields["forget_keys_after"].default
_MAILS: Final[timedelta] = NotificationSettings.model_fields["keep"].default

# The same for whoever writes of the same order: in milliseconds, :last is the moment of the last one.
_MOMENT: Final = "(:last - (:total - n)::bigint * :every)"
_AT: Final = f"to_timestamp({_MOMENT} / 1000.0)"
_KINDS: Final = ("order", "attempt", "shipment")


def _id(kind: str) -> str:
    """A UUIDv7 of the order's time; of each kind its own."""
    return _made(str(_KINDS.index(kind)))


def _event(kind: str = "event_type") -> str:
    return _made(f"hashtext({kind})")


def _made(seed: str) -> str:
    rest = f"lpad(to_hex(hashint8extended(n, {seed}) & 1152921504606846975), 15, '0')"
    return f"(lpad(to_hex({_MOMENT}), 12, '0') || '70008' || {rest})::uuid"


_CUSTOMER: Final = "'customer-' || n % 5000"
_ADDRESS: Final = (
    """'{"city": "Springfield", "name": "Ada", "line1": "12 Analytical Row", "country": "US", """
    """"postal_code": "62701"}'"""
)
_LINE: Final = """'{"product_id":"p1","variant_id":null,"name":"Product p1","quantity":1,"unit_price":"10.00"}'"""
_ANSWER: Final = f"""'{{"order_id":"' || {_id("order")} || '","items":[' || repeat({_LINE}, 9) || ']}}'"""
_TRACE: Final = "'00-' || md5('t' || n) || '-' || left(md5('t' || n), 16) || '-00'"
_NUMBERS: Final = "generate_series(:first, :total) AS n"
_NONE: Final = "'00000000-0000-0000-0000-000000000000'"
_OFFER: Final = """{"name": "Product p%d", "currency": "EUR", "available": 1000000000, "requested": %d,
    "product_id": "p%d", "unit_price": "10.00", "is_available": true, "weight_grams": 0}"""
_OFFERS: Final = f"'[{_OFFER % (1, 1, 1)}, {_OFFER % (2, 2, 2)}]'::jsonb"
_PIECES: Final = f"""
    (SELECT n, 'p' || (n * 7 + line) % {PRODUCTS} AS product_id, line
    FROM {_NUMBERS} CROSS JOIN generate_series(1, 2) AS line) AS pieces
"""
_PACKED: Final = f"""
    jsonb_build_array(jsonb_build_object('quantity', 1, 'product_id', 'p' || (n * 7 + 1) % {PRODUCTS}),
        jsonb_build_object('quantity', 2, 'product_id', 'p' || (n * 7 + 2) % {PRODUCTS}))
"""


def _each(*names: str) -> str:
    values = ", ".join(f"('{name}')" for name in names)
    return f"{_NUMBERS} CROSS JOIN (VALUES {values}) AS events (event_type)"


def _outbox(service: str, size: int, *events: str) -> Rows:
    body = f"""'{{"event_id":"' || {_event()} || '","order_id":"' || {_id("order")} || '","data":"'
        || repeat('x', {size} - 111) || '"}}'"""
    return Rows(
        service,
        "outbox",
        f"""
        (event_id, event_type, exchange, mandatory, body, traceparent, created_at, sent_at)
        SELECT {_event()}, event_type, '{service}.events', true, {body}, {_TRACE}, {_AT}, {_AT} FROM {_each(*events)}
        """,
        _RETENTION.sent,
    )


def _inbox(service: str, *events: str) -> Rows:
    statement = f"SELECT {_event()}::text, event_type, {_AT} FROM {_each(*events)}"
    return Rows(service, "inbox", statement, _RETENTION.handled)


_LEFT: Final = (
    Rows(
        "notification",
        "mails",
        f"""
        (id, event_id, message, recipient, about, at, written_at, traceparent, state, tries, next_try_at, queued_at,
            ended_at)
        SELECT {_made("hashtext(event_type) + 1")}, {_event()}::text, 'order_' || event_type, {_CUSTOMER},
            jsonb_build_object('order_id', {_id("order")}, 'items', {_OFFERS}), {_AT}, {_AT}, {_TRACE}, 'SENT', 1,
            {_AT}, {_AT}, {_AT}
        FROM {_each("received", "shipped", "delivered")}
        """,
        _MAILS,
    ),
    Rows(
        "product",
        "stock_movements",
        f"""
        (product_id, variant_id, at, kind, on_hand_change, reserved_change, cause, actor)
        SELECT product_id, {_NONE}::uuid, {_AT}, kind, on_hand * line, reserved * line, {_id("attempt")}, actor
        FROM {_PIECES} CROSS JOIN (VALUES ('reserved', 0, 1, 'sales'), ('deducted', -1, -1, 'delivery'))
            AS moves (kind, on_hand, reserved, actor)
        """,
    ),
    Rows(
        "delivery",
        "shipments",
        f"""
        (id, order_id, reservation_id, status, order_status, items, shipping_address, created_at, traceparent,
            carrier, tracking_number, shipped_at, delivered_at, delivery_location)
        SELECT {_id("shipment")}, {_id("order")}, {_id("attempt")}, 'DELIVERED', 'PENDING_SHIPMENT',
            {_PACKED}, {_ADDRESS}::jsonb,
            {_AT}, {_TRACE}, 'OrderFlow Express', 'OLD' || n, {_AT}, {_AT}, 'Front door' FROM {_NUMBERS}
        """,
    ),
    Rows(
        "delivery",
        "audit_log",
        f"""
        (id, at, actor, action, entity_type, entity_id, before, after, trace_id)
        SELECT {_made("hashtext(event_type)")}, {_AT}, 'autopilot', 'shipment.' || event_type, 'shipment',
            {_id("shipment")}::text, '{{"status": "READY"}}',
            '{{"status": "SHIPPED", "carrier": "OrderFlow Express", "tracking_number": "OLD0000000001"}}', md5('t' || n)
        FROM {_each("dispatched", "delivered")}
        """,
    ),
    Rows(
        "sales",
        "order_history",
        f"""
        (order_id, at, kind, from_status, to_status, actor, event_id)
        SELECT {_id("order")}, {_AT}, 'changed', from_status, to_status, actor,
            CASE WHEN from_status IS NOT NULL THEN {_event("to_status")}::text END
        FROM {_NUMBERS} CROSS JOIN (VALUES
            (NULL, 'PENDING_SHIPMENT', 'customer'), ('PENDING_SHIPMENT', 'SHIPPED', 'delivery-service'),
            ('SHIPPED', 'DELIVERED', 'delivery-service')
        ) AS changes (from_status, to_status, actor)
        """,
    ),
    Rows(
        "sales",
        "orders",
        f"""
        (id, customer_id, status, reservation_id, subtotal, shipping_cost, total, currency, shipping_address,
            tracking_number, carrier, created_at, updated_at, shipped_at, delivered_at, delivery_location)
        SELECT {_id("order")}, {_CUSTOMER}, 'DELIVERED', {_id("attempt")}, 3000, 0, 3000, 'EUR', {_ADDRESS}::jsonb,
            'OLD' || n, 'OrderFlow Express', {_AT}, {_AT}, {_AT}, {_AT}, 'Front door' FROM {_NUMBERS}
        """,
    ),
    Rows(
        "product",
        "reservations",
        f"""
        (id, state, answer, created_at, settled_at)
        SELECT {_id("attempt")}, 'DEDUCTED', {_OFFERS}, {_AT}, {_AT} FROM {_NUMBERS}
        """,
    ),
    Rows(
        "sales",
        "order_items",
        f"""
        (order_id, line, product_id, name, quantity, unit_price)
        SELECT {_id("order")}, line, product_id, 'Product ' || product_id, line, 1000 FROM {_PIECES}
        """,
    ),
    Rows(
        "product",
        "reservation_lines",
        f"(reservation_id, line, product_id, quantity) SELECT {_id('attempt')}, line, product_id, line FROM {_PIECES}",
    ),
    Rows(
        "sales",
        "attempts",
        f"""
        (id, customer_id, idempotency_key, request_hash, state, lease_until, order_id, answer_status, answer)
        SELECT {_id("attempt")}, {_CUSTOMER}, 'old-' || n, decode(md5('a' || n) || md5('b' || n), 'hex'), 'placed',
            {_AT}, {_id("order")}, 201, {_ANSWER} FROM {_NUMBERS}
        """,
        _KEYS,
    ),
    _inbox("notification", "received", "shipped", "delivered"),
    _inbox("sales", "SHIPPED", "DELIVERED"),
    _inbox("delivery", "received"),
    _outbox("sales", 470, "received", "shipped", "delivered"),
    _outbox("product", 330, "reserved", "deducted"),
    _outbox("delivery", 360, "SHIPPED", "DELIVERED"),
)


async def fill(databases: Mapping[str, str], orders: int, every: timedelta = _EVERY) -> None:
    """Nobody may be at work in them yet."""
    await fill_all(databases, left(orders, every))


def left(orders: int, every: timedelta = _EVERY) -> list[Rows]:
    """All that there is of them."""
    last = int(1000 * (time.time() - _LAST.total_seconds()))
    rows = []
    for each in _LEFT:
        kept = orders if each.kept is None else min(orders, (each.kept - _LAST) // every)
        first = orders - kept + 1
        values = {":first": first, ":total": orders, ":last": last, ":every": every // timedelta(milliseconds=1)}
        rows.append(each.saying(values))
    return rows
