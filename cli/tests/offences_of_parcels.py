"""What breaks the laws of parcels, of their tracking and of what carriers report; see `offences`."""

from typing import Final

from .offences import Offence

_SHIPMENT: Final = """
    INSERT INTO shipments (id, order_id, reservation_id, status, order_status, items, shipping_address, created_at,
        traceparent)
    SELECT '{stray}', ORDER, reservation_id, status, order_status, items, shipping_address, created_at, traceparent
    FROM shipments WHERE order_id = '{placed}';
"""
_TRACKED: Final = frozenset({"tracking.told"})

SHIPMENTS: Final = [
    Offence(
        "shipments.numbers",
        "delivery",
        "DELETE FROM shipments WHERE order_id = '{placed}'",
        "{placed}",
        "the order is PENDING_SHIPMENT, and has no parcel",
    ),
    Offence(
        "shipments.numbers",
        "delivery",
        "ALTER TABLE shipments DROP CONSTRAINT uq_shipments_order_id_number;" + _SHIPMENT.replace("ORDER", "order_id"),
        "{placed}",
        "its parcels are 1 of 1, 1 of 1",
        also=frozenset({"shipments.items"}),
    ),
    Offence(
        "shipments.numbers",
        "delivery",
        "UPDATE shipments SET parcels = 3 WHERE id = '{parted_second}'",
        "{parted}",
        "its parcels are 1 of 2, 2 of 3",
    ),
    Offence(
        "shipments.numbers",
        "delivery",
        "UPDATE shipments SET number = 2, parcels = 2 WHERE id = '{placed_shipment}'",
        "{placed}",
        "its parcels are 2 of 2",
        also=_TRACKED,
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
            f"UPDATE shipments SET status = '{status}', {more} WHERE id = '{{{parcel}}}'",
            f"{{{order}}}",
            stands,
            also=_TRACKED if order.startswith("parted") else frozenset(),
        )
        for order, parcel, status, more, stands in (
            ("paid", "paid_shipment", "ON_HOLD", "order_status = order_status", "its parcels ON_HOLD"),
            ("placed", "placed_shipment", "STOPPED", "stop_reason = 'test'", "its parcels STOPPED"),
            ("placed", "placed_shipment", "READY", "shipped_at = now()", "something of it has left"),
            ("paid_shipped", "paid_shipped_shipment", "DELIVERED", "delivered_at = now()", "its parcels DELIVERED"),
            ("placed_delivered", "placed_delivered_shipment", "SHIPPED", "delivered_at = NULL", "its parcels SHIPPED"),
            ("placed_cancelled", "placed_cancelled_shipment", "READY", "stop_reason = NULL", "its parcels READY"),
            (
                "parted",
                "parted_second",
                "SHIPPED",
                "shipped_at = now(), carrier = 'c', tracking_number = 't'",
                "its parcels READY, SHIPPED, and something of it has left",
            ),
            (
                "parted_left",
                "parted_left_shipment",
                "READY",
                "shipped_at = NULL",
                "its parcels READY, and nothing of it has left",
            ),
            ("parted_home", "parted_home_second", "LOST", "delivered_at = NULL", "its parcels DELIVERED, LOST"),
        )
    ),
    Offence(
        "shipments.on_hold",
        "delivery",
        "UPDATE shipments SET status = 'READY' WHERE order_id = '{unpaid}'",
        "{unpaid}",
        "the order is PENDING, its parcels READY",
    ),
    Offence(
        "shipments.items",
        "delivery",
        """UPDATE shipments SET items = jsonb_set(items, '{{0,quantity}}', '3') WHERE order_id = '{placed}'""",
        "{placed}",
        "3 x product_456",
    ),
    Offence(
        "shipments.items",
        "delivery",
        """UPDATE shipments SET items = jsonb_set(items, '{{0,quantity}}', '2') WHERE id = '{parted_second}'""",
        "{parted}",
        "there: 2 x gooseneck-kettle, 2 x paper-filters-100",
        also=_TRACKED,
    ),
    Offence(
        "shipments.dispatch",
        "delivery",
        "UPDATE shipments SET carrier = 'c', tracking_number = 't', dispatching_until = now() - interval '1 second' "
        "WHERE order_id = '{placed}'",
        "{placed_shipment}",
    ),
]


def _shown(change: str, order: str = "parted_left", number: int = 1) -> str:
    return f"UPDATE order_parcels SET {change} WHERE order_id = '{{{order}}}' AND number = {number}"


TRACKING: Final = [
    Offence(
        "tracking.told",
        "sales",
        "DELETE FROM order_parcels WHERE order_id = '{parted}' AND number = 2",
        "{parted_second}",
        "Sales has nothing of it",
    ),
    Offence("tracking.told", "sales", _shown("version = version - 1"), "{parted_left_shipment}"),
    Offence("tracking.told", "sales", _shown("status = 'PREPARING'"), "{parted_left_shipment}", "PREPARING"),
    Offence("tracking.told", "sales", _shown("tracking_number = 'T'"), "{parted_left_shipment}"),
    Offence(
        "tracking.told",
        "sales",
        _shown("delivered_at = delivered_at - interval '1 day'", "parted_home", 2),
        "{parted_home_second}",
    ),
    Offence(
        "tracking.told",
        "sales",
        _shown("items = '[]'", "lost"),
        "{lost_shipment}",
        "3 x paper-filters-100",
    ),
    Offence(
        "tracking.shown",
        "sales",
        """
        INSERT INTO order_parcels (order_id, number, shipment_id, version, status, items)
        VALUES ('{placed}', 2, '{stray}', 1, 'PREPARING', '[]')
        """,
        "{placed}/2",
        "which Delivery does not have",
    ),
    Offence(
        "tracking.shown",
        "sales",
        _shown("shipment_id = '{stray}'", "resent"),
        "{resent}/1",
        also=_TRACKED,
    ),
]


def a_report(kind: str, state: str, **more: str) -> str:
    """Of a carrier's."""
    values = {
        "id": "'{stray}'",
        "source": "'carrier'",
        "webhook_id": "'w'",
        "carrier": "'FedEx'",
        "tracking_number": "'TRK1'",
        "kind": f"'{kind}'",
        "received_at": "now()",
        "traceparent": "''",
        "state": f"'{state}'",
        "attempts": "1",
        "tried_until": "now() + interval '1 day'",
        **more,
    }
    return f"INSERT INTO carrier_reports ({', '.join(values)}) VALUES ({', '.join(values.values())});"


REPORTS: Final = [
    *(
        Offence(
            "reports.worked",
            "delivery",
            a_report("DELIVERED", state, next_try_at="now() - interval '1 second'"),
            "{stray}",
            f"DELIVERED of FedEx TRK1 is {state}",
        )
        for state in ("WAITING", "UNMATCHED")
    ),
    *(
        Offence(
            "reports.applied",
            "delivery",
            a_report(kind, "APPLIED", settled_at="now()", shipment_id=parcel),
            "{stray}",
            f"{kind} was accepted for",
        )
        for kind, parcel in (
            ("DELIVERED", "'{paid_shipped_shipment}'"),
            ("DELIVERED", "NULL"),
            ("LOST", "'{placed_cancelled_shipment}'"),
            ("RETURNED", "'{stray}'"),
        )
    ),
]
