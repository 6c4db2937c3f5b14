"""For each law something that breaks it, and it alone: what somebody would have to do to the books by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final


@dataclass(frozen=True)
class Offence:
    law: str
    service: str
    script: str
    """`{paid}` is the id of that order, `{paid_hold}` of its reservation, `{stray}` nobody's; see `trade`."""
    by: str
    """The id that is to be told."""
    stands: str = ""
    """Part of what is to be said of it."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """What has to be done to others' books, by service."""
    also: frozenset[str] = frozenset()
    """Laws that cannot hold then either."""

    def filled(self, ids: Mapping[str, str]) -> "Offence":
        elsewhere = {service: script.format(**ids) for service, script in self.elsewhere.items()}
        return replace(self, script=self.script.format(**ids), by=self.by.format(**ids), elsewhere=elsewhere)


def _moved(product: str, kind: str, on_hand: int, reserved: int) -> str:
    """A change of the stock with its movement."""
    where = f"product_id = '{product}' AND variant_id = '00000000-0000-0000-0000-000000000000'"
    return f"""
        INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor)
        VALUES ('{product}', '00000000-0000-0000-0000-000000000000', '{kind}', {on_hand}, {reserved},
            gen_random_uuid(), 'test');
        UPDATE stock SET on_hand = on_hand + {on_hand}, reserved = reserved + {reserved} WHERE {where};
    """


def an_attempt(state: str, lease: str) -> str:
    """To order, of which nothing has come yet."""
    return f"""
        INSERT INTO attempts (id, customer_id, request_hash, state, lease_until)
        VALUES ('{{stray}}', 'customer_demo', '', '{state}', now() + interval '{lease}');
    """


_NO_CHECKS: Final = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'THIS'::regclass
        LOOP EXECUTE 'ALTER TABLE THIS DROP CONSTRAINT ' || name; END LOOP;
    END $$;
"""


def unchecked(table: str) -> str:
    return _NO_CHECKS.replace("THIS", table)


STOCK: Final = [
    Offence(
        "stock.bounds",
        "product",
        unchecked("stock")
        + """
        INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor)
        SELECT product_id, variant_id, 'corrected', -on_hand, 0, gen_random_uuid(), 'test'
        FROM stock WHERE product_id = 'product_789';
        UPDATE stock SET on_hand = 0 WHERE product_id = 'product_789';
        UPDATE products SET in_stock = false WHERE id = 'product_789';
        """,
        "product_789",
        "on hand 0, reserved 2",
    ),
    Offence("stock.reserved", "product", _moved("product_456", "reserved", 0, 1), "product_456", "reserved 3"),
    Offence(
        "stock.reserved",
        "product",
        """
        INSERT INTO reservations (id, state, answer) VALUES ('{stray}', 'HELD', '[]');
        INSERT INTO reservation_lines (reservation_id, line, product_id, quantity)
        VALUES ('{stray}', 1, 'unheard-of', 1);
        """,
        "unheard-of",
        "reserved nowhere, held by orders and attempts 1",
        also=frozenset({"holds.owner"}),
    ),
    Offence(
        "stock.movements",
        "product",
        "UPDATE stock SET on_hand = on_hand + 1 WHERE product_id = 'stoneware-mug'",
        "stoneware-mug",
        "on hand 601, reserved 0; its movements come to 600 and 0",
    ),
    Offence(
        "stock.movements",
        "product",
        """
        INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor)
        VALUES ('stoneware-mug', '{stray}', 'received', 1, 0, gen_random_uuid(), 'test')
        """,
        "stoneware-mug/{stray}",
    ),
    Offence(
        "stock.in_stock",
        "product",
        "UPDATE products SET in_stock = false WHERE id = 'stoneware-mug'",
        "stoneware-mug",
        "in stock: f; something can be had: t",
    ),
    Offence(
        "stock.in_stock",
        "product",
        "UPDATE products SET has_variants = true WHERE id = 'stoneware-mug'",
        "stoneware-mug",
        "in stock: t; something can be had: f",
    ),
]

_LET_GO: Final = """
    UPDATE reservations SET state = 'RELEASED', settled_at = now() WHERE id = '{paid_hold}';
""" + _moved("product_789", "released", 0, -1)
_HELD_AGAIN: Final = """
    UPDATE reservations SET state = 'HELD', settled_at = NULL WHERE id = '{paid_cancelled_hold}';
