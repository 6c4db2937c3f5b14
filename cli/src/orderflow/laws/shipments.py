"""Laws of parcels: each order has its own, of the same things, and is where they are."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from .holds import LISTED, ORDERED, ORDERS, is_of
from .law import Between, Law, Row, Subject, Within, by_ids

SHIPMENTS: Final = Subject("delivery", "shipments")
CLAIMED: Final = Subject("delivery", "shipments", only="dispatching_until IS NOT NULL")

_PARCELS_OF: Final[Mapping[str, AbstractSet[str]]] = {
    "PENDING": {"ON_HOLD"},
    "CONFIRMED": {"READY"},
    "PENDING_SHIPMENT": {"READY"},
    # One that has come back may be on the shelf again, and others may have yet to leave.
    "SHIPPED": {"READY", "SHIPPED", "DELIVERED", "LOST", "RETURNED"},
    "DELIVERED": {"DELIVERED"},
    "CANCELLED": {"STOPPED"},
}
_UNDER_WAY: Final = ("SHIPPED", "DELIVERED")

_ORDERS: Final = "SELECT id AS key, id AS other, status FROM orders WHERE id = ANY(:ids)"
_PENDING: Final = f"{_ORDERS} AND status = 'PENDING'"
_FURTHER: Final = f"{_ORDERS} AND status <> 'PENDING'"
_SHIPMENTS: Final = by_ids(
    "delivery",
    """
    SELECT order_id AS other, number, parcels, status, shipped_at IS NOT NULL AS has_left
    FROM shipments WHERE order_id = ANY(:ids) ORDER BY order_id, number
    """,
)
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


def _are_numbered(order: Row, parcels: Sequence[Row]) -> str | None:
    if not parcels:
        return f"the order is {order['status']}, and has no parcel"
    numbers = [parcel["number"] for parcel in parcels]
    counts = {parcel["parcels"] for parcel in parcels}
    if sorted(numbers) == list(range(1, len(parcels) + 1)) and counts == {len(parcels)}:
        return None
    said = ", ".join(f"{parcel['number']} of {parcel['parcels']}" for parcel in parcels)
    return f"the order is {order['status']}, its parcels are {said}"


def _are_where_the_order_is(order: Row, parcels: Sequence[Row]) -> str | None:
    status, seen = order["status"], {parcel["status"] for parcel in parcels}
    if not parcels:
        return None
    has_left = any(parcel["has_left"] for parcel in parcels)
    has_arrived = seen == {"DELIVERED"}
    is_right = seen <= _PARCELS_OF[status] and has_left == (status in _UNDER_WAY)
    if is_right and has_arrived == (status == "DELIVERED"):
        return None
    which = "something of it has left" if has_left else "nothing of it has left"
    return f"the order is {status}, its parcels {', '.join(sorted(seen))}, and {which}"


def _has_its_order(shipment: Row, orders: Sequence[Row]) -> str | None:
    if not orders:
        return f"it is for order {shipment['other']}, which there is not"
    if orders[0]["reservation_id"] != shipment["reservation_id"]:
        return f"it takes reservation {shipment['reservation_id']}, the order has {orders[0]['reservation_id']}"
    return None


PARCELS: Final = (
    Law(
        "shipments.numbers",
        "An order has one parcel, or several that are numbered",
        ORDERS,
        Between(_ORDERS, "delivery", _SHIPMENTS, _are_numbered),
    ),
    Law(
        "shipments.owner",
        "A parcel is of an order, and takes what is held for that",
        SHIPMENTS,
        Between(_BELONGING, "sales", _OWNERS, _has_its_order),
    ),
    Law(
        "shipments.status",
        "An order is shipped when one of its parcels has left, and delivered when all have arrived",
        ORDERS,
        Between(_FURTHER, "delivery", _SHIPMENTS, _are_where_the_order_is),
    ),
    Law(
        "shipments.on_hold",
        "The parcels of an order that is not paid for are on hold",
        ORDERS,
        Between(_PENDING, "delivery", _SHIPMENTS, _are_where_the_order_is),
    ),
    Law(
        "shipments.items",
        "What is in an order's parcels is what was ordered",
        ORDERS,
        Between(ORDERED.format(other="orders.id"), "delivery", _PACKED, is_of),
    ),
    Law("shipments.dispatch", "A dispatch that was begun is finished", CLAIMED, Within(_ABANDONED)),
)
