"""Laws of what is held: each live order has its stock, and nobody else has."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from chassis.ids import first_uuid7_at
from chassis.statements import ID, with_arrays

from .books import Books
from .law import Between, Law, Row, Subject, by_ids
from .moments import made_at
from .stock import NO_VARIANT

ORDERS: Final = Subject("sales", "orders")
HOLDS: Final = Subject("product", "reservations", only="state IN ('HELD', 'DEDUCTED')")

_HOLD_OF: Final = {
    "PENDING": "HELD",
    "CONFIRMED": "HELD",
    "PENDING_SHIPMENT": "HELD",
    "SHIPPED": "DEDUCTED",
    "DELIVERED": "DEDUCTED",
}

_LIVE: Final = """
    SELECT id AS key, reservation_id AS other, status FROM orders WHERE id = ANY(:ids) AND status <> 'CANCELLED'
"""
_CANCELLED: Final = """
    SELECT id AS key, reservation_id AS other FROM orders WHERE id = ANY(:ids) AND status = 'CANCELLED'
"""
_STATES: Final = by_ids("product", "SELECT id AS other, state FROM reservations WHERE id = ANY(:ids)")

LISTED: Final = """
    string_agg(concat(quantity, ' x ', product_id, '/' || variant_id), ', ' ORDER BY product_id COLLATE "C", variant_id)
"""
ORDERED: Final = f"""
    SELECT orders.id AS key, {{other}} AS other, {LISTED} AS items
    FROM orders JOIN LATERAL (
        SELECT product_id, variant_id::text, sum(quantity) AS quantity FROM order_items WHERE order_id = orders.id
        GROUP BY 1, 2
    ) AS items ON true
    WHERE orders.id = ANY(:ids) AND status <> 'CANCELLED' GROUP BY orders.id
"""
"""What each order is of, in words that two services can compare."""

_HELD: Final = by_ids(
    "product",
    f"""
    SELECT reservation_id AS other, {LISTED} AS items
    FROM (
        SELECT reservation_id, product_id, nullif(variant_id, '{NO_VARIANT}')::text AS variant_id,
            sum(quantity) AS quantity
        FROM reservation_lines WHERE reservation_id = ANY(:ids) GROUP BY 1, 2, 3
    ) AS lines GROUP BY reservation_id
    """,
)

_HOLDS: Final = """
    SELECT id AS key, id AS other, state FROM reservations WHERE id = ANY(:ids) AND state IN ('HELD', 'DEDUCTED')
"""
_ORDERS_OF: Final = with_arrays(
    """
    SELECT reservation_id AS other, count(*) AS orders
    FROM orders JOIN unnest(:ids) AS asked (id) ON asked.id = reservation_id
    WHERE orders.id BETWEEN :first AND :last GROUP BY reservation_id
    """,
    ids=ID,
)
_ATTEMPTS: Final = with_arrays(
    "SELECT id AS other, 0 AS orders, state AS attempt FROM attempts WHERE id = ANY(:ids)", ids=ID
)
_EVER: Final = {"first": UUID(int=0), "last": UUID(int=(1 << 128) - 1)}


async def _owners(books: Books, ids: Sequence[Any]) -> Iterable[Row]:
    """No index leads from a hold to its order. But orders come soon after their holds, and their ids say when."""
    soon = {
        "first": first_uuid7_at(made_at(min(ids)) - timedelta(minutes=1)),
        "last": first_uuid7_at(made_at(max(ids)) + timedelta(minutes=10)),
    }
    rows = await books.rows("sales", _ORDERS_OF, ids=list(ids), **soon)
    if missing := list(set(ids) - {row["other"] for row in rows}):
        rows += await books.rows("sales", _ATTEMPTS, ids=missing)
        under_way = {row["other"] for row in rows if row.get("attempt") in ("open", "undoing")}
        if rest := [id for id in missing if id not in under_way]:
            rows += await books.rows("sales", _ORDERS_OF, ids=rest, **_EVER)
    return rows


def _has_its_stock(order: Row, holds: Sequence[Row]) -> str | None:
    state = holds[0]["state"] if holds else "unknown"
    wanted = _HOLD_OF.get(order["status"])
    return None if state == wanted else f"the order is {order['status']}, its hold is {state} and not {wanted}"


def _has_given_it_back(_: Row, holds: Sequence[Row]) -> str | None:
    state = holds[0]["state"] if holds else "RELEASED"
    return None if state in ("RELEASED", "REFUSED") else f"the order is CANCELLED, its hold is {state}"


def is_of(order: Row, others: Sequence[Row]) -> str | None:
    """Where there is nothing to compare with, another law says so."""
    if not others or others[0]["items"] == order["items"]:
        return None
    return f"ordered: {order['items']}; there: {others[0]['items']}"


def _belongs(hold: Row, owners: Sequence[Row]) -> str | None:
    orders = sum(owner["orders"] for owner in owners)
    attempt = next((owner["attempt"] for owner in owners if not owner["orders"]), "unknown")
    if orders == 1 or (not orders and hold["state"] == "HELD" and attempt in ("open", "undoing")):
        return None
    return f"it is {hold['state']} for {orders} orders" + ("" if orders else f", its attempt is {attempt}")


HELD: Final = (
    Law(
        "holds.live",
        "A live order holds its stock, and one that has left has deducted it",
        ORDERS,
        Between(_LIVE, "product", _STATES, _has_its_stock),
    ),
    Law(
        "holds.cancelled",
        "A cancelled order holds nothing",
        ORDERS,
        Between(_CANCELLED, "product", _STATES, _has_given_it_back),
    ),
    Law(
        "holds.items",
        "What is held for an order is what was ordered",
        ORDERS,
        Between(ORDERED.format(other="orders.reservation_id"), "product", _HELD, is_of),
    ),
    Law(
        "holds.owner",
        "What is held is held for one order, or for an attempt that is under way",
        HOLDS,
        Between(_HOLDS, "sales", _owners, _belongs),
    ),
)
