"""What breaks the laws of parcels; see `offences`."""

from typing import Final

from .offences import Offence

_SHIPMENT: Final = """
    INSERT INTO shipments (id, order_id, reservation_id, status, order_status, items, shipping_address, created_at,
        traceparent)
    SELECT '{stray}', ORDER, reservation_id, status, order_status, items, shipping_address, created_at, traceparent
    FROM shipments WHERE order_id = '{placed}';
"""

SHIPMENTS: Final = [
    Offence(
        "shipments.one",
        "delivery",
        "DELETE FROM shipments WHERE order_id = '{placed}'",
        "{placed}",
        "the order is PENDING_SHIPMENT, and has 0 shipments",
    ),
    Offence(
        "shipments.one",
        "delivery",
        "ALTER TABLE shipments DROP CONSTRAINT uq_shipments_order_id;" + _SHIPMENT.replace("ORDER", "order_id"),
        "{placed}",
        "has 2 shipments",
        also=frozenset({"shipments.items"}),
    ),
    Offence(
        "shipments.owner",
        "delivery",
        _SHIPMENT.replace("ORDER", "gen_random_uuid()"),
        "{stray}",
        "which there is not",
    ),
    Offence(
        "shipments.owner",
        "delivery",
        "UPDATE shipments SET reservation_id = '{paid_hold}' WHERE order_id = '{placed}'",
        "{placed_shipment}",
        "the order has",
    ),
    *(
        Offence(
            "shipments.status",
            "delivery",
            f"UPDATE shipments SET status = '{status}', {also} WHERE order_id = '{{{order}}}'",
            f"{{{order}}}",
            f"its shipment {status}",
        )
        for order, status, also in (
            ("paid", "ON_HOLD", "order_status = order_status"),
            ("placed", "STOPPED", "stop_reason = 'test'"),
            ("paid_shipped", "DELIVERED", "delivered_at = now()"),
            ("placed_delivered", "SHIPPED", "delivered_at = NULL"),
            ("placed_cancelled", "READY", "stop_reason = NULL"),
        )
    ),
    Offence(
        "shipments.on_hold",
        "delivery",
        "UPDATE shipments SET status = 'READY' WHERE order_id = '{unpaid}'",
        "{unpaid}",
        "the order is PENDING, its shipment READY",
    ),
    Offence(
        "shipments.items",
        "delivery",
        """UPDATE shipments SET items = jsonb_set(items, '{{0,quantity}}', '3') WHERE order_id = '{placed}'""",
        "{placed}",
        "3 x product_456",
    ),
    Offence(
        "shipments.dispatch",
        "delivery",
        "UPDATE shipments SET carrier = 'c', tracking_number = 't', dispatching_until = now() - interval '1 second' "
        "WHERE order_id = '{placed}'",
        "{placed_shipment}",
    ),
]
