"""Laws of parcels: one for each order, of the same things, and where the order says it is."""

from collections.abc import Sequence
from typing import Final

from .holds import LISTED, ORDERED, ORDERS, is_of
from .law import Between, Law, Row, Subject, Within, by_ids

SHIPMENTS: Final = Subject("delivery", "shipments")
CLAIMED: Final = Subject("delivery", "shipments", only="dispatching_until IS NOT NULL")

_SHIPMENT_OF: Final = {
    "CONFIRMED": "READY",
    "PENDING_SHIPMENT": "READY",
    "SHIPPED": "SHIPPED",
    "DELIVERED": "DELIVERED",
    "CANCELLED": "STOPPED",
}

_ORDERS: Final = "SELECT id AS key, id AS other, status FROM orders WHERE id = ANY(:ids)"
_PENDING: Final = f"{_ORDERS} AND status = 'PENDING'"
_FURTHER: Final = f"{_ORDERS} AND status <> 'PENDING'"
_SHIPMENTS: Final = by_ids("delivery", "SELECT order_id AS other, status FROM shipments WHERE order_id = ANY(:ids)")
_PACKED: Final = by_ids(
    "delivery",
    f"""
    SELECT order_id AS other, {LISTED} AS items
    FROM (
        SELECT order_id, item ->> 'product_id' AS product_id, item ->> 'variant_id' AS variant_id,
            sum((item ->> 'quantity')::bigint) AS quantity
        FROM shipments CROSS JOIN LATERAL jsonb_array_elements(items) AS item
        WHERE order_id = ANY(:ids) GROUP BY 1, 2, 3
    ) AS lines GROUP BY order_id
    """,
)
_BELONGING: Final = """
    SELECT id AS key, order_id AS other, reservation_id FROM shipments WHERE id = ANY(:ids)
"""
_OWNERS: Final = by_ids("sales", "SELECT id AS other, reservation_id FROM orders WHERE id = ANY(:ids)")
_ABANDONED: Final = """
    SELECT id AS key, format('its dispatch was to end by %s', dispatching_until) AS stands
    FROM shipments WHERE id = ANY(:ids) AND dispatching_until < now()
"""


def _is_one(order: Row, shipments: Sequence[Row]) -> str | None:
    return None if len(shipments) == 1 else f"the order is {order['status']}, and has {len(shipments)} shipments"


def _is_where_the_order_is(order: Row, shipments: Sequence[Row]) -> str | None:
    wanted = _SHIPMENT_OF.get(order["status"])
    strays = {shipment["status"] for shipment in shipments} - {wanted}
    return f"the order is {order['status']}, its shipment {', '.join(sorted(strays))}" if strays else None


def _is_on_hold(_: Row, shipments: Sequence[Row]) -> str | None:
    strays = {shipment["status"] for shipment in shipments} - {"ON_HOLD"}
    return f"the order is PENDING, its shipment {', '.join(sorted(strays))}" if strays else None


def _has_its_order(shipment: Row, orders: Sequence[Row]) -> str | None:
    if not orders:
        return f"it is for order {shipment['other']}, which there is not"
    if orders[0]["reservation_id"] != shipment["reservation_id"]:
        return f"it takes reservation {shipment['reservation_id']}, the order has {orders[0]['reservation_id']}"
    return None


PARCELS: Final = (
    Law("shipments.one", "An order has one shipment", ORDERS, Between(_ORDERS, "delivery", _SHIPMENTS, _is_one)),
    Law(
        "shipments.owner",
        "A shipment is of an order, and takes what is held for that",
        SHIPMENTS,
        Between(_BELONGING, "sales", _OWNERS, _has_its_order),
    ),
    Law(
        "shipments.status",
        "An order is where its shipment is",
        ORDERS,
        Between(_FURTHER, "delivery", _SHIPMENTS, _is_where_the_order_is),
    ),
    Law(
        "shipments.on_hold",
        "The shipment of an order that is not paid for is on hold",
        ORDERS,
        Between(_PENDING, "delivery", _SHIPMENTS, _is_on_hold),
    ),
    Law(
        "shipments.items",
        "What is in the parcel is what was ordered",
        ORDERS,
        Between(ORDERED.format(other="orders.id"), "delivery", _PACKED, is_of),
    ),
    Law("shipments.dispatch", "A dispatch that was begun is finished", CLAIMED, Within(_ABANDONED)),
)
