"""Laws of orders in Sales' own books: where they stand, how they came there, what they come to, what is left over."""

from typing import Final

from chassis.statements import ID
from contracts.sales.orders import TIMELINE_KEPT

from .holds import ORDERS
from .law import Law, Subject, Within

ATTEMPTS: Final = Subject("sales", "attempts", only="state IN ('open', 'undoing')")
PLACED: Final = Subject("sales", "attempts", only="state = 'placed'")
CANCELLATIONS: Final = Subject("sales", "cancellations", "order_id", ID, only="state = 'asked'")

WAYS: Final = {
    "": ("PENDING", "PENDING_SHIPMENT"),
    "PENDING": ("CONFIRMED", "CANCELLED"),
    "CONFIRMED": ("SHIPPED", "CANCELLED"),
    "PENDING_SHIPMENT": ("SHIPPED", "CANCELLED"),
    "SHIPPED": ("DELIVERED",),
}
"""Said once more: who checks takes no other's word, and is installed without them."""
_STEPS: Final = ", ".join(repr(f"{before}>{after}") for before, ways in WAYS.items() for after in ways)

# Long after its end an order's history may be forgotten, all of it (docs/adr/0020).
_STATUS: Final = f"""
    SELECT orders.id AS key, format('is %s, its history ends with %s', status, coalesce(last, 'nothing')) AS stands
    FROM orders LEFT JOIN LATERAL (
        SELECT to_status AS last FROM order_history WHERE order_id = orders.id AND kind = 'changed'
        ORDER BY order_history.id DESC LIMIT 1
    ) AS ending ON true
    WHERE orders.id = ANY(:ids) AND status IS DISTINCT FROM last AND NOT coalesce(
        last IS NULL AND status IN ('DELIVERED', 'CANCELLED')
            AND coalesce(delivered_at, cancelled_at) < now() - interval '{TIMELINE_KEPT.total_seconds():.0f} seconds',
        false
    )
"""
_PATH: Final = f"""
    SELECT order_id AS key,
        string_agg(concat(coalesce(from_status, 'nothing'), ' > ', to_status), ', ' ORDER BY id) AS stands
    FROM (
        SELECT order_id, id, from_status, to_status,
            lag(to_status) OVER (PARTITION BY order_id ORDER BY id) AS before
        FROM order_history WHERE order_id = ANY(:ids) AND kind = 'changed'
    ) AS steps
    GROUP BY order_id
    HAVING bool_or(
        from_status IS DISTINCT FROM before OR concat(from_status, '>', to_status) NOT IN ({_STEPS})
    )
"""
_TOTAL: Final = """
    SELECT id AS key,
        format('subtotal %s, shipping %s, total %s; its items come to %s', subtotal, shipping_cost, total,
            coalesce(items.cost::text, 'nothing')) AS stands
    FROM orders LEFT JOIN LATERAL (
        SELECT sum(quantity * unit_price) AS cost FROM order_items WHERE order_id = orders.id
    ) AS items ON true
    WHERE orders.id = ANY(:ids) AND (subtotal IS DISTINCT FROM items.cost OR total <> subtotal + shipping_cost)
"""
_PLACED: Final = """
    SELECT attempts.id AS key, format('was placed as order %s', attempts.order_id)
        || coalesce(' of reservation ' || orders.reservation_id, ', which there is not') AS stands
    FROM attempts LEFT JOIN orders ON orders.id = attempts.order_id
    WHERE attempts.id = ANY(:ids) AND state = 'placed' AND orders.reservation_id IS DISTINCT FROM attempts.id
"""
_STOPPED: Final = """
    SELECT id AS key, format('is %s since it stopped at %s', state, lease_until) AS stands
    FROM attempts WHERE id = ANY(:ids) AND state IN ('open', 'undoing') AND lease_until < now()
"""
_ASKED: Final = """
    SELECT order_id AS key, format('was asked at %s, to be looked at again at %s', asked_at, next_look_at) AS stands
    FROM cancellations WHERE order_id = ANY(:ids) AND state = 'asked' AND next_look_at < now()
"""

BOOKED: Final = (
    Law("orders.status", "An order is where its history ends", ORDERS, Within(_STATUS)),
    Law("orders.path", "An order's history is a way that orders can go", ORDERS, Within(_PATH)),
    Law("orders.total", "An order's total is what its items and their shipping cost", ORDERS, Within(_TOTAL)),
    Law("orders.placed", "An attempt that was placed has its order", PLACED, Within(_PLACED)),
    Law("orders.attempts", "An attempt that stopped half-way is taken up or undone", ATTEMPTS, Within(_STOPPED)),
    Law("orders.cancellations", "A cancellation that was asked for is pursued", CANCELLATIONS, Within(_ASKED)),
)