""" + _moved("product_789", "reserved", 0, 1)

HOLDS: Final = [
    Offence("holds.live", "product", _LET_GO, "{paid}", "its hold is RELEASED and not HELD"),
    Offence(
        "holds.live",
        "product",
        "DELETE FROM reservations WHERE id = '{paid_delivered_hold}'",
        "{paid_delivered}",
        "the order is DELIVERED, its hold is unknown and not DEDUCTED",
    ),
    Offence("holds.cancelled", "product", _HELD_AGAIN, "{paid_cancelled}", "its hold is HELD"),
    Offence(
        "holds.items",
        "product",
        "UPDATE reservation_lines SET quantity = 2 WHERE reservation_id = '{paid_hold}';"
        + _moved("product_789", "reserved", 0, 1),
        "{paid}",
        "ordered: 1 x product_789; there: 2 x product_789",
    ),
    Offence(
        "holds.items",
        "product",
        "UPDATE reservation_lines SET variant_id = '{stray}' WHERE reservation_id = '{placed_delivered_hold}' "
        "AND product_id = 'barista-apron'",
        "{placed_delivered}",
    ),
    Offence(
        "holds.owner",
        "product",
        """
        INSERT INTO reservations (id, state, answer) VALUES ('{stray}', 'HELD', '[]');
        INSERT INTO reservation_lines (reservation_id, line, product_id, quantity)
        VALUES ('{stray}', 1, 'stoneware-mug', 3);
        """
        + _moved("stoneware-mug", "reserved", 0, 3),
        "{stray}",
        "it is HELD for 0 orders, its attempt is unknown",
    ),
    Offence(
        "holds.owner",
        "product",
        "INSERT INTO reservations (id, state, answer, settled_at) VALUES ('{stray}', 'DEDUCTED', '[]', now())",
        "{stray}",
        "it is DEDUCTED for 0 orders, its attempt is open",
        {"sales": an_attempt("open", "1 hour")},
    ),
    Offence(
        "holds.owner",
        "product",
        "INSERT INTO reservations (id, state, answer) VALUES ('{stray}', 'HELD', '[]')",
        "{stray}",
        "it is HELD for 0 orders, its attempt is undone",
        {"sales": an_attempt("undone", "1 hour")},
    ),
    Offence(
        "holds.owner",
        "sales",
        """
        INSERT INTO orders
        SELECT (jsonb_populate_record(orders, jsonb_build_object('id', '{stray}'))).* FROM orders WHERE id = '{placed}'
        """,
        "{placed_hold}",
        "it is HELD for 2 orders",
        also=frozenset({"orders.status", "orders.total", "shipments.numbers"}),
    ),
]

ORDERS: Final = [
    Offence(
        "orders.status",
        "sales",
        """
        INSERT INTO order_history (order_id, at, kind, from_status, to_status, actor)
        VALUES ('{placed}', now() - interval '8 days', 'changed', 'PENDING_SHIPMENT', 'SHIPPED', 'test')
        """,
        "{placed}",
        "is PENDING_SHIPMENT, its history ends with SHIPPED",
    ),
    Offence(
        "orders.path",
        "sales",
        "UPDATE order_history SET from_status = 'PENDING' WHERE order_id = '{paid_shipped}' AND to_status = 'SHIPPED'",
        "{paid_shipped}",
        "nothing > PENDING, PENDING > CONFIRMED, PENDING > SHIPPED",
    ),
    Offence(
        "orders.path",
        "sales",
        """
        UPDATE order_history SET from_status = 'PENDING_SHIPMENT', at = now() - interval '8 days'
        WHERE order_id = '{placed_delivered}' AND to_status = 'DELIVERED';
        DELETE FROM order_history WHERE order_id = '{placed_delivered}' AND to_status = 'SHIPPED';
        DELETE FROM outbox WHERE body LIKE '%{placed_delivered}%' AND event_type = 'order.shipped';
        """,
        "{placed_delivered}",
        "PENDING_SHIPMENT > DELIVERED",
        also=frozenset({"events.known"}),
    ),
    Offence(
        "orders.path",
        "sales",
        """
        DELETE FROM order_history WHERE order_id = '{placed_delivered}' AND to_status = 'SHIPPED';
        DELETE FROM outbox WHERE body LIKE '%{placed_delivered}%' AND event_type = 'order.shipped';
        """,
        "{placed_delivered}",
        "nothing > PENDING_SHIPMENT, SHIPPED > DELIVERED",
        also=frozenset({"events.known"}),
    ),
    Offence(
        "orders.total",
        "sales",
        "UPDATE orders SET subtotal = subtotal + 1, total = total + 1 WHERE id = '{placed}'",
        "{placed}",
        "its items come to 10880",
    ),
    Offence(
        "orders.placed",
        "sales",
        "UPDATE attempts SET order_id = '{stray}' WHERE id = '{placed_hold}'",
        "{placed_hold}",
        "which there is not",
    ),
    Offence(
        "orders.attempts",
        "sales",
        an_attempt("undoing", "-1 second"),
        "{stray}",
        "is undoing since",
    ),
    Offence(
        "orders.cancellations",
        "sales",
        """
        INSERT INTO cancellations (order_id, reservation_id, asked_by, asked_at, state, next_look_at)
        VALUES ('{placed}', '{placed_hold}', 'customer_demo', now(), 'asked', now() - interval '1 second')
        """,
        "{placed}",
    ),
]
